// A restore that does not happen leaves the store as it was; and what only reads can be stopped, too.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { memory, memoryStore, type PageSource, pagemark, SourceError, type Store } from "pagemark";
import { expect, test } from "vitest";
import { runSql, tableSql, tempFolder } from "../support/temp.ts";

const path = join(tempFolder(), "app.db");
runSql(path, tableSql("orders", 50));
const source = memory(readFileSync(path), { name: "app" });

const keysOf = async (store: Store) => (await store.list("")).objects.map(({ key }) => key);

/** Takes all of a replacement, and ends as `end` does. */
function refusing(end: () => never): PageSource {
  return {
    name: "app",
    pin: (options) => source.pin(options),
    async replace(body) {
      for await (const _ of body);
      end();
    },
  };
}

test("one that the source refuses at the end takes its safety backup back", async () => {
  const store = memoryStore();
  await pagemark(source, { store }).backup();
  const before = await keysOf(store);
  const inUse = refusing(() => {
    throw new SourceError("SOURCE_IN_USE", "somebody has it open");
  });
  await expect(pagemark(inUse, { store }).restore()).rejects.toMatchObject({ code: "SOURCE_IN_USE" });
  expect(await keysOf(store)).toEqual(before);
});

test("one that failed when the old database may be gone keeps it", async () => {
  const store = memoryStore();
  await pagemark(source, { store }).backup();
  const broken = refusing(() => {
    throw new Error("who knows");
  });
  await expect(pagemark(broken, { store }).restore()).rejects.toThrow("who knows");
  expect((await Array.fromAsync(pagemark(source, { store }).backups())).map(({ safety }) => safety)).toEqual([
    true,
    false,
  ]);
});

test("show, bookmark and backups take a signal", async () => {
  const db = pagemark(source, { store: memoryStore() });
  await db.backup();
  const signal = AbortSignal.abort(new Error("enough"));
  await expect(db.show(undefined, { signal })).rejects.toThrow("enough");
  await expect(db.bookmark(undefined, { signal })).rejects.toThrow("enough");
  await expect(Array.fromAsync(db.backups({ signal }))).rejects.toThrow("enough");
  expect((await db.show()).tables.map(({ name }) => name)).toEqual(["orders"]);
});
