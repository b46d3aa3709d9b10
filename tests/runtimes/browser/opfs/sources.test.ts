import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type Made, provedBank } from "./bank.ts";
import { type Place, startTabs, type Tab, type Tabs } from "./tabs.ts";

/** Backups of each library while it writes: some 20 in all; the long run sets 200. */
const RUNS = Number(process.env.OPFS_RUNS ?? 2);

const LIBRARIES = [
  { library: "opfs", isolated: true },
  { library: "opfs-wl", isolated: true },
  { library: "sahpool" },
  { library: "OPFSCoopSyncVFS" },
  { library: "OPFSAdaptiveVFS" },
  { library: "OPFSAnyContextVFS" },
  { library: "AccessHandlePoolVFS" },
  { library: "OPFSWriteAheadVFS", pauseMs: 150 },
  { library: "IDBBatchAtomicVFS" },
  { library: "sqlocal", isolated: true },
];

let tabs: Tabs;

beforeAll(async () => {
  tabs = await startTabs();
});
afterAll(async () => {
  await tabs?.[Symbol.asyncDispose]();
});

const open: Tab[] = [];
async function tab(isolated = false): Promise<Tab> {
  const opened = await tabs.open({ isolated });
  open.push(opened);
  return opened;
}
afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.close()));
  const last = await tabs.open();
  await last.call("backups.clear");
  await last.close();
});

/** In IndexedDB it is found by a source of its own. */
function backUp(place: Place, library: string): Promise<Made> {
  return place.call<Made>(library.startsWith("IDB") ? "backups.backUpIndexedDb" : "backups.backUp", "app.db");
}

describe.each(LIBRARIES)("$library", ({ library, isolated = false, pauseMs = 40 }) => {
  test(`A3 C1 ${RUNS} backups from another tab while it writes are one commit each`, async () => {
    const writerTab = await tab(isolated);
    const writer = library === "sqlocal" ? writerTab : await writerTab.worker();
    await writer.call("writers.open", library, "app.db");
    await writer.call("writers.makeBank");
    await writer.call("writers.start", pauseMs);
    const other = await tab();
    const worker = await other.worker();
    const seen: number[] = [];
    for (let run = 0; run < RUNS; run++) {
      const place = run % 2 === 0 ? worker : other;
      seen.push(provedBank(await backUp(place, library)).transfers);
    }
    const { done } = await writer.call<{ done: number; busy: number }>("writers.stop");
    expect(done).toBeGreaterThan(RUNS / 4);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    await writer.call("writers.close");
    const last = await backUp(worker, library);
    expect(last.kind).toBe("incremental");
    expect(provedBank(last).transfers).toBe(2000 + done);
  }, 600_000);
});

describe("B1 C6 opfs() and indexedDb() are sources", () => {
  test.each(["plain", "pool", "IndexedDB"])("of a %s file", async (kind) => {
    const worker = await (await tab()).worker();
    const { count, failures } = await worker.call<{ count: number; failures: string[] }>(
      "backups.sourceContract",
      kind,
    );
    expect(failures).toEqual([]);
    expect(count).toBeGreaterThan(20);
  });
});

test("databases in IndexedDB are listed with their tables, and are read only", async () => {
  const page = await tab();
  const worker = await page.worker();
  await worker.call("writers.open", "IDBBatchAtomicVFS", "folder/app.db");
  await worker.call("writers.makeBank", { rows: 10 });
  expect(await page.call("backups.databases")).toMatchObject([
    {
      path: "folder/app.db",
      indexedDb: "wa-idb",
      library: "wa-sqlite IDBBatchAtomicVFS",
      tables: ["accounts", "transfers", "state"],
    },
  ]);
  expect(await page.call("backups.replaceIndexedDb", "folder/app.db")).toEqual([
    "incremental",
    "SOURCE_READ_ONLY",
  ]);
  await worker.call("writers.close");
});

test("a database all of which is in its write-ahead log yet is listed", async () => {
  const page = await tab();
  const worker = await page.worker();
  await worker.call("writers.open", "OPFSWriteAheadVFS", "folder/app.db");
  await worker.call("writers.makeBank", { rows: 10 });
  const tables = ["accounts", "transfers", "state"];
  const library = "wa-sqlite OPFSWriteAheadVFS";
  expect(await page.call("backups.databases")).toMatchObject([{ path: "folder/app.db", library, tables }]);
  await worker.call("writers.close");
});

test("memory(file) of a file that changes while it is read says so", async () => {
  const worker = await (await tab(true)).worker();
  await worker.call("writers.open", "opfs", "app.db");
  await worker.call("writers.makeBank");
  await worker.call("writers.close");
  expect(await worker.call("backups.memoryOfLiveFile", "app.db")).toBe("SOURCE_CHANGED");
});
