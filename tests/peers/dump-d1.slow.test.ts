// SQL for D1, in a real local D1, a real Durable Object and the sqlite3 shell: a case for every defect of D1's own
// export that `d1-wire.md` (section 3) lists. Each shows first that ours is right, and then what D1's own export makes
// of the same rows today. Where that half of a test fails, D1 was mended: it can go.
import { expect, test } from "vitest";
import { tempFolder } from "../support/temp.ts";
import { Cloudflare } from "./d1/cloudflare.ts";
import { databaseOf, golden, imported, throughTheirs } from "./d1/golden.ts";
import { fileAt } from "./d1/place.ts";

const folder = tempFolder();
const cloudflare = new Cloudflare();
const taken = (sql: string) => golden(cloudflare, folder, sql);

test("D15 a child made before its parent", async () => {
  const { d1 } = await taken(
    `CREATE TABLE child (id INTEGER PRIMARY KEY, p INTEGER REFERENCES parent);
     CREATE TABLE parent (id INTEGER PRIMARY KEY, name TEXT);
     INSERT INTO parent VALUES (1, 'one'); INSERT INTO child VALUES (5, 1)`,
  );
  await expect(throughTheirs(cloudflare, d1)).rejects.toThrow("no such table: main.parent");
});

test("D15 tables that refer to each other, to themselves, and to what only an index makes a key", async () => {
  const { d1 } = await taken(
    `CREATE TABLE hen (id INTEGER PRIMARY KEY, e REFERENCES egg ON DELETE CASCADE);
     CREATE TABLE egg (id INTEGER PRIMARY KEY, h REFERENCES hen ON DELETE CASCADE);
     CREATE TABLE tree (id INTEGER PRIMARY KEY, up REFERENCES tree, code TEXT REFERENCES codes (code));
     CREATE TABLE codes (code TEXT); CREATE UNIQUE INDEX by_code ON codes (code);
     INSERT INTO hen VALUES (1, 2); INSERT INTO egg VALUES (2, 1);
     INSERT INTO codes VALUES ('x'); INSERT INTO tree VALUES (1, 2, 'x'), (2, 1, NULL)`,
  );
  await expect(throughTheirs(cloudflare, d1)).rejects.toThrow("no such table: main.egg");
});

test("D15 an INSTEAD OF trigger of a view", async () => {
  const { d1, object } = await taken(
    `CREATE TABLE t (a); CREATE VIEW v AS SELECT a FROM t;
     CREATE TRIGGER put INSTEAD OF INSERT ON v BEGIN INSERT INTO t VALUES (new.a || ';'); END;
     INSERT INTO v VALUES ('x')`,
  );
  await expect(throughTheirs(cloudflare, d1)).rejects.toThrow("no such table: main.v");
  for (const place of [d1, object]) {
    await place.run(["INSERT INTO v VALUES ('y')"]);
    expect(await place.rows("SELECT a FROM t")).toEqual([["x;"], ["y;"]]);
  }
});

test("D15 text with a backslash and an n, beside a real newline", async () => {
  const { d1 } = await taken(
    String.raw`CREATE TABLE t (a TEXT); INSERT INTO t VALUES
      ('C:\new' || char(10) || 'line'), ('\r' || char(13) || '\015' || char(13, 10) || '\012'), ('\n')`,
  );
  const theirs = await throughTheirs(cloudflare, d1);
  expect(await theirs.rows("SELECT a FROM t WHERE rowid = 1")).toEqual([["C:\new\nline"]]);
});

test("D15 integers of 64 bits", async () => {
  const { d1 } = await taken(
    `CREATE TABLE t (a); CREATE TABLE id (id INTEGER PRIMARY KEY); CREATE TABLE strict (a INT) STRICT;
     INSERT INTO t VALUES (9007199254740993), (-9007199254740993), (9223372036854775807), (-9223372036854775808);
     INSERT INTO id VALUES (9223372036854775807), (-9223372036854775808); INSERT INTO strict VALUES (-9223372036854775807)`,
  );
  const theirs = await throughTheirs(cloudflare, d1, { tables: ["t"] });
  const altered = await theirs.rows("SELECT iif(typeof(a) = 'integer', CAST(a AS TEXT), typeof(a)) FROM t");
  expect(altered.flat()).toEqual(["9007199254740992", "-9007199254740992", "real", "real"]);
  for (const table of ["id", "strict"]) {
    const refused = /datatype mismatch|cannot store REAL value in INT column/;
    await expect(throughTheirs(cloudflare, d1, { tables: [table] })).rejects.toThrow(refused);
  }
});

