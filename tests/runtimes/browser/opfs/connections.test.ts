import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { imageOf } from "../../../contracts/source-cases/image.ts";
import { provedBank } from "./bank.ts";
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

describe("sqliteWasm(db)", () => {
  test.each(["memory", "opfs", "opfs-wl", "sahpool"])(
    "%s: one commit, while the same worker writes",
    async (library) => {
      const worker = await tab.worker();
      await worker.call("writers.open", library, "app.db");
      await worker.call("writers.makeBank");
      await worker.call("writers.start", 20);
      const first = await worker.call<{ kind: string; base64: string }>("backups.backUpConnection");
      const { done } = await worker.call<{ done: number }>("writers.stop");
      const last = await worker.call<{ kind: string; base64: string }>("backups.backUpConnection");
      expect([first.kind, last.kind]).toEqual(["full", "incremental"]);
      expect(done).toBeGreaterThan(0);
      provedBank(first);
      expect(provedBank(last).transfers).toBe(2000 + done);
      await worker.call("writers.exec", "BEGIN; DELETE FROM state");
      expect(await worker.call("backups.connectionFailure")).toBe("SOURCE_BUSY");
      await worker.call("writers.exec", "ROLLBACK");
      await worker.call("writers.close");
    },
  );
});

describe("the writes of a connection in a pool", () => {
  test("are seen, whatever they are: the next backup reads them only, and is the database", async () => {
    const worker = await tab.worker();
    const { wrong, told } = await worker.call<{ wrong: string[]; told: number }>("seen.seen", 45);
    expect(wrong).toEqual([]);
    expect(told).toBeGreaterThan(25);
    expect(told).toBeLessThan(45);
  });

  test("leave a moment as it was that is read meanwhile", async () => {
    const worker = await tab.worker();
    expect(await worker.call("seen.heldWhileWritten")).toEqual({ taken: "start", isSame: true });
  });

  test("are known from one connection to the next, where the files say that there were none between", async () => {
    const worker = await tab.worker();
    expect(await worker.call("seen.acrossConnections")).toEqual(["unknown", [], [1, 2]]);
  });
});

test("picked(handle) reads a file and puts another in its place, or leaves it", async () => {
  const [old, next] = [imageOf(4096, 6), imageOf(512, 9, 2)];
  await tab.call("backups.writeFile", "my file.db", base64(old));
  expect(await tab.call("backups.pickedFile", "my file.db", base64(next))).toEqual({
    name: "my file",
    before: base64(old),
    result: "restored",
    after: base64(next),
  });
  const refused = await tab.call<{ result: string; after: string }>(
    "backups.pickedFile",
    "my file.db",
    base64(old.subarray(0, 90)),
  );
  expect(refused.result).toMatch(/^DATABASE_/);
  expect(refused.after).toBe(base64(next));
  expect(await tab.call("backups.endings", "my file.db")).toEqual([
    "AbortError",
    "SOURCE_MISSING",
    "SOURCE_MISSING",
  ]);
});

describe("a pool", () => {
  test("is listed beside plain files, with the tables", async () => {
    const worker = await tab.worker();
    await worker.call("writers.open", "sahpool", "shop.db");
    await worker.call("writers.makeBank", { rows: 10 });
    await tab.call("backups.writeFile", "plain/empty of tables.db", base64(imageOf(4096, 2).fill(0, 100)));
    await tab.call("backups.writeFile", "notes.txt", base64(Buffer.from("SQLite")));
    const found = await tab.call<{ path: string }[]>("backups.databases");
    expect(found).toMatchObject([
      { path: "plain/empty of tables.db", size: 8192 },
      {
        path: "shop.db",
        pool: ".opfs-sahpool/.opaque",
        library: "@sqlite.org/sqlite-wasm opfs-sahpool",
        tables: ["accounts", "transfers", "state"],
      },
    ]);
    const paths = ["plain/empty of tables.db", "shop.db"].map((path) => [path, true]);
    expect(await tab.call("backups.withoutTables")).toEqual([paths, "USAGE"]);
    const { used, quota, isPersistent } = await tab.call<Record<string, number | boolean>>("backups.storage");
    expect(used).toBeGreaterThan(8192);
    expect(quota).toBeGreaterThan(used as number);
    expect(isPersistent).toBe(false);
  });

  test("whose header was wiped, or has a wrong digest, is still read", async () => {
    const worker = await tab.worker();
    await worker.call("writers.open", "sahpool", "shop.db");
    await worker.call("writers.makeBank", { rows: 10 });
    await worker.call("writers.close");
    await worker.terminate();
    const pool = ".opfs-sahpool/.opaque";
    const whole = await tab.call("backups.bytesOf", "shop.db");
    await tab.call("backups.scribble", pool, 516, [1, 2, 3, 4]);
    expect(await tab.call("backups.bytesOf", "shop.db")).toBe(whole);
    expect(await tab.call("backups.databases")).toMatchObject([
      { path: "shop.db", problem: expect.stringContaining("wrong digest") },
    ]);
    const name = await tab.call<string>("backups.scribble", pool, 0, Array(524).fill(0));
    expect(await tab.call("backups.bytesOf", `${pool}/${name}`)).toBe(whole);
    expect(await tab.call("backups.bytesOf", `${pool}/${name}`, { pool })).toBe(whole);
    expect(await tab.call("backups.databases")).toMatchObject([
      { path: `${pool}/${name}`, problem: expect.stringContaining("wiped") },
    ]);
  });
});
