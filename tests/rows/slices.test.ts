// Databases that are read slice by slice: a slice has a few rows here, so that small databases have many.
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

async function expectExact(place: BackedUpPlace, sliceBytes: number): Promise<void> {
  const path = join(folder, `${files++}.sqlite3`);
  writeFileSync(path, await place.pages({ sliceBytes }));
  const db = new DatabaseSync(path, { readOnly: true });
  expect(db.prepare("PRAGMA integrity_check").all(), place.name).toEqual([{ integrity_check: "ok" }]);
  db.close();
  expect(differences(await contents(fileAt(path)), await contents(place)), place.name).toEqual([]);
}

const both = async (statements: string[], sliceBytes: number) => {
  for (const place of cloudflare.both()) {
    await place.run(statements);
    await expectExact(place, sliceBytes);
  }
};
const numbers = (most: number) =>
  `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${most})`;

test("a table of many rows and its indexes, with NULLs and duplicates in each part of a key", () =>
  both(
    [
      "CREATE TABLE t (a, b TEXT COLLATE NOCASE, c REAL)",
      `${numbers(600)} INSERT INTO t SELECT nullif(i % 5, 0), CASE i % 7 WHEN 0 THEN NULL WHEN 1 THEN 'x' WHEN 2 THEN 'X' ELSE 'y' || i END, nullif(i % 3, 1) / 2.0 FROM n`,
      "CREATE INDEX i1 ON t (a, b)",
      "CREATE INDEX i2 ON t (b DESC, a, c DESC)",
      "CREATE INDEX i3 ON t (a DESC)",
      "CREATE INDEX i4 ON t (c, b COLLATE BINARY DESC, a) WHERE a IS NOT NULL",
      "CREATE INDEX i5 ON t (a + 1, lower(b) DESC)",
    ],
    400,
  ));

test("a key of many parts", () =>
  both(
    [
      "CREATE TABLE t (a, b, c, d, e, f, g, h, v, PRIMARY KEY (a, b DESC, c, d DESC, e, f, g, h)) WITHOUT ROWID",
      `${numbers(300)} INSERT INTO t SELECT i % 2, i % 3, i % 5 / 2.0, 'x' || i % 2, i % 7, x'00', i, -i, NULL FROM n`,
    ],
    300,
  ));

test("keys of 100 columns, which is more than one condition can say of each, and an index of as many", () => {
  const columns = Array.from({ length: 100 }, (_, at) => `c${at}`);
  const values = columns.map((_, at) => {
    if (at < 10) return `i % ${at + 1}`;
    return ["'x'", "nullif(i % 2, 0)", "i / 8.0", "x'00'", "-i"][at % 5];
  });
  return both(
    [
      `CREATE TABLE t (${columns}, PRIMARY KEY (${columns}))`,
      `CREATE TABLE w (${columns}, PRIMARY KEY (${columns.map((name, at) => (at % 3 ? name : `${name} DESC`))})) WITHOUT ROWID`,
      `${numbers(40)} INSERT INTO t SELECT ${values} FROM n`,
      // Equal in all columns but the rowid.
      `INSERT INTO t SELECT NULL, ${columns.slice(1)} FROM t`,
      `INSERT INTO t SELECT NULL, ${columns.slice(1)} FROM t LIMIT 20`,
      `${numbers(40)} INSERT INTO w SELECT ${values.map((value) => `ifnull(${value}, 'none')`)} FROM n`,
    ],
    3000,
  );
});

test("names of which a statement has no room for all", async () => {
  const [table, column] = ["t".repeat(900), (at: number) => `"${"c".repeat(900)}${at}"`];
  const columns = Array.from({ length: 60 }, (_, at) => column(at));
  const values = columns.map((_, at) => at);
  for (const place of cloudflare.both()) {
    await place.run([`CREATE TABLE ${table} (${columns})`, `INSERT INTO ${table} VALUES (${values})`]);
    const path = join(folder, `${files++}.sqlite3`);
    writeFileSync(path, await place.pages({ sliceBytes: 100 }));
    const db = new DatabaseSync(path, { readOnly: true });
    expect(Object.values(db.prepare(`SELECT * FROM ${table}`).get() ?? {})).toEqual(values);
    db.close();
  }
});

test("keys of mixed types, beyond 2^53, infinite, with NUL and not UTF-8", () =>
  both(
    [
      "CREATE TABLE t (k, v); CREATE INDEX i ON t (k, v DESC)",
      `${numbers(90)} INSERT INTO t SELECT CASE i % 9 WHEN 0 THEN 9007199254740993 + i WHEN 1 THEN i / 3.0 WHEN 2 THEN CAST(x'ff' || i AS TEXT)
        WHEN 3 THEN 'a' || char(0) || i WHEN 4 THEN randomblob(4) WHEN 5 THEN 9e999 WHEN 6 THEN -9e999 WHEN 7 THEN '12' ELSE 12 END, nullif(i % 4, 0) FROM n`,
    ],
    100,
  ));

test("the least and the largest integer among reals", () =>
  both(
    [
      "CREATE TABLE t (a, b INTEGER)",
      "INSERT INTO t VALUES (-9223372036854775808, 9223372036854775807), (-0.0, -9223372036854775808), (2.5, 9e999)",
    ],
    50,
  ));

test("rowids far from each other, below zero and beyond 2^53", () =>
  both(
    [
      "CREATE TABLE t (id INTEGER PRIMARY KEY, x)",
      `${numbers(200)} INSERT INTO t SELECT (i - 100) * 92233720368547000 + i, i FROM n`,
    ],
    200,
  ));

test("a few rows that are long among many that are not", () =>
  both(
    [
      "CREATE TABLE t (id INTEGER PRIMARY KEY, x)",
      `${numbers(400)} INSERT INTO t SELECT i, iif(i % 100 = 0, printf('%.*c', 300000, 'y'), 'short') FROM n`,
      "INSERT INTO t (x) VALUES (randomblob(1500000)), (zeroblob(600000))",
    ],
    2000,
  ));

test("text with what stands for bytes that are no UTF-8, first seen far into a table", () =>
  both(
    [
      "CREATE TABLE t (x TEXT)",
      `${numbers(300)} INSERT INTO t SELECT iif(i < 250, 'fine ' || i, CAST(x'61ff' AS TEXT) || i) FROM n`,
    ],
    500,
  ));
