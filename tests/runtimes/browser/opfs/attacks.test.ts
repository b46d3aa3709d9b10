import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { provedBank } from "./bank.ts";
import { startTabs, type Tab, type Tabs } from "./tabs.ts";

/** Tabs that are closed in the middle of a backup; the long run closes 200. */
const KILLS = Number(process.env.OPFS_RUNS ?? 3);

let tabs: Tabs;
let tab: Tab;

beforeAll(async () => {
  tabs = await startTabs();
  tab = await tabs.open();
});
afterEach(async () => {
  await tab.close();
  tab = await tabs.open();
  await tab.call("backups.clear");
});
afterAll(async () => {
  await tabs?.[Symbol.asyncDispose]();
});

test("a full origin ends a backup by name, leaves nothing of it, and the next one works", async () => {
  await tab.call("background.fill", "large.db", 8);
  const session = await tab.page.context().newCDPSession(tab.page);
  const origin = new URL(tab.page.url()).origin;
  // First without room for the store's own folder.
  await session.send("Storage.overrideQuotaForOrigin", { origin, quotaSize: 1 });
  expect(await tab.call("backups.intoOpfs", "large.db")).toMatch(/^STORE_FULL: cannot write "kept": /);
  await session.send("Storage.overrideQuotaForOrigin", { origin, quotaSize: 10 << 20 });
  expect(await tab.call("backups.intoOpfs", "large.db")).toMatch(/^STORE_FULL: .* MiB are used/);
  await session.send("Storage.overrideQuotaForOrigin", { origin });
  expect(await tab.call("backups.intoOpfs", "large.db")).toBe("full");
  expect(await tab.call("backups.intoOpfs", "large.db")).toBe("incremental");
});

test("what needs room for a copy, or for its pages, says that there is none", async () => {
  const worker = await tab.worker();
  const session = await tab.page.context().newCDPSession(tab.page);
  const origin = new URL(tab.page.url()).origin;
  await session.send("Storage.overrideQuotaForOrigin", { origin, quotaSize: 1 });
  const full = ["SourceError SOURCE_FULL", "PagemarkError STORE_FULL", "SourceError SOURCE_FULL"];
  expect(await worker.call("backups.needsRoom")).toEqual(full);
  await session.send("Storage.overrideQuotaForOrigin", { origin });
  // Of the last one all that is given is zeros.
  expect(await worker.call("backups.needsRoom")).toEqual(["made", "made", "DamageError DATABASE_NOT_SQLITE"]);
});

test(`${KILLS} tabs that are closed in the middle of a backup do no harm`, async () => {
  await tab.call("background.fill", "large.db", 6);
  for (let kill = 0; kill < KILLS; kill++) {
    const victim = await tabs.open();
    const running = victim.call("backups.intoOpfs", "large.db").catch(() => "closed");
    await new Promise((resolve) => setTimeout(resolve, 30 + Math.random() * 400));
    await victim.close();
    await running;
  }
  expect(await tab.call("backups.intoOpfs", "large.db")).toMatch(/^(full|incremental)$/);
  expect(await tab.call("backups.problems")).toBe(0);
}, 600_000);

test("two tabs back up at once: each backup is whole, or says that the other was first", async () => {
  await tab.call("background.fill", "large.db", 4);
  const other = await tabs.open();
  const results = await Promise.all([tab, other].map((each) => each.call("backups.intoOpfs", "large.db")));
  for (const result of results) expect(result).toMatch(/^(full|incremental|CONFLICT)/);
  expect(await tab.call("backups.problems")).toBe(0);
  await other.close();
});

test("a database in WAL mode in a pool, under an odd name, is read with its WAL", async () => {
  const worker = await tab.worker();
  const name = "folder/ünï code ☃.db";
  await worker.call("writers.open", "sahpool", `/${name}`);
  await worker.call("writers.makeBank", {
    pragmas: "PRAGMA locking_mode = exclusive; PRAGMA journal_mode = wal",
    rows: 200,
  });
  expect(await worker.call("writers.rows", "PRAGMA journal_mode")).toEqual([["wal"]]);
  const made = await tab.call<{ base64: string }>("backups.backUp", name);
  expect(provedBank(made).transfers).toBe(200);
});

test("what the user has taken back, and a private window without files, are errors with a code", async () => {
  expect(await tab.call("backups.denials", "app.db")).toEqual({
    codes: ["SOURCE_DENIED", "SOURCE_DENIED", "STORE_DENIED", "STORE_DENIED", "STORE_DENIED"],
    inPrivate: ["RUNTIME_UNSUPPORTED"],
  });
});

test("the scratch of a tab that was closed goes with the next call that lists or measures, and no other", async () => {
  expect(await tab.call("backups.leftScratch")).toEqual(["used", "used", "used", "used"]);
});
