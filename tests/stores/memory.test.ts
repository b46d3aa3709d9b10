import { memoryStore } from "pagemark";
import { expect, test } from "vitest";
import { storeContract } from "../contracts/store.ts";

storeContract("memoryStore()", async () => ({ store: memoryStore() }));

test("memory says what it is", () => {
  expect(memoryStore()).toMatchObject({ layout: "folder", description: "memory" });
});

test("two memories have nothing in common", async () => {
  await memoryStore().put("a", new Uint8Array(1));
  expect(await memoryStore().head("a")).toBeUndefined();
});
