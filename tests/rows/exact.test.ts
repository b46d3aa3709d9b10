// Backups of real local D1 databases and real Durable Objects are the database, cell by cell.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { contents, differences, fileAt } from "../peers/d1/place.ts";
import { tempFolder } from "../support/temp.ts";
import { type BackedUpPlace, Cloudflare } from "./cloudflare.ts";

const folder = tempFolder();
const cloudflare = new Cloudflare();
let files = 0;

/** Backs `place` up, and compares what was stored with what SQL sees there. */
async function expectExact(place: BackedUpPlace): Promise<string> {
  await place.backup();
  const path = join(process.env.KEEP ?? folder, `${files++}.sqlite3`);
  writeFileSync(path, await place.download());
  const db = new DatabaseSync(path, { readOnly: true });
  expect(db.prepare("PRAGMA integrity_check").all(), place.name).toEqual([{ integrity_check: "ok" }]);
  db.close();
  expect(differences(await contents(fileAt(path)), await contents(place)), place.name).toEqual([]);
  return path;
}

async function exact(...statements: string[]): Promise<void> {
  for (const place of cloudflare.both()) {
    if (statements.length > 0) await place.run(statements);
    await expectExact(place);
  }
}

test("an empty database", () => exact());

test("A10 B1 integers of 64 bits, as values, rowids and keys", () =>
  exact(
    "CREATE TABLE t (a, b INTEGER); CREATE INDEX i ON t (a, b DESC)",
    `INSERT INTO t VALUES (9007199254740993, 1), (-9007199254740993, 2), (9223372036854775807, -9223372036854775808),
     (1, 9007199254740991), (NULL, NULL)`,
    "CREATE TABLE id (id INTEGER PRIMARY KEY, x)",
    "INSERT INTO id VALUES (9223372036854775807, 'a'), (-9223372036854775808, 'b'), (9007199254740993, 'c')",
    "CREATE TABLE k (k INT, x, PRIMARY KEY (k DESC)) WITHOUT ROWID",
    "INSERT INTO k VALUES (9223372036854775807, 1), (9007199254740993, 2), (-5, 3)",
  ));

test("reals: whole ones, zeros of both signs, the smallest, the largest and infinite ones", () =>
  exact(
    "CREATE TABLE t (a, b REAL, c TEXT)",
    `INSERT INTO t (a, b) VALUES (1.0, 1.0), (-0.0, -0.0), (0.1, 4.9e-324), (9e999, -9e999), (1e15, 1.7976931348623157e308),
     (9007199254740993.0, 2.2250738585072011e-308), (5, 5), (9223372036854775808.0, -1e-320)`,
    "CREATE TABLE only_real (a)",
    "INSERT INTO only_real VALUES (1.0), (2.5), (NULL)",
    "CREATE INDEX i ON t (b, a)",
    "CREATE TABLE s (a ANY, b REAL) STRICT",
    "INSERT INTO s VALUES (-0.0, 2), (2.0, 2.5), (1e100, NULL)",
  ));

test("text with NUL, with a byte order mark, that is no UTF-8, and bytes that look like text", () =>
  exact(
    "CREATE TABLE t (a, b TEXT); CREATE INDEX i ON t (a)",
    `INSERT INTO t VALUES (CAST(X'610062' AS TEXT), CAST(X'efbbbf61' AS TEXT)), (CAST(X'ff61' AS TEXT), CAST(X'eda080' AS TEXT)),
     (X'6162', 'ab'), ('', X''), (CAST(X'00' AS TEXT), char(65533)), ('Ünï 😀', CAST(X'c0af' AS TEXT))`,
    "CREATE TABLE k (k TEXT COLLATE NOCASE PRIMARY KEY, v) WITHOUT ROWID",
    "INSERT INTO k VALUES ('b', 1), ('A', 2), ('c', 3), (CAST(X'ff' AS TEXT), 4)",
  ));

