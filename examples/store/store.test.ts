import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { storeContract } from "../../tests/contracts/store.ts";
import { makeStore } from "./store.ts";

storeContract("the example of a store", async () => ({ store: makeStore(":memory:") }));

test("what was put is there when the store is opened again", async () => {
  const folder = await mkdtemp(join(tmpdir(), "pagemark-"));
  try {
    const path = join(folder, "store.db");
    await makeStore(path).put("db/a", new Uint8Array(300_000));
    expect(await makeStore(path).head("db/a")).toMatchObject({ key: "db/a", size: 300_000 });
  } finally {
    await rm(folder, { recursive: true });
  }
});
