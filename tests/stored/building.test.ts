// Rows go into wasm in batches and come out as pages; SQLite itself says what the file holds.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import "pagemark";
import { expect, test } from "vitest";
import {
  type BuiltObject,
  type BuiltShape,
  type PagesOut,
  pageBuilder,
  RowBatch,
} from "../../js/dist/core/index.js";
import { tempFolder } from "../support/temp.ts";

const folder = tempFolder();
let files = 0;

const table = (name: string, sql: string): BuiltObject => ({
  type: "table",
  name,
  table: name,
  sql,
  hasTree: true,
});

/** The pages that came, where they belong. */
class File {
  bytes: Uint8Array;

  /** Those that do not come are the pages of the database before. */
  constructor(before: Uint8Array = new Uint8Array()) {
    this.bytes = before.slice();
  }

  put({ runs, bytes }: PagesOut, pageSize: number): void {
    let at = 0;
    for (const { first, count } of runs) {
      const start = (first - 1) * pageSize;
      const end = start + count * pageSize;
      if (this.bytes.length < end) {
        const larger = new Uint8Array(end);
        larger.set(this.bytes);
        this.bytes = larger;
      }
      this.bytes.set(bytes.subarray(at, at + count * pageSize), start);
      at += count * pageSize;
    }
    expect(at).toBe(bytes.length);
  }

  open(): DatabaseSync {
    const path = join(folder, `${files++}.db`);
    writeFileSync(path, this.bytes);
    const db = new DatabaseSync(path);
    expect(db.prepare("PRAGMA integrity_check").all()).toEqual([{ integrity_check: "ok" }]);
    return db;
  }
}

/** A table `t (id INTEGER PRIMARY KEY, a, r REAL)` with an index on a, of rows in the order of their ids. */
async function built(rows: readonly [number, number][], shape: BuiltShape = {}, previous?: Uint8Array) {
  const { pageSize = 4096 } = shape;
  const builder = await pageBuilder(
    shape,
    [
      table("t", "CREATE TABLE t (id INTEGER PRIMARY KEY, a, r REAL)"),
      { type: "index", name: "i", table: "t", sql: "CREATE INDEX i ON t (a)", hasTree: true },
      { type: "view", name: "v", table: "v", sql: "CREATE VIEW v AS SELECT a FROM t", hasTree: false },
    ],
    previous && new Blob([previous as Uint8Array<ArrayBuffer>]).stream(),
  );
  const file = new File(previous as Uint8Array<ArrayBuffer> | undefined);
  const batch = new RowBatch();
  builder.begin(0, "table", ["rowid", "value", "real"]);
  for (const [id, a] of rows) {
    batch.rowid(id);
    batch.integer(a);
    batch.real(a / 2);
    if (batch.isFull) file.put(builder.add(batch), pageSize);
  }
  file.put(builder.add(batch), pageSize);
  file.put(builder.end(), pageSize);
  builder.begin(1, "index", ["value", "value"]);
  for (const [id, a] of rows.toSorted(([, a], [, b]) => a - b)) {
    batch.integer(a);
    batch.integer(id);
    if (batch.isFull) file.put(builder.add(batch), pageSize);
  }
  file.put(builder.add(batch), pageSize);
  file.put(builder.end(), pageSize);
  const end = builder.finish();
  file.put(end, pageSize);
  builder.free();
  expect(file.bytes.length).toBeGreaterThanOrEqual(end.pageCount * pageSize);
  file.bytes = file.bytes.slice(0, end.pageCount * pageSize);
  return file;
}

test("a table, its index and a view are a database of SQLite", async () => {
  const rows = Array.from({ length: 30_000 }, (_, n): [number, number] => [n + 1, (n * 7919) % 30_011]);
  const file = await built(rows, { pageSize: 1024, userVersion: 7, applicationId: 0xfedcba98 });
  const db = file.open();
  const one = (sql: string) => Object.values(db.prepare(sql).get() ?? {});
  expect(one("SELECT count(*), sum(id), sum(a) = sum(r) * 2, typeof(r) FROM t")).toEqual([
    30_000,
    450_015_000,
    1,
    "real",
  ]);
  expect(one("SELECT id FROM t INDEXED BY i WHERE a = 7919")).toEqual([2]);
  expect([...one("PRAGMA user_version"), ...one("PRAGMA application_id")]).toEqual([7, 0xfedcba98 | 0]);
  db.exec("INSERT INTO t (a) VALUES (1); DELETE FROM t WHERE id % 3 = 0");
  expect(one("PRAGMA integrity_check")).toEqual(["ok"]);
  db.close();
});

