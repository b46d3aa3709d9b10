import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { TOKEN } from "../../../clients/api.ts";
import { TestWorker } from "../../../clients/worker.ts";
import { startTabs, type Tabs } from "./tabs.ts";

const worker = new TestWorker();
let tabs: Tabs;

beforeAll(async () => {
  tabs = await startTabs();
});
afterAll(async () => {
  await tabs?.[Symbol.asyncDispose]();
});

describe("is a store", () => {
  // Both are one driver: CI tries the one, the long run both.
  test.each(process.env.OPFS_RUNS ? ["private", "picked"] : ["private"])(
    "in a %s folder",
    async (kind) => {
      const tab = await tabs.open();
      const place = kind === "private" ? await tab.worker() : tab;
      const { count, failures } = await place.call<{ count: number; failures: string[] }>(
        "backups.storeContract",
        kind,
      );
      expect(failures).toEqual([]);
      expect(count).toBeGreaterThan(40);
      await tab.close();
    },
    120_000,
  );
});

test("A3 B17 backups of a page go to a Worker of another origin, are verified there, and come back", async () => {
  const tab = await tabs.open();
  expect(await tab.call("backups.throughWorker", `${worker.url}/store/laptop`, TOKEN)).toEqual({
    kinds: ["full", "incremental"],
    problems: [],
    isSame: true,
    codes: ["STORE_DENIED", "OBJECT_MISSING", "done", "OBJECT_EXISTS"],
  });
  await tab.close();
});

test("pagemark/browser backs up into a Worker's store, which can be aborted, and restores from there", async () => {
  const tab = await tabs.open();
  await tab.call("background.fill", "large.db", 8);
  expect(await tab.call("background.intoWorker", "large.db", `${worker.url}/store/phone`, TOKEN)).toEqual({
    aborted: "stop",
    none: 0,
    kind: "full",
    told: true,
    digests: 1,
    denied: "STORE_DENIED",
  });
  await tab.close();
});
