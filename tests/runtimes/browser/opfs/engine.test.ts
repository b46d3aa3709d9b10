// A live database of ours in real OPFS: killed in the middle of commits, opened twice, gone back in time.
import { afterAll, beforeAll, expect, test } from "vitest";
import { startTabs, type Tabs } from "./tabs.ts";

/** Workers that are killed: a few here, two hundred in a long run. */
const KILLS = Number(process.env.OPFS_RUNS ?? 4);

interface State {
  ok: boolean;
  sum: number;
  count: number;
  last: number;
}

let tabs: Tabs;

beforeAll(async () => {
  tabs = await startTabs();
});
afterAll(async () => {
  await tabs?.[Symbol.asyncDispose]();
});

test("killed in the middle of commits, again and again, it is at the last or the next one, and goes on", async () => {
  let before = 0;
  for (let kill = 0; kill < KILLS; kill++) {
    const tab = await tabs.open();
    const worker = await tab.worker();
    const { ok, sum, count, last } = await worker.call<State>("engine.open", "killed");
    expect({ ok, sum, isWhole: count === last }).toEqual({ ok: true, sum: 20_000, isWhole: true });
    expect(last).toBeGreaterThanOrEqual(before);
    const acked = await worker.call<State>("engine.transfer", 5);
    before = acked.last;
    worker.call("engine.transfer").catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, 20 + Math.random() * 150));
    // Every other time only the worker ends, else the tab with it.
    if (kill % 2) await worker.terminate();
    await tab.close();
  }
  const tab = await tabs.open();
  const worker = await tab.worker();
  const { ok, sum, count, last } = await worker.call<State>("engine.open", "killed");
  expect({ ok, sum, isWhole: count === last }).toEqual({ ok: true, sum: 20_000, isWhole: true });
  expect(last).toBeGreaterThan(before);
  await tab.close();
}, 300_000);

test("B11 B12 its states last: an earlier one is gone back to after it was opened anew", async () => {
  const tab = await tabs.open();
  const first = await tab.worker();
  await first.call("engine.open", "folder/travel");
  const { count } = await first.call<State>("engine.transfer", 20);
  await first.call("engine.close");
  const second = await tab.worker();
  await second.call("engine.open", "folder/travel");
  expect(await second.call("engine.travel", 7)).toEqual([count - 7, count]);
  await tab.close();
});

test("a second tab is told that it is open, and outside of a worker it says so", async () => {
  const [one, two] = [await tabs.open(), await tabs.open()];
  const worker = await one.worker();
  await worker.call("engine.open", "twice");
  const other = await two.worker();
  await expect(other.call("engine.open", "twice")).rejects.toThrow(/ENGINE_IN_USE .*another worker or tab/);
  await expect(two.call("engine.open", "alone")).rejects.toThrow("in a dedicated worker");
  await worker.call("engine.close");
  expect(await other.call("engine.open", "twice")).toMatchObject({ ok: true });
  await one.close();
  await two.close();
});
