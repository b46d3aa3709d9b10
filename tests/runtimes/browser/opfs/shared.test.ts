// A live database that several tabs share, in real OPFS: whoever leads, each work is done once.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startTabs, type Tab, type Tabs } from "./tabs.ts";

/** Tabs that are closed in the middle of work: a few here, two hundred in a long run. */
const KILLS = Number(process.env.OPFS_RUNS ?? 4);

let tabs: Tabs;

beforeAll(async () => {
  tabs = await startTabs();
});
afterAll(async () => {
  await tabs?.[Symbol.asyncDispose]();
});

async function openIn(tab: Tab, path: string): Promise<Tab> {
  await tab.call("shared.open", path);
  return tab;
}
const ask = <T>(tab: Tab, ...args: unknown[]) => tab.call<T>("shared.ask", ...args);

describe("sharedDatabase", () => {
  test("two tabs read and write one database, and hear of each other's commits", async () => {
    const [one, two] = [await tabs.open(), await tabs.open()];
    await openIn(one, "both");
    await openIn(two, "both");
    await ask(one, "exec", "CREATE TABLE t (a, b BLOB); INSERT INTO t VALUES (1, x'00ff')");
    expect(await ask(two, "run", "INSERT INTO t VALUES (?, ?)", 2, null)).toEqual({
      changes: 1,
      lastInsertRowid: 2,
    });
    expect(await ask(one, "values", "SELECT a, hex(b) FROM t")).toEqual([
      [1, "00FF"],
      [2, ""],
    ]);
    expect(await ask(two, "get", "SELECT a FROM t WHERE a = ?", 3)).toBeUndefined();
    const batch = [["UPDATE t SET a = a + ?", 10], ["SELECT a FROM t ORDER BY a"]];
    expect(await ask(two, "batch", batch)).toEqual([[], [{ a: 11 }, { a: 12 }]]);
    expect(await ask(two, "batch", [["DELETE FROM t"], ["INSERT INTO nowhere VALUES (1)"]])).toEqual([
      "SqlError",
      "SQL_ERROR",
    ]);
    expect(await ask(one, "all", "SELECT count(*) AS n FROM t")).toEqual([{ n: 2 }]);
    expect(await two.call("shared.changeCount")).toBe(3);
    // A transaction left open would have other tabs' statements in it.
    expect(await ask(two, "exec", "BEGIN; DELETE FROM t")).toEqual(["SqlError", "SQL_ERROR"]);
    expect(await ask(two, "exec", "BEGIN")).toEqual(["PagemarkError", "USAGE"]);
    await ask(one, "run", "UPDATE t SET b = NULL");
    // Bookmarks, going back, a check and a backup, from the tab that does not have it open.
    const before = await ask<string>(two, "bookmark");
    await ask(one, "exec", "DELETE FROM t");
    await ask(two, "restore", { at: before });
    expect(await ask(one, "get", "SELECT count(*) AS n FROM t")).toEqual({ n: 2 });
    expect(await ask(two, "check")).toMatchObject({ ok: true });
    expect(await ask(two, "backup")).toMatchObject({ kind: "full" });
    await one.close();
    await two.close();
  }, 60_000);

  test("when the tab that leads is closed, another one goes on, and each row is there once", async () => {
    let leader = await openIn(await tabs.open(), "moves");
    await ask(leader, "exec", "CREATE TABLE t (id INTEGER PRIMARY KEY, n)");
    const errors: string[] = [];
    let added = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      const next = await openIn(await tabs.open(), "moves");
      const adding = next.call<string[]>("shared.add", added, 100);
      added += 100;
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 300));
      await leader.close();
      errors.push(...(await adding));
      expect(await ask(next, "get", "SELECT count(*) AS n, count(DISTINCT id) AS ids FROM t")).toEqual({
        n: added,
        ids: added,
      });
      leader = next;
    }
    // An insert that was done again would break the key: only an answer may be lost.
    expect(new Set(errors).difference(new Set(["ENGINE_ANSWER_LOST"]))).toEqual(new Set());
    expect(await ask(leader, "check")).toMatchObject({ ok: true });
    await leader.close();
  }, 300_000);

  test("a tab that leaves hands the database over at once, and one that cannot have it says why", async () => {
    const [one, two, three] = [await tabs.open(), await tabs.open(), await tabs.open()];
    await openIn(one, "left");
    await openIn(two, "left");
    await ask(one, "exec", "CREATE TABLE t (a)");
    await one.call("shared.close");
    expect(await ask(one, "get", "SELECT 1")).toEqual(["PagemarkError", "WORKER_CLOSED"]);
    expect(await ask(two, "run", "INSERT INTO t VALUES (1)")).toMatchObject({ changes: 1 });
    await two.close();
    const worker = await three.worker();
    await worker.call("engine.open", "left");
    await expect(openIn(one, "left")).rejects.toThrow(/another worker or tab has the database open/);
    await one.close();
    await three.close();
  }, 60_000);
});
