import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { storeContract } from "../../tests/contracts/store.ts";
import { makeStore } from "./store.ts";

storeContract("the example of a store", async () => {
  const folder = await mkdtemp(join(tmpdir(), "pagemark-"));
  return {
    store: makeStore(join(folder, "store.db")),
    cleanup: () => rm(folder, { recursive: true }),
  };
});
