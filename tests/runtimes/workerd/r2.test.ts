// The store in an R2 bucket, where it is used: inside a Worker, with the bucket's binding.
import { env } from "cloudflare:workers";
import { localities, memory, memoryStore, pagemark, type R2Binding, r2 } from "pagemark";
import { expect, test } from "vitest";
import { storeContract } from "../../contracts/store.ts";
import { bodyOf, bytes, cut, listed, readAll } from "../../contracts/store-cases/bytes.ts";
import { tinyDatabase } from "../tiny-database.ts";

const MiB = 1024 * 1024;

const bucket = (env as unknown as { BACKUPS: R2Binding }).BACKUPS;

async function emptyStore() {
  for (let found = await bucket.list(); found.objects.length > 0; found = await bucket.list()) {
    await Promise.all(found.objects.map(({ key }) => bucket.delete(key)));
  }
  return r2(bucket);
}

storeContract("r2()", async () => ({ store: await emptyStore() }));

test("a database is backed up into a bucket and restored from it, in workerd", async () => {
  const store = await emptyStore();
  const db = pagemark(memory(tinyDatabase()), { name: "tiny", store });
  await db.backup();
  const again = pagemark(memory(tinyDatabase()), { name: "tiny", store: r2(bucket) });
  expect([...(await readAll(await again.download()))]).toEqual([...tinyDatabase()]);
  expect(await again.verify()).toMatchObject({ problems: [], sound: [{ kind: "full" }] });
  expect((await listed(store)).filter((key) => key.endsWith(".ltx"))).not.toEqual([]);
});

test("B13 of several stores the bucket has the backups, and the default one ids, in workerd", async () => {
  const [home, eu] = [memoryStore(), await emptyStore()];
  const stores = [
    { locality: "default", store: home },
    { locality: "region=eu", store: eu },
  ];
  const db = pagemark(memory(tinyDatabase()), {
    name: "tiny",
    store: localities(stores, { writer: "region=eu" }),
  });
  await db.backup();
  expect([...(await readAll(await db.download()))]).toEqual([...tinyDatabase()]);
  expect((await listed(eu)).length).toBe(3);
  expect(await listed(home)).toEqual([
    expect.stringMatching(/^%localities\/[0-9a-f]{16}\/.*-full-region%3Deu$/),
  ]);
});

test("an object of many parts is whole, and nothing else is left, in workerd", async () => {
  const store = await emptyStore();
  for (const length of [5 * MiB, 5 * MiB + 1, 10 * MiB, 17 * MiB + 3]) {
    const object = bytes(length);
    await store.put("db/a", bodyOf(cut(object, [300_001])).stream, { modified: new Date(5) });
    const read = await readAll(await store.get("db/a"));
    expect(read.length === length && read.every((byte, at) => byte === object[at]), `${length}`).toBe(true);
    expect(await store.head("db/a")).toEqual({ key: "db/a", size: length, modified: new Date(5) });
    expect((await bucket.list()).objects.map(({ key }) => key)).toEqual(["db/a"]);
    await store.delete("db/a");
  }
}, 60_000);
