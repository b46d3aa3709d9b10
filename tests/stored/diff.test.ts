// What happened between two backups, beside SQLite's own comparison of the two states.
import { DatabaseSync } from "node:sqlite";
import { file, type GetOptions, memoryStore, pagemark, type TableDifference } from "pagemark";
import { expect, test } from "vitest";
import { tempFolder } from "../support/temp.ts";

const TABLES = `CREATE TABLE t (id INTEGER PRIMARY KEY, x); CREATE INDEX by_x ON t (x);
  CREATE TABLE k (x PRIMARY KEY, y) WITHOUT ROWID; CREATE TABLE still (id INTEGER PRIMARY KEY, a);
  WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) INSERT INTO t SELECT i, hex(randomblob(150)) FROM n;
  INSERT INTO k SELECT id * 7, x FROM t WHERE id < 500; INSERT INTO still SELECT id, x FROM t`;

/** A database of some 20 MB with a backup, and whatever SQL and backups follow. */
async function backedUp() {
  const path = `${tempFolder()}/app.db`;
  const sql = new DatabaseSync(path);
  sql.exec(TABLES);
  const counts = { bytes: 0 };
  const store = memoryStore();
  const get = store.get.bind(store);
  const count = (chunk: Uint8Array, to: TransformStreamDefaultController) => {
    counts.bytes += chunk.length;
    to.enqueue(chunk);
  };
  store.get = async (key: string, options?: GetOptions) =>
    (await get(key, options)).pipeThrough(new TransformStream({ transform: count }));
  const db = pagemark(file(path), { name: "app", store });
  const { txid: first } = await db.backup();
  const after = async (statements: string, options = {}) => {
    sql.exec(statements);
    return (await db.backup(options)).txid;
  };
  return { db, first, after, counts };
}

const changedOnes = (tables: TableDifference[]) => tables.filter(({ change }) => change !== "unchanged");

test("rows added, removed and updated, tables added and removed, and the same the other way round", async () => {
  const { db, first, after, counts } = await backedUp();
  const second =
    await after(`DELETE FROM t WHERE id IN (5, 9000); INSERT INTO t VALUES (30001, 'new'); UPDATE t SET x = 'other' WHERE id = 77;
    UPDATE k SET y = 1 WHERE x = 14; CREATE TABLE fresh (a); INSERT INTO fresh VALUES (1)`);
  counts.bytes = 0;
  const { from, to, tables } = await db.diff(first, second);
  expect([from.txid, to.txid]).toEqual([first, second]);
  expect(changedOnes(tables)).toEqual([
    { name: "fresh", change: "added", rows: null, redefined: false },
    { name: "t", change: "changed", rows: { added: 1, removed: 2, updated: 1 }, redefined: false },
    { name: "k", change: "changed", rows: { added: 1, removed: 1, updated: 0 }, redefined: false },
  ]);
  expect(tables.map(({ name }) => name)).toContain("still");
  // Of 20 MB: fingerprints, indexes, and the pages that differ.
  expect(counts.bytes).toBeLessThan(1_500_000);
  const back = await db.diff(second, first);
  expect(changedOnes(back.tables)).toMatchObject([
    { name: "fresh", change: "removed" },
    { name: "t", rows: { added: 2, removed: 1, updated: 1 } },
    { name: "k", rows: { added: 1, removed: 1 } },
  ]);
});

test("across a full backup, a VACUUM and another definition; and of a backup with itself", async () => {
  const { db, first, after } = await backedUp();
  const second = await after("UPDATE t SET x = 'a' WHERE id = 1", { full: true });
  expect(changedOnes((await db.diff(first, second)).tables)).toEqual([
    { name: "t", change: "changed", rows: { added: 0, removed: 0, updated: 1 }, redefined: false },
  ]);
  const third = await after("DELETE FROM still WHERE id % 2; VACUUM; ALTER TABLE k ADD COLUMN z");
  expect(changedOnes((await db.diff(second, third)).tables)).toMatchObject([
    { name: "k", change: "changed", redefined: true },
    { name: "still", change: "changed", rows: { added: 0, removed: 10_000, updated: 0 } },
  ]);
  expect(changedOnes((await db.diff(third)).tables)).toEqual([]);
  await expect(db.diff("ffffffff")).rejects.toMatchObject({ code: "BACKUP_UNKNOWN" });
});
