import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startTabs, type Tabs } from "./tabs.ts";

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
