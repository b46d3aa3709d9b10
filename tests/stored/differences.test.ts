// What verify --restore compares: the pages of what was restored, and the fingerprints recorded with the backup.
import { memory, memoryStore, pagemark } from "pagemark";
import { Database } from "pagemark/engine";
import { expect, test } from "vitest";
import { Backups } from "../../js/dist/backups/backups.js";
import { placesOf } from "../../js/dist/cli/verify.js";

const PAGE = 4096;

async function database(): Promise<Uint8Array> {
  using db = await Database.open({ pageSize: PAGE });
  db.exec(`CREATE TABLE a (id INTEGER PRIMARY KEY, body); CREATE TABLE b (id INTEGER PRIMARY KEY, body);
    CREATE INDEX by_body ON b (body);
    WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900)
    INSERT INTO a SELECT i, randomblob(300) FROM n; INSERT INTO b SELECT id, hex(body) FROM a`);
  return db.serialize();
}

/** The database after a full and an incremental backup, and what tells of these. */
async function backedUp() {
  const store = memoryStore();
  const first = await database();
  await pagemark(memory(first), { name: "app", store }).backup();
  const second = first.slice();
  second.fill(7, 20 * PAGE + 2000, 20 * PAGE + 2100);
  const { id } = await pagemark(memory(second), { name: "app", store }).backup();
  const backups = await Backups.open("app", store);
  const differences = (file: Uint8Array, at = id) => {
    const pageCount = file.length / PAGE;
    const read = async (first: number, into: Uint8Array) =>
      into.set(file.subarray((first - 1) * PAGE, (first - 1) * PAGE + into.length));
    return backups.differences({ pageSize: PAGE, pageCount, read }, at);
  };
  return { first, second, differences };
}

test("C17 what was backed up differs in no page, and what was changed by one byte in just that page", async () => {
  const { first, second, differences } = await backedUp();
  expect(await differences(second)).toEqual([]);
  expect(await differences(first)).toEqual([21]);
  expect(await differences(second, "0000000000000001")).toEqual([21]);
  for (const page of [2, 50, second.length / PAGE]) {
    const changed = second.slice();
    changed[page * PAGE - 1] = (changed[page * PAGE - 1] ?? 0) ^ 1;
    expect(await differences(changed)).toEqual([page]);
  }
});

test("C17 pages that are missing or too many differ", async () => {
  const { second, differences } = await backedUp();
  const pages = second.length / PAGE;
  const longer = new Uint8Array(second.length + PAGE);
  longer.set(second);
  expect(await differences(longer)).toEqual([pages + 1]);
  expect(await differences(second.slice(0, -PAGE))).toEqual([pages]);
});

test("C17 it is told which tables and indexes they are in", async () => {
  using db = await Database.open();
  await db.load(await database());
  const root = (name: string) =>
    Number(db.prepare("SELECT rootpage AS page FROM sqlite_schema WHERE name = ?").get(name)?.page);
  expect(placesOf(db, [root("a"), root("by_body"), root("a"), 99_999])).toEqual([
    "a",
    "by_body",
    "page 99999",
  ]);
  expect(placesOf(db, [])).toEqual([]);
});
