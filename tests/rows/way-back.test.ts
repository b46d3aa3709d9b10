// From a backup or a file into D1 and into a Durable Object.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { contents, differences, fileAt } from "../peers/d1/place.ts";
import { tempFolder } from "../support/temp.ts";
import { type BackedUpPlace, Cloudflare } from "./cloudflare.ts";

const folder = tempFolder();
const cloudflare = new Cloudflare();
let files = 0;

const SHOP = [
  "CREATE TABLE customers (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE)",
  "CREATE TABLE orders (id INTEGER PRIMARY KEY, customer REFERENCES customers ON DELETE CASCADE, total REAL, note BLOB)",
  "CREATE INDEX by_customer ON orders (customer, total DESC)",
  "CREATE VIEW totals AS SELECT customer, sum(total) AS total FROM orders GROUP BY customer",
  "CREATE TRIGGER paid AFTER INSERT ON orders BEGIN UPDATE customers SET name = name || '!' WHERE id = new.customer; END",
  "CREATE VIRTUAL TABLE words USING fts5(text)",
  `CREATE TABLE "it's" (k, v, PRIMARY KEY (k, v)) WITHOUT ROWID`,
  `INSERT INTO "it's" VALUES ('a', 1), ('b', 2), ('c', 3)`,
  "INSERT INTO customers (name) VALUES ('Ada'), ('Grace')",
  "INSERT INTO orders VALUES (1, 1, 2.0, x'00ff'), (9007199254740993, 2, 9e999, NULL)",
  "INSERT INTO words VALUES ('lovely spam')",
];

async function expectSame(one: BackedUpPlace, other: BackedUpPlace): Promise<void> {
  expect(differences(await contents(other), await contents(one)), other.name).toEqual([]);
}

/** A database file of this SQL. */
function fileOf(...statements: string[]): Uint8Array {
  const path = join(folder, `${files++}.db`);
  const db = new DatabaseSync(path);
  for (const sql of statements) db.exec(sql);
  db.close();
  return readFileSync(path);
}

test("A11 A14 B2 a backup of one is restored into the other, and the other way", async () => {
  for (const from of cloudflare.both()) {
    await from.run(SHOP);
    await from.backup();
    for (const to of cloudflare.both()) {
      const restored = await to.restore(from);
      expect(restored).not.toHaveProperty("undo");
      expect(restored.verified).toContainEqual(expect.objectContaining({ name: "it's", rows: 3 }));
      await expectSame(from, to);
    }
  }
});

test("A11 A12 A13 a restore over what is there can be undone", async () => {
  for (const place of cloudflare.both()) {
    await place.run(SHOP);
    const { bookmark } = await place.backup();
    await place.run([
      "DROP VIEW totals",
      "CREATE TABLE newer (id INTEGER PRIMARY KEY, o REFERENCES orders)",
      "INSERT INTO newer VALUES (1, 1)",
      "UPDATE customers SET name = 'Eve' WHERE id = 1",
    ]);
    const later = await contents(place);
    const { undo, backup } = await place.restore(place, { at: bookmark });
    expect(backup?.bookmark).toBe(bookmark);
    expect(await place.rows("SELECT name FROM customers WHERE id = 1")).toEqual([["Ada!"]]);
    await expect(place.rows("SELECT 1 FROM newer")).rejects.toThrow("no such table");
    await place.restore(place, { at: undo as string });
    expect(differences(await contents(place), later)).toEqual([]);
  }
});

test("a full-text table that leaves a table behind when it is dropped is restored over itself", async () => {
  for (const place of cloudflare.both()) {
    await place.run([
      "CREATE VIRTUAL TABLE half USING fts5(b, c UNINDEXED, content = '', contentless_unindexed = 1)",
      "INSERT INTO half (rowid, b, c) VALUES (1, 'alpha', 'kept')",
      "CREATE TABLE t (a)",
      "INSERT INTO t VALUES (1)",
    ]);
    await place.backup();
    await place.restore(place, {});
    await place.restore(place, { tables: ["half"] });
    await place.run(["DROP TABLE half"]);
    await place.restore(place, {});
    expect(await place.rows("SELECT a FROM t")).toEqual([[1]]);
    expect(await place.rows("SELECT name FROM sqlite_schema WHERE name LIKE 'pagemark%'")).toEqual([]);
  }
});

test("A15 a file is imported into an empty database, and over another only if that is said", async () => {
  const file = fileOf(...SHOP);
  const path = join(folder, `${files - 1}.db`);
  for (const place of cloudflare.both()) {
    await place.import(file);
    expect(differences(await contents(place), await contents(fileAt(path)))).toEqual([]);
    await expect(place.import(file)).rejects.toMatchObject({ code: "SOURCE_NOT_EMPTY" });
    await place.import(fileOf("CREATE TABLE other (a)"), { replace: true });
    // What counts AUTOINCREMENT cannot be dropped.
    const left = Object.keys(await contents(place)).filter((name) => !name.includes("sqlite_sequence"));
    expect(left).toEqual(["table other on other", "rows of other"]);
  }
});

test("A15 rows of 100 columns besides their rowid, and a spatial index with nothing else, are given back", async () => {
  const values = Array.from({ length: 100 }, (_, at) => ["1.0", "'t'", "x'00'", "NULL"][at % 4]);
  const wide = [
    `CREATE TABLE wide (${values.map((_, at) => `c${at}`)})`,
    `INSERT INTO wide VALUES (${values}), (${values.toReversed()})`,
  ];
  const boxes = [
    "CREATE VIRTUAL TABLE boxes USING rtree(id, x0, x1)",
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300) INSERT INTO boxes SELECT i * 7 % 307, i / 3, i FROM n",
  ];
  for (const statements of [wide, boxes]) {
    const file = fileOf(...statements);
    const expected = await contents(fileAt(join(folder, `${files - 1}.db`)));
    for (const place of cloudflare.both()) {
      await place.import(file);
      expect(differences(await contents(place), expected), place.name).toEqual([]);
    }
  }
});

test("an import that ends early says so, refuses backups, and goes on where it was", async () => {
  const file = fileOf(
    "CREATE TABLE t (id INTEGER PRIMARY KEY, x)",
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 850) INSERT INTO t SELECT i, hex(randomblob(2000)) FROM n",
    "CREATE INDEX i ON t (x)",
  );
  const sums = "SELECT count(*), sum(id), sum(length(x)), min(x), max(x) FROM t";
  const expected = await fileAt(join(folder, `${files - 1}.db`)).rows(sums);
  for (const place of cloudflare.both()) {
    await expect(place.import(file, { failAt: 2 })).rejects.toThrow("the network is gone");
    await expect(place.backup()).rejects.toMatchObject({ code: "SOURCE_HALF_LOADED" });
    const [[before]] = (await place.rows("SELECT count(*) FROM t")) as [[number]];
    expect(before).toBeGreaterThan(0);
    await expect(place.import(fileOf("CREATE TABLE u (a)"))).rejects.toMatchObject({
      code: "SOURCE_HALF_LOADED",
    });
    await place.import(file);
    expect(await place.rows(sums)).toEqual(expected);
    expect(await place.rows("SELECT name FROM sqlite_schema WHERE name NOT LIKE '#_%' ESCAPE '#'")).toEqual([
      ["t"],
      ["i"],
    ]);
    await place.backup();
  }
});