test("C14 whole and negative zero reals in columns that keep any type", async () => {
  const { d1 } = await taken(
    `CREATE TABLE t (a, b REAL); CREATE TABLE strict (a ANY) STRICT; INSERT INTO strict VALUES (-0.0), (2.0), (1e100);
     INSERT INTO t VALUES (1.0, 1.0), (-0.0, -0.0), (0.1, 4.9e-324), (9e999, -9e999), (1e15, 1.7976931348623157e308),
       (9007199254740993.0, 2.2250738585072011e-308), (9223372036854775808.0, -1e-320)`,
  );
  const theirs = await throughTheirs(cloudflare, d1);
  expect(await theirs.rows("SELECT typeof(a), CAST(a AS TEXT) FROM t WHERE abs(a) <= 1")).toEqual([
    ["integer", "1"],
    ["integer", "0"],
    ["real", "0.1"],
  ]);
  expect(await theirs.rows("SELECT typeof(a) FROM strict")).toEqual([["integer"], ["integer"], ["real"]]);
});

test("C14 text with a NUL", async () => {
  const { d1 } = await taken(
    `CREATE TABLE t (a TEXT, b); INSERT INTO t VALUES ('a' || char(0) || 'b', 1), (char(0), '''' || char(0, 10, 13))`,
  );
  await expect(throughTheirs(cloudflare, d1)).rejects.toThrow("unrecognized token");
});

test("C14 text that is not UTF-8", async () => {
  const { d1 } = await taken(
    `CREATE TABLE t (a TEXT); INSERT INTO t VALUES
       (CAST(X'61ff62' AS TEXT)), (CAST(X'eda080' AS TEXT)), (CAST(X'c3' AS TEXT)), (CAST(X'f4908080' AS TEXT))`,
  );
  const theirs = await throughTheirs(cloudflare, d1);
  expect(await theirs.rows("SELECT hex(a) FROM t WHERE rowid IN (1, 3)")).toEqual([
    ["61EFBFBD62"],
    ["EFBFBD"],
  ]);
});

test("B24 rows of more than 100,000 bytes, up to 2,000,000", async () => {
  const { d1 } = await taken(
    `CREATE TABLE text (a TEXT, b); CREATE TABLE blob (id TEXT PRIMARY KEY, a BLOB, b REAL) WITHOUT ROWID;
     INSERT INTO text VALUES (replace(hex(zeroblob(60000)), '00', 'aé'), 1), (hex(zeroblob(950000)), -0.0), ('short', 5);
     INSERT INTO blob VALUES ('x', randomblob(60000), 1), ('y', randomblob(1999980), 2), ('z', zeroblob(99990), 3)`,
  );
  for (const table of ["text", "blob"]) {
    const theirs = throughTheirs(cloudflare, d1, { tables: [table] });
    await expect(theirs).rejects.toThrow("statement too long: SQLITE_TOOBIG");
  }
});

test("B24 text of fewer bytes that escapes make longer", async () => {
  const { d1 } = await taken(
    `CREATE TABLE t (a TEXT); CREATE TABLE quotes (a TEXT);
     INSERT INTO t VALUES (replace(hex(zeroblob(30000)), '00', char(13, 10)));
     INSERT INTO quotes VALUES (replace(hex(zeroblob(90000)), '00', ''''))`,
  );
  for (const table of ["t", "quotes"]) {
    const theirs = throughTheirs(cloudflare, d1, { tables: [table] });
    await expect(theirs).rejects.toThrow("statement too long: SQLITE_TOOBIG");
  }
});

test("C14 rowids of tables without an INTEGER PRIMARY KEY", async () => {
  const { d1 } = await taken(
    `CREATE TABLE t (a TEXT); INSERT INTO t (rowid, a) VALUES (-7, 'a'), (3, 'b'), (1 << 60, 'c');
     CREATE TABLE u (rowid, "OID" TEXT); INSERT INTO u (_rowid_, rowid, oid) VALUES (9, 'x', 'y')`,
  );
  const theirs = await throughTheirs(cloudflare, d1, { tables: ["t"] });
  expect(await theirs.rows("SELECT rowid, a FROM t")).toEqual([
    [1, "a"],
    [2, "b"],
    [3, "c"],
  ]);
});

test("C14 text that D1 itself takes for a number is a warning", async () => {
  // SQLite 3.54, not 3.40, goes by what stands before the NUL where a column prefers numbers: no SQL helps.
  const path = databaseOf(folder, "CREATE TABLE t (a NUMERIC); INSERT INTO t VALUES ('1' || char(0) || 'x')");
  expect(await fileAt(path).rows("SELECT typeof(a) FROM t")).toEqual([["text"]]);
  const { d1, warnings } = await imported(cloudflare, path);
  expect(warnings).toEqual([
    "t: a value is not of its column's type, which will change it when it is inserted (1 times)",
  ]);
  expect(await d1.rows("SELECT typeof(a), a FROM t")).toEqual([["integer", 1]]);
});