test("values of every kind come back, whether as numbers, as bigints, as texts or in pieces", async () => {
  const long = "ä".repeat(300_000);
  const bytes = new TextEncoder().encode(long);
  const cases: [(batch: RowBatch) => void, SQLInputValue][] = [
    [(batch) => batch.null(), null],
    ...[
      0,
      1,
      -1,
      127,
      -32_769,
      2 ** 31,
      -(2 ** 31) - 1,
      Number.MAX_SAFE_INTEGER,
      Number.MIN_SAFE_INTEGER,
    ].map((value): [(batch: RowBatch) => void, SQLInputValue] => [
      (batch) => batch.integer(value),
      BigInt(value),
    ]),
    [(batch) => batch.integer(-(2n ** 63n)), -(2n ** 63n)],
    [(batch) => batch.integer(2n ** 63n - 1n), 2n ** 63n - 1n],
    [(batch) => batch.real(0.1), 0.1],
    [(batch) => batch.real(1), 1],
    [(batch) => batch.text(""), ""],
    [(batch) => batch.text("short"), "short"],
    [(batch) => batch.text("ünïcödé 😀"), "ünïcödé 😀"],
    [(batch) => batch.text("x".repeat(100_000)), "x".repeat(100_000)],
    [(batch) => batch.text(long), long],
    [(batch) => batch.textBytes(bytes), long],
    [(batch) => batch.blob(new Uint8Array(5000).fill(7)), new Uint8Array(5000).fill(7)],
    [(batch) => batch.longText(bytes.length), long],
    [(batch) => batch.longBlob(bytes.length), bytes],
  ];
  const builder = await pageBuilder({}, [table("t", "CREATE TABLE t (a)")]);
  const file = new File();
  const batch = new RowBatch();
  builder.begin(0, "table", ["value"]);
  for (const [index, [add]] of cases.entries()) {
    batch.rowid(index % 2 === 0 ? index : BigInt(index));
    add(batch);
    file.put(builder.add(batch), 4096);
    if (!/\.long/.test(String(add))) continue;
    for (let at = 0; at < bytes.length; at += 70_001)
      file.put(builder.piece(bytes.subarray(at, at + 70_001)), 4096);
  }
  file.put(builder.end(), 4096);
  file.put(builder.finish(), 4096);
  const statement = file.open().prepare("SELECT a, typeof(a) AS type FROM t ORDER BY rowid");
  statement.setReadBigInts(true);
  const values = statement.all();
  expect(values.map(({ a }) => a)).toEqual(cases.map(([, value]) => value));
  expect(values.filter(({ type }) => type === "real")).toHaveLength(2);
});

test("rowids of every size come back, and those that do not ascend are an error that names them", async () => {
  const rowids = [
    -(2n ** 63n),
    -(2 ** 32) - 1,
    -1,
    0,
    2 ** 31,
    2 ** 40 + 5,
    Number.MAX_SAFE_INTEGER,
    2n ** 63n - 1n,
  ];
  const builder = await pageBuilder({}, [table("t", "CREATE TABLE t (id INTEGER PRIMARY KEY)")]);
  const file = new File();
  const batch = new RowBatch();
  builder.begin(0, "table", ["rowid"]);
  for (const rowid of rowids) batch.rowid(rowid);
  file.put(builder.add(batch), 4096);
  file.put(builder.end(), 4096);
  file.put(builder.finish(), 4096);
  const statement = file.open().prepare("SELECT id FROM t ORDER BY id");
  statement.setReadBigInts(true);
  expect(statement.all().map(({ id }) => id)).toEqual(rowids.map(BigInt));

  const other = await pageBuilder({}, [table("t", "CREATE TABLE t (id INTEGER PRIMARY KEY)")]);
  other.begin(0, "table", ["rowid"]);
  batch.rowid(-3);
  batch.rowid(-3);
  const error = (() => {
    try {
      return other.add(batch);
    } catch (error) {
      return error;
    }
  })();
  expect(error).toMatchObject({ name: "PagemarkError", code: "BUILD_ORDER", at: { row: "-3" } });
  expect(() => other.finish()).toThrowError(expect.objectContaining({ code: "USAGE" }));
});

test("a row more changes a few pages of the database that was built before", async () => {
  const rows = Array.from({ length: 50_000 }, (_, n): [number, number] => [2 * n, (n * 7919) % 50_021]);
  const before = await built(rows);
  const isSame = (file: File) => Buffer.from(file.bytes).equals(before.bytes);
  expect([isSame(await built(rows)), isSame(await built(rows, {}, before.bytes))]).toEqual([true, true]);
  const more = rows.toSpliced(25_000, 0, [49_999, 60_000]).toSpliced(100, 1);
  const after = await built(more, {}, before.bytes);
  after.open().close();
  const changed = (file: Uint8Array) => {
    let count = 0;
    for (let at = 0; at < file.length; at += 4096) {
      const page = (bytes: Uint8Array) => Buffer.from(bytes.subarray(at, at + 4096));
      count += Number(!page(file).equals(page(before.bytes)));
    }
    return count;
  };
  expect(changed(after.bytes)).toBeLessThan(12);
  // Without it, all that is behind a row more moves.
  expect(changed((await built(rows.toSpliced(100, 0, [199, 1]))).bytes)).toBeGreaterThan(100);
});
