// Databases of many shapes for `npm run bench:shapes`: what is in them, and how they are filled. The same bytes each time.
import { statSync } from "node:fs";
import { generator } from "./random.mjs";

process.removeAllListeners("warning"); // node:sqlite is announced as experimental
const { DatabaseSync } = await import("node:sqlite");

/** @typedef {{ schema: string, insert?: string, row: (random: Random, index: number) => unknown[], pageSize?: number, encoding?: string }} Shape */

const WORDS =
  "order paid shipped the of a customer note from and with delivery address street invoice total".split(" ");
const UNICODE =
  "Grüße naïve café Ærø 東京都 漢字 日本語 한국어 שלום Привет 😀 🚀 Ελληνικά ไทย smörgåsbord élève".split(
    " ",
  );

/** Each shape by name. @type {Record<string, Shape>} */
export const SHAPES = {
  "ASCII text": one("body TEXT", (r) => [text(r, WORDS, 10, 120)]),
  "Unicode text": one("body TEXT", (r) => [text(r, UNICODE, 5, 80)]),
  "text with quotes and lines": one("body TEXT", (r) => [
    text(r, ["it's", "'", "a\nline", "tab\there", "\r\n", "plain", "words"], 5, 40),
  ]),
  "text in UTF-16": {
    ...one("body TEXT, place TEXT", (r) => [text(r, UNICODE, 2, 30), text(r, WORDS, 2, 30)]),
    encoding: "UTF-16le",
  },
  "four indexes": {
    schema: `CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER, b TEXT, c REAL, d TEXT);
      CREATE INDEX t_a ON t (a); CREATE INDEX t_b ON t (b); CREATE INDEX t_c ON t (c, a); CREATE INDEX t_d ON t (d, b);`,
    insert: "INSERT INTO t (a, b, c, d) VALUES (?, ?, ?, ?)",
    row: (r) => [below(r, 1e9), hex(r, 12), r() * 1e6, text(r, WORDS, 1, 5)],
  },
  "blobs of 20 to 400 kB": one("data BLOB", (r) => [blob(r, 20_000 + below(r, 380_000))]),
  "blobs of 16 to 32 bytes": one("data BLOB", (r) => [blob(r, 16 + below(r, 17))]),
  "values of 8 MB": one("data", (r, index) => [
    index % 2 === 0 ? blob(r, 8e6) : text(r, WORDS, 1000, 1001).repeat(1300),
  ]),
  "3,000 tables": {
    schema: Array.from(
      { length: 3000 },
      (_, i) =>
        `CREATE TABLE t${i} (id INTEGER PRIMARY KEY, name TEXT NOT NULL, n INTEGER, at TEXT DEFAULT '');`,
    ).join("\n"),
    insert: (index) => `INSERT INTO t${index % 3000} (name, n, at) VALUES (?, ?, ?)`,
    row: (r) => [text(r, WORDS, 2, 10), below(r, 1e6), "2026-11-29"],
  },
  FTS5: {
    schema: "CREATE VIRTUAL TABLE t USING fts5(title, body);",
    insert: "INSERT INTO t (title, body) VALUES (?, ?)",
    row: (r) => [
      `${hex(r, 4)} ${text(r, WORDS, 2, 6)}`,
      `${text(r, WORDS, 20, 100)} ${hex(r, 3)} ${hex(r, 3)}`,
    ],
  },
  "JSON text": one("doc TEXT", (r, index) => [
    JSON.stringify({
      id: index,
      name: text(r, WORDS, 2, 4),
      tags: [hex(r, 3), hex(r, 3)],
      at: { x: r() * 100, y: below(r, 1000) },
      note: text(r, WORDS, 3, 30),
      isPaid: r() < 0.5,
    }),
  ]),
  "random reals": one("a REAL, b REAL, c REAL", (r) => [r(), r() * 1e9, r() * 10 ** below(r, 300)]),
  prices: one("a REAL, b REAL, c REAL", (r) => [cents(r, 1e4), cents(r, 1e6), cents(r, 100)]),
  "integers of all sizes": one("a, b, c, d, e", (r) => [
    below(r, 100),
    below(r, 30_000) - 15_000,
    below(r, 2 ** 31),
    big(r),
    below(r, 2),
  ]),
  "WITHOUT ROWID, text key": {
    schema: "CREATE TABLE t (key TEXT PRIMARY KEY, a INTEGER, b TEXT) WITHOUT ROWID;",
    insert: "INSERT OR IGNORE INTO t (key, a, b) VALUES (?, ?, ?)",
    row: (r) => [hex(r, 10), below(r, 1e6), text(r, WORDS, 1, 8)],
  },
  "60 columns, mostly NULL": one(
    Array.from(
      { length: 60 },
      (_, i) => `c${i}${i % 3 === 0 ? " TEXT" : i % 3 === 1 ? " INTEGER" : ""}`,
    ).join(", "),
    (r) =>
      Array.from({ length: 60 }, (_, i) =>
        r() < 0.9 ? null : i % 3 === 0 ? text(r, WORDS, 1, 3) : below(r, 1e5),
      ),
  ),
  "pages of 64 KiB": { ...one("a INTEGER, body TEXT, data BLOB", mixed), pageSize: 65536 },
  "pages of 1 KiB, a log": {
    ...one("at TEXT, level INTEGER, message TEXT", (r, index) => [
      new Date(1.7e12 + index * 1000).toISOString(),
      below(r, 5),
      text(r, WORDS, 3, 15),
    ]),
    pageSize: 1024,
  },
  "pages of 512 bytes": { ...one("a INTEGER, body TEXT, data BLOB", mixed), pageSize: 512 },
  "3,000 zero bytes a row": one("data BLOB", () => [new Uint8Array(3000)]),
  "rows of one small integer": one("a INTEGER", (r) => [below(r, 100)]),
  "NOT NULL columns, defaults, CHECK": one(
    "a INTEGER NOT NULL, b TEXT NOT NULL DEFAULT '', c REAL NOT NULL CHECK (c >= 0), d TEXT",
    (r) => [below(r, 1e6), text(r, WORDS, 1, 6), r() * 100, text(r, WORDS, 0, 6)],
  ),
  "half of it deleted": {
    ...one("a INTEGER, body TEXT, data BLOB", mixed),
    finish: "DELETE FROM t WHERE id % 16 >= 8 OR id % 5000 > 4000",
  },
  dictionary: {
    schema: `CREATE TABLE words (id INTEGER PRIMARY KEY, word TEXT, ref INTEGER, weight REAL, hash BLOB);
      CREATE TABLE senses (word TEXT, n INTEGER, gloss TEXT, PRIMARY KEY (word, n)) WITHOUT ROWID;`,
    insert: (index) =>
      index % 2 === 0
        ? "INSERT INTO words (word, ref, weight, hash) VALUES (?, ?, ?, ?)"
        : "INSERT OR IGNORE INTO senses VALUES (?, ?, ?)",
    row: (r, index) =>
      index % 2 === 0
        ? [text(r, UNICODE, 1, 4), big(r), r(), blob(r, 8)]
        : [`${hex(r, 4)}ü`, below(r, 5), text(r, UNICODE, 3, 15)],
  },
};

