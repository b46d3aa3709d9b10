// What is in a database besides rows, and parts of a dump, in a real local D1, a real Durable Object and the sqlite3
// shell; beside what D1's own export makes of the same today, as in dump-d1.slow.test.ts.
import type { DumpOptions } from "pagemark";
import { expect, test } from "vitest";
import { tempFolder } from "../support/temp.ts";
import { Cloudflare } from "./d1/cloudflare.ts";
import { d1Dump } from "./d1/dump.ts";
import { databaseOf, expectContents, golden, imported, throughTheirs } from "./d1/golden.ts";
import { contents, fileAt } from "./d1/place.ts";

const folder = tempFolder();
const cloudflare = new Cloudflare();
const taken = (sql: string) => golden(cloudflare, folder, sql);

const SHOP = `
  CREATE TABLE orders (id INTEGER PRIMARY KEY AUTOINCREMENT, item TEXT, n AS (id * 2), s TEXT AS (item || '!') STORED);
  CREATE TABLE log (id INTEGER PRIMARY KEY AUTOINCREMENT, what TEXT);
  INSERT INTO orders (id, item) VALUES (40, 'x'); DELETE FROM orders; INSERT INTO orders (id, item) VALUES (7, 'y');
  INSERT INTO log VALUES (3, 'z');
  CREATE INDEX by_item ON orders (item COLLATE NOCASE DESC) WHERE n > 3;
  CREATE VIEW items AS SELECT item FROM orders;`;
const TRIGGER =
  "CREATE TRIGGER added AFTER INSERT ON orders BEGIN INSERT INTO log VALUES (NULL, new.item); END;";

test("D11 one table, with its index, trigger and sequence", async () => {
  const path = databaseOf(folder, SHOP + TRIGGER);
  const { d1, object, shell } = await imported(cloudflare, path, { tables: ["ORDERS"] });
  const expected = await contents(fileAt(path));
  const {
    "table orders on orders": table,
    "index by_item on orders": index,
    "rows of orders": rows,
  } = expected;
  const trigger = expected["trigger added on orders"];
  for (const place of [d1, object, shell]) {
    const found = await contents(place);
    expect(found).toMatchObject({
      "table orders on orders": table,
      "index by_item on orders": index,
      "trigger added on orders": trigger,
      "rows of orders": rows,
    });
    expect(await place.rows("SELECT name, seq FROM sqlite_sequence")).toEqual([["orders", 40]]);
    expect(Object.keys(found).filter((name) => /log|items/.test(name))).toEqual([]);
  }
  const { d1: whole } = await imported(cloudflare, path);
  const theirs = await throughTheirs(cloudflare, whole, { tables: ["orders"] });
  const names = (
    await theirs.rows("SELECT name FROM sqlite_schema WHERE name NOT LIKE '\\_cf%' ESCAPE '\\'")
  ).flat();
  expect(names.sort()).toEqual(["orders", "sqlite_sequence"]);
  expect(await theirs.rows("SELECT seq FROM sqlite_sequence")).toEqual([[7]]);
});

test("D11 no names mean all tables, and a name that no table has is refused", async () => {
  const path = databaseOf(folder, SHOP);
  expect((await d1Dump(path, { tables: [] })).sql).toBe((await d1Dump(path)).sql);
  await expect(d1Dump(path, { tables: ["orders", "gone"] })).rejects.toMatchObject({ code: "TABLE_UNKNOWN" });
});

const STEPS: [name: string, steps: DumpOptions[]][] = [
  ["the schema, then the rows", [{ noData: true }, { noSchema: true }]],
  [
    "table by table",
    [{ tables: ["log"] }, { tables: ["orders", "doc", "words", "boxes"] }, { tables: ["big"] }],
  ],
  [
    "the schema, then the rows table by table",
    [
      { noData: true },
      { noSchema: true, tables: ["orders", "boxes"] },
      { noSchema: true, tables: ["log", "doc", "big", "words"] },
    ],
  ],
];