test("blobs, short and of up to 2,000,000 bytes, and text as long", () =>
  exact(
    "CREATE TABLE t (id INTEGER PRIMARY KEY, a BLOB)",
    "INSERT INTO t (a) VALUES (X''), (X'00ff'), (zeroblob(1999000)), (randomblob(1000000)), (randomblob(399999)), (NULL)",
    "CREATE TABLE l (a)",
    "INSERT INTO l VALUES (printf('%.*c', 1900000, 'x')), (randomblob(500000)), (7)",
  ));

test("tables without rowid, with composite keys, NULLs, duplicates, collations and both directions", () =>
  exact(
    `CREATE TABLE w (a TEXT COLLATE NOCASE, b INT, c, d REAL, PRIMARY KEY (b DESC, a, d)) WITHOUT ROWID;
     CREATE INDEX wi ON w (c, a COLLATE BINARY DESC); CREATE UNIQUE INDEX wu ON w (d, c, b)`,
    `INSERT INTO w VALUES ('x', 1, NULL, 1), ('X', 2, 'q', 2.5), ('y', 1, x'00', -1), ('', 0, 9007199254740993, 0)`,
    `CREATE TABLE u (a, b TEXT, c TEXT COLLATE RTRIM, UNIQUE (a, b), UNIQUE (c DESC)); CREATE INDEX ui ON u (b DESC, a, c)`,
    `INSERT INTO u VALUES (NULL, NULL, NULL), (NULL, NULL, NULL), (1, NULL, 'a '), ('1', 'B', 'b'), (1.5, 'b', ' c'), (x'31', 'a', '')`,
    "CREATE TABLE p (a PRIMARY KEY, b INTEGER)",
    "INSERT INTO p VALUES (NULL, 1), (NULL, 2), ('k', 3), (5, 4)",
    "CREATE TABLE descending (id INTEGER PRIMARY KEY DESC, x)",
    "INSERT INTO descending VALUES (3, 'c'), (1, 'a'), (2, 'b')",
    "CREATE TABLE twice (a, b, PRIMARY KEY (a, a COLLATE NOCASE, b, a)) WITHOUT ROWID",
    "INSERT INTO twice VALUES ('a', 1), ('A', 2)",
  ));

test("indexes of expressions, partial ones, and such with quotes and comments in their SQL", () =>
  exact(
    `CREATE TABLE t (a TEXT, "b,c" INT, "desc" REAL)`,
    `INSERT INTO t VALUES ('x, y', 2, 1), ('Z', -3, NULL), (NULL, NULL, 2.5), ('a''b', 9007199254740993, 0)`,
    `CREATE INDEX e ON t (lower(a) DESC, "b,c" + 1, /* ( */ substr(a, 1, 1) || ',' COLLATE NOCASE, abs("b,c") -- )
       ASC)`,
    `CREATE UNIQUE INDEX part ON t ("desc"DESC, "b,c") WHERE a IS NOT NULL AND a <> ') WHERE ('`,
    `CREATE INDEX json ON t (json_extract(a, '$.x')) WHERE json_valid(a)`,
    "CREATE INDEX [odd) name] ON t ([desc] desc, a)",
  ));

test("A10 B26 generated columns, STRICT, AUTOINCREMENT, views, triggers, and what ALTER TABLE leaves", () =>
  exact(
    `CREATE TABLE g (a INT, v AS (a * 2) VIRTUAL, s TEXT AS (a || 'x') STORED, b DEFAULT 7); CREATE INDEX gv ON g (v, s)`,
    "INSERT INTO g (a, b) VALUES (1, 'one'), (NULL, 2.5)",
    "ALTER TABLE g ADD COLUMN later DEFAULT 1.5",
    "ALTER TABLE g DROP COLUMN b",
    "CREATE TABLE n (id INTEGER PRIMARY KEY AUTOINCREMENT, x INT NOT NULL) STRICT",
    "INSERT INTO n (x) VALUES (1), (2), (3)",
    "DELETE FROM n WHERE id = 3",
    "CREATE VIEW v AS SELECT g.a, n.x FROM g, n",
    "CREATE TRIGGER put INSTEAD OF INSERT ON v BEGIN INSERT INTO n (x) VALUES (new.x); END",
    "CREATE TRIGGER log AFTER DELETE ON n BEGIN UPDATE g SET a = a + 1; END",
    "ANALYZE",
  ));