/** Makes a database of this shape and of about `bytes` bytes, in WAL mode. */
export function makeShape(path, name, bytes) {
  const { schema, insert, row, pageSize = 4096, encoding = "UTF-8", finish } = SHAPES[name];
  const random = generator(1);
  const db = new DatabaseSync(path);
  db.exec(`PRAGMA page_size = ${pageSize}; PRAGMA encoding = '${encoding}'; PRAGMA cache_size = -200000;
    PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN; ${schema} COMMIT`);
  const statements = new Map();
  const prepared = (sql) => {
    if (!statements.has(sql)) statements.set(sql, db.prepare(sql));
    return statements.get(sql);
  };
  for (let index = 0; size(path) < bytes; ) {
    db.exec("BEGIN");
    // So many rows that the size is looked at some hundred times.
    for (let written = 0; written < bytes / 200; ) {
      const values = row(random, index);
      prepared(typeof insert === "function" ? insert(index) : insert).run(...values);
      written += values.reduce((sum, value) => sum + (value?.length ?? 8), 8);
      index++;
    }
    db.exec("COMMIT");
  }
  db.exec(`${finish ?? ""}; PRAGMA journal_mode = WAL`);
  db.close();
}

/** Changes a hundred rows of the first table, spread over it. */
export function changeHundredRows(path) {
  const db = new DatabaseSync(path);
  const { name } = db
    .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY rowid LIMIT 1")
    .get();
  const columns = db.prepare(`SELECT name, pk FROM pragma_table_info('${name}')`).all();
  const column = columns.findLast(({ pk }) => pk === 0).name;
  const key = columns.some(({ name, pk }) => pk > 0 && name !== "id") ? columns[0].name : "rowid";
  const count = db.prepare(`SELECT count(*) AS n FROM "${name}"`).get().n;
  const step = Math.max(1, Math.floor(count / 100));
  const keys = db
    .prepare(
      `SELECT k FROM (SELECT "${key}" AS k, row_number() OVER (ORDER BY "${key}") AS n FROM "${name}") WHERE n % ? = 0`,
    )
    .all(step);
  const update = db.prepare(`UPDATE "${name}" SET "${column}" = ? WHERE "${key}" = ?`);
  db.exec("BEGIN");
  for (const { k } of keys.slice(0, 100)) update.run(`changed ${Date.now() % 1e6}`, k);
  db.exec("COMMIT");
  db.close();
}

function one(columns, row) {
  const names = columns
    .split(", ")
    .filter((column) => !/^[^ ]+\)/.test(column))
    .map((column) => column.split(" ")[0]);
  return {
    schema: `CREATE TABLE t (id INTEGER PRIMARY KEY, ${columns});`,
    insert: `INSERT INTO t (${names.join(", ")}) VALUES (${names.map(() => "?").join(", ")})`,
    row,
  };
}

function mixed(random) {
  return [below(random, 1e6), text(random, WORDS, 5, 40), blob(random, below(random, 100))];
}

function size(path) {
  return statSync(path).size;
}

function below(random, limit) {
  return Math.floor(random() * limit);
}

function text(random, words, least, most) {
  let text = "";
  for (let left = least + below(random, most - least); left > 0; left--)
    text += `${words[below(random, words.length)]} `;
  return text;
}

function hex(random, bytes) {
  let text = "";
  for (let i = 0; i < bytes; i++) text += below(random, 256).toString(16).padStart(2, "0");
  return text;
}

function blob(random, length) {
  const bytes = new Uint8Array(length + 4);
  const words = new DataView(bytes.buffer);
  for (let at = 0; at < length; at += 4) words.setUint32(at, random() * 2 ** 32);
  return bytes.subarray(0, length);
}

/** An integer of nineteen digits, of either sign. */
function big(random) {
  return (
    (BigInt(below(random, 2 ** 31)) << 32n) * (random() < 0.5 ? 1n : -1n) + BigInt(below(random, 2 ** 32))
  );
}

function cents(random, most) {
  return Math.round(random() * most * 100) / 100;
}