test.for(STEPS)("D10 %s", async ([, steps]) => {
  const path = databaseOf(
    folder,
    `${SHOP} DROP VIEW items; CREATE TABLE big (a, b REFERENCES log); INSERT INTO big VALUES (randomblob(150000), 3);
     CREATE TABLE doc (id INTEGER PRIMARY KEY, body TEXT); INSERT INTO doc VALUES (5, 'quick fox'), (1 << 53, 'dog');
     CREATE VIRTUAL TABLE words USING fts5(body, content='doc', content_rowid='id'); INSERT INTO words (words) VALUES ('rebuild');
     CREATE VIRTUAL TABLE boxes USING rtree(id, x0, x1, +note); INSERT INTO boxes VALUES (1, 2, 3, 'n')`,
  );
  const result = await imported(cloudflare, path, ...steps);
  await expectContents(result, await contents(fileAt(path)));
  expect(await result.d1.rows("SELECT CAST(rowid AS TEXT) FROM words('dog')")).toEqual([
    ["9007199254740992"],
  ]);
  expect(result.warnings).toEqual([]);
});

test("D10 rows alone, into a database that has sequences already", async () => {
  const path = databaseOf(folder, SHOP);
  const { d1, object } = await imported(cloudflare, path, { noData: true });
  const { statements } = await d1Dump(path, { noSchema: true });
  for (const place of [d1, object]) {
    await place.run(["INSERT INTO orders (id, item) VALUES (90, 'mine')", "DELETE FROM orders"]);
    await place.run(statements);
    expect(await contents(place)).toEqual(await contents(fileAt(path)));
  }
  const theirs = cloudflare.d1();
  await theirs.run((await d1Dump(path, { noData: true })).statements);
  await theirs.run(await d1.export({ noSchema: true }));
  const sequences = await theirs.rows("SELECT seq FROM sqlite_sequence WHERE name = 'orders'");
  expect(sequences).toEqual([[7], [40]]);
});

test("D10 triggers that rows alone would start are a warning", async () => {
  const path = databaseOf(folder, SHOP + TRIGGER);
  const { warnings } = await d1Dump(path, { noSchema: true });
  expect(warnings).toEqual(["orders: where its trigger added is, it runs for every row; drop it before"]);
});

test("B26 full-text tables", async () => {
  const { d1, object } = await taken(
    `CREATE TABLE base (a); CREATE TABLE doc (id INTEGER PRIMARY KEY, body); INSERT INTO doc VALUES (-3, 'lazy dog');
     CREATE VIRTUAL TABLE f USING fts5(a, "b c" UNINDEXED, tokenize = "porter unicode61 remove_diacritics 2", prefix = '2 3');
     INSERT INTO f (rowid, a, "b c") VALUES (-5, 'running ' || char(10) || 'away', 7), (1 << 60, NULL, x'00'), (2, 'ran', 1.0),
       (9, hex(zeroblob(100000)), NULL);
     INSERT INTO f (f, rank) VALUES ('pgsz', 1000), ('rank', 'bm25(10.0, 5.0)');
     CREATE VIRTUAL TABLE of_doc USING fts5(body, content='doc', content_rowid='id'); INSERT INTO of_doc (of_doc) VALUES ('rebuild');
     CREATE VIRTUAL TABLE words USING fts5vocab(f, row);
     CREATE TRIGGER doc_ai AFTER INSERT ON doc BEGIN INSERT INTO of_doc (rowid, body) VALUES (new.id, new.body); END;`,
  );
  for (const place of [d1, object]) {
    expect(await place.rows("SELECT rowid FROM f('run')")).toEqual([[-5]]);
    await place.run(["INSERT INTO doc VALUES (8, 'quick dog')"]);
    expect(await place.rows("SELECT rowid FROM of_doc('dog')")).toEqual([[-3], [8]]);
    const checks = ["f", "of_doc"].map((name) => `INSERT INTO ${name} (${name}) VALUES ('integrity-check')`);
    await place.run(checks);
  }
  await expect(d1.export()).rejects.toThrow("cannot export databases with Virtual Tables (fts5)");
});

test("B26 R-Trees", async () => {
  const { d1, object } = await taken(
    `CREATE VIRTUAL TABLE r USING rtree(id, x0, x1, y0, y1, +name, +[the blob]); CREATE VIRTUAL TABLE w USING rtree_i32(id, a, b);
     WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 700)
       INSERT INTO r SELECT i * 3 - 1000, i * 0.37, i * 0.37 + 1, -i / 7.0, i, 'n' || i, zeroblob(i) FROM n;
     DELETE FROM r WHERE id % 5 = 0; INSERT INTO w VALUES (-9223372036854775808, -5, 2147483647)`,
  );
  for (const place of [d1, object]) {
    expect(await place.rows("SELECT count(*) FROM r WHERE x0 < 20 AND y1 > 10")).toEqual([[36]]);
  }
  await expect(d1.export()).rejects.toThrow("cannot export databases with Virtual Tables (fts5)");
});