test("full-text and spatial indexes with their shadow tables", async () => {
  for (const place of cloudflare.both()) {
    await place.run([
      "CREATE VIRTUAL TABLE f USING fts5(title, body, tokenize = 'porter')",
      "INSERT INTO f VALUES ('one', 'running text'), ('two', 'other words')",
      "CREATE VIRTUAL TABLE r USING rtree(id, x0, x1, +note)",
      "INSERT INTO r VALUES (1, 0.5, 2.5, 'a'), (2, -3, 7, NULL)",
      "CREATE TABLE docs (id INTEGER PRIMARY KEY, text)",
      "INSERT INTO docs VALUES (1, 'external content')",
      "CREATE VIRTUAL TABLE e USING fts5(text, content = 'docs', content_rowid = 'id')",
      "INSERT INTO e (e) VALUES ('rebuild')",
      "CREATE VIRTUAL TABLE words USING fts5vocab(f, row)",
    ]);
    const db = new DatabaseSync(await expectExact(place));
    expect(db.prepare("SELECT title FROM f WHERE f MATCH 'run'").all()).toEqual([{ title: "one" }]);
    expect(db.prepare("SELECT rowid FROM e WHERE e MATCH 'external'").all()).toEqual([{ rowid: 1 }]);
    expect(db.prepare("SELECT note FROM r WHERE x0 < 0").all()).toEqual([{ note: null }]);
    db.exec("INSERT INTO f (f) VALUES ('integrity-check')");
    db.close();
  }
});

test("odd names, and columns that are called as the rowid is", () =>
  exact(
    `CREATE TABLE "E""E; --" ("select" INT, "it's" TEXT, [x y], "new\nline", \`back\`); CREATE INDEX "i'" ON "E""E; --" ("it's")`,
    `INSERT INTO "E""E; --" VALUES (1, 'a', NULL, x'', 2.0)`,
    "CREATE TABLE r1 (rowid TEXT, a); CREATE INDEX r1i ON r1 (rowid)",
    "INSERT INTO r1 (_rowid_, rowid, a) VALUES (7, 'x', 1), (3, 'y', 2)",
    "CREATE TABLE r2 (RowId, _ROWID_ INTEGER PRIMARY KEY, oid)",
    "INSERT INTO r2 VALUES ('a', 5, 'b'), ('c', -2, 'd')",
    "CREATE TABLE Ünï (ä, Ä)",
    "INSERT INTO Ünï VALUES (1, 2)",
  ));

test("a table whose rowid no SQL can tell is refused by its name", async () => {
  for (const place of cloudflare.both()) {
    await place.run(["CREATE TABLE shadowed (rowid, _rowid_, oid)", "INSERT INTO shadowed VALUES (1, 2, 3)"]);
    await expect(place.backup()).rejects.toMatchObject({
      code: "SOURCE_UNREADABLE",
      message: expect.stringContaining('"shadowed"'),
    });
  }
});

test("100 columns, of any type, and an index of all of them", () => {
  const names = Array.from({ length: 100 }, (_, at) => `c${at}`);
  const values = (seed: number) =>
    names.map((_, at) => ["1.0", "'t'", "x'00'", "NULL", "9007199254740993"][(at + seed) % 5]).join();
  return exact(
    `CREATE TABLE wide (${names}); CREATE INDEX all_of_it ON wide (${names.slice(1)})`,
    `INSERT INTO wide VALUES (${values(0)}), (${values(1)}), (${values(2)})`,
  );
});
