// One store on top of others: a store like any other, which shows what lies below it and leaves that alone.
import { memoryStore } from "pagemark";
import { describe, expect, test } from "vitest";
import { layers } from "../../js/dist/objects/layers.js";
import { storeContract } from "../contracts/store.ts";

storeContract("layers", async () => ({
  store: layers(memoryStore(), [memoryStore()]),
  close: async () => {},
}));

const bytes = (text: string) => new TextEncoder().encode(text);

describe("a store on top of others", () => {
  test("reads what lies below, page by page, and the topmost where several have it", async () => {
    const [top, middle, bottom] = [memoryStore(), memoryStore(), memoryStore()];
    for (const [store, keys] of [
      [top, ["a/1", "a/5"]],
      [middle, ["a/2", "a/5"]],
      [bottom, ["a/3", "a/4", "b/1"]],
    ] as const) {
      for (const key of keys) await store.put(key, bytes(store === top ? "top" : "below"));
    }
    const all = layers(top, [middle, bottom]);
    const found: string[] = [];
    for (let cursor: string | undefined, more = true; more; more = cursor !== undefined) {
      const page = await all.list("a/", { cursor, limit: 2 });
      found.push(...page.objects.map(({ key }) => key));
      cursor = page.cursor;
    }
    expect(found).toEqual(["a/1", "a/2", "a/3", "a/4", "a/5"]);
    expect(await new Response(await all.get("a/5")).text()).toBe("top");
    expect(await new Response(await all.get("b/1")).text()).toBe("below");
    await all.delete("a/3");
    expect(await bottom.head("a/3")).toBeDefined();
  });
});
