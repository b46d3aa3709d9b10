import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { imageOf } from "../../../contracts/source-cases/image.ts";
import { startTabs, type Tab, type Tabs } from "./tabs.ts";

let tabs: Tabs;
let tab: Tab;

beforeAll(async () => {
  tabs = await startTabs();
  tab = await tabs.open({ isolated: true });
});
afterEach(async () => {
  await tab.close();
  tab = await tabs.open({ isolated: true });
  await tab.call("backups.clear");
});
afterAll(async () => {
  await tabs?.[Symbol.asyncDispose]();
});

const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64");
const count = "SELECT count(*) FROM transfers";

describe.each(["opfs", "sahpool", "AccessHandlePoolVFS", "OPFSCoopSyncVFS"])(
  "a restore under %s",
  (library) => {
    test("A11 B2 C11 is refused while the library holds the database, and what it puts there opens", async () => {
      const worker = await tab.worker();
      await worker.call("writers.open", library, "app.db");
      await worker.call("writers.makeBank");
      await tab.call("backups.backUp", "app.db");
      await worker.call("writers.exec", "DELETE FROM transfers WHERE id > 5");
      if (library !== "opfs") {
        // A transaction that is under way holds the files in each of them; a pool's owner always does.
        await worker.call("writers.exec", "BEGIN IMMEDIATE");
        expect(await tab.call("backups.restore", "app.db")).toMatch(/^SOURCE_IN_USE/);
        await worker.call("writers.exec", "ROLLBACK");
      }
      await worker.call("writers.close");
      await worker.terminate();
      expect(await tab.call("backups.restore", "app.db")).toBe("restored");
      const other = await tab.worker();
      await other.call("writers.open", library, "app.db");
      expect(await other.call("writers.rows", count)).toEqual([[2000]]);
      expect(await other.call("writers.rows", "PRAGMA integrity_check")).toEqual([["ok"]]);
      await other.call("writers.exec", "DELETE FROM transfers WHERE id > 7");
      expect(await other.call("writers.rows", count)).toEqual([[7]]);
      await other.call("writers.close");
      const left = Object.keys(await tab.call<Record<string, number>>("backups.files"));
      expect(left.filter((name) => name.startsWith(".pagemark"))).toEqual([]);
    });
  },
);

test("C10 what an old database left beside it never reaches the new one", async () => {
  const old = imageOf(4096, 8);
  await tab.call("backups.writeFile", "app.db", base64(old));
  // A journal that was left behind, and gives page 2 back.
  const journal = new Uint8Array(512 + 8 + 4096 + 4);
  const view = new DataView(journal.buffer);
  journal.set([0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7]);
  for (const [at, value] of [
    [8, 1],
    [12, 7],
    [16, 8],
    [20, 512],
    [24, 4096],
    [512, 2],
  ] as const)
    view.setUint32(at, value);
  journal.fill(9, 516, 516 + 4096);
  let sum = 7;
  for (let i = 4096 - 200; i > 0; i -= 200) sum += 9;
  view.setUint32(516 + 4096, sum);
  await tab.call("backups.writeFile", "app.db-journal", base64(journal.subarray(0, 512 + 4104)));
  const rolledBack = await tab.call<string>("backups.bytesOf", "app.db");
  const expected = old.slice();
  expected.fill(9, 4096, 8192);
  expect(rolledBack).toBe(base64(expected));
  const next = imageOf(4096, 5, 3);
  await tab.call("backups.replace", "app.db", base64(next));
  expect(await tab.call("backups.files")).toEqual({ "app.db": next.length });
  expect(await tab.call("backups.bytesOf", "app.db")).toBe(base64(next));
});

test("a picked file in WAL mode opens in OPFS, and a damaged one leaves the old database alone", async () => {
  const old = imageOf(4096, 8);
  await tab.call("backups.writeFile", "app.db", base64(old));
  const cut = imageOf(4096, 9).slice(0, 4096 * 8);
  expect(await tab.call("backups.replace", "app.db", base64(cut))).toMatch(/^DATABASE_TRUNCATED/);
  expect(await tab.call("backups.replace", "app.db", base64(new Uint8Array(600)))).toMatch(/^DATABASE_/);
  expect(await tab.call("backups.bytesOf", "app.db")).toBe(base64(old));
  const wal = imageOf(4096, 8, 2);
  wal.fill(2, 18, 20);
  expect(await tab.call("backups.replace", "app.db", base64(wal))).toBe("restored");
  wal.fill(1, 18, 20);
  expect(await tab.call("backups.bytesOf", "app.db")).toBe(base64(wal));
});

test("one with a damaged page, in a table or an index, takes nothing's place, and is restored as it was backed up", async () => {
  const worker = await tab.worker();
  expect(await worker.call("backups.damagedImports", "app.db")).toEqual({
    table: 'BTREE_PAGE: app.db: "t" has a damaged page in the new database',
    index: 'BTREE_PAGE: app.db: "tx" has a damaged page in the new database',
    failing: "Error: went",
    isKept: true,
    restored: true,
    left: 2,
  });
});