test("B26 what D1's own export carries, ours does too", async () => {
  const columns = Array.from({ length: 100 }, (_, index) => `c${index}`);
  const { d1, warnings } = await taken(
    `CREATE VIEW early AS SELECT "order" FROM "select"; CREATE TABLE "select" ("order" INT, "table" TEXT PRIMARY KEY) WITHOUT ROWID;
     INSERT INTO "select" VALUES (1, 'it''s'), (2, x'0a');
     CREATE TABLE seq (id INTEGER PRIMARY KEY AUTOINCREMENT, a INT AS (id + 1) STORED, b AS (a * 2)); INSERT INTO seq VALUES (70); DELETE FROM seq;
     CREATE TABLE strict (a INT, b REAL, c TEXT, d BLOB, e ANY) STRICT; INSERT INTO strict VALUES (1, 2.5, 'x', x'0102', '1');
     CREATE TABLE commented (a -- one; two
       , b /* ; */ DEFAULT '--'); INSERT INTO commented VALUES (9e999, -9e999);
     CREATE TABLE wide (${columns}); INSERT INTO wide VALUES (${columns.map((_, index) => index)});
     CREATE INDEX by_b ON commented (b, a DESC); CREATE TABLE "" (a); INSERT INTO "" VALUES (1); CREATE TABLE "a""b
       c[" ("d'e" TEXT, [f"g], "h
       i"); INSERT INTO "a""b
       c[" VALUES ('😀', 2, 3);
     CREATE TRIGGER t AFTER INSERT ON commented BEGIN SELECT CASE WHEN 1 THEN 2 END; UPDATE seq SET id = id; -- END;
       DELETE FROM seq WHERE id < 0; END; ANALYZE`,
  );
  expect(warnings).toEqual([]);
  await throughTheirs(cloudflare, d1);
});

test("B24 Cloudflare's own names, and what D1 refuses, are left out with a warning", async () => {
  const union = "SELECT a FROM t UNION ".repeat(5);
  const path = databaseOf(
    folder,
    `CREATE TABLE t (a); INSERT INTO t VALUES (1); CREATE TABLE _cf_KV (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID;
     INSERT INTO _cf_KV VALUES ('k', 'v'); CREATE TABLE _cf_METADATA (id INTEGER PRIMARY KEY AUTOINCREMENT);
     INSERT INTO _cf_METADATA VALUES (1); CREATE VIEW _cf_v AS SELECT 1; CREATE INDEX _cf_i ON t (a);
     CREATE VIEW five AS SELECT a FROM (${union.slice(22)} SELECT 5); CREATE VIEW six AS ${union} SELECT 6;
     CREATE TRIGGER on_six INSTEAD OF INSERT ON six BEGIN SELECT 1; END;
     CREATE VIRTUAL TABLE old USING fts4(a); CREATE TABLE wide (c${Array.from({ length: 101 }).join(", c")}1);
     CREATE TRIGGER long AFTER INSERT ON t BEGIN SELECT '${"x".repeat(100_000)}'; END`.replaceAll(
      /, c(?=,)/g,
      (_, at) => `, c${at}`,
    ),
  );
  const { d1, object, warnings } = await imported(cloudflare, path);
  expect(warnings).toEqual([
    "_cf_KV: a name that begins with _cf_ is Cloudflare's own; it is left out",
    "old: D1 has no module fts4, so that it is left out",
    "wide: it has more than the 100 columns that D1 takes; it is left out",
    "_cf_v: a name that begins with _cf_ is Cloudflare's own; it is left out",
    "six: it puts together more than the 5 SELECTs that D1 takes; it is left out",
    "_cf_i: a name that begins with _cf_ is Cloudflare's own; it is left out",
    "on_six: it needs six, which is left out; so it is, too",
    "long: its SQL is longer than the 100000 bytes that D1 takes; it is left out",
  ]);
  const { "table t on t": t, "rows of t": rows, "view five on five": five } = await contents(fileAt(path));
  for (const place of [d1, object]) {
    expect(await contents(place)).toMatchObject({
      "table t on t": t,
      "rows of t": rows,
      "view five on five": five,
    });
  }
});
