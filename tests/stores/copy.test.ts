// Backups copied between stores of both layouts: all of them, what is new, what an interrupted copy left out.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Backups, copy, file, folder, memoryStore, pagemark, r2, type Store } from "pagemark";
import { expect, test } from "vitest";
import { listed, readAll } from "../contracts/store-cases/bytes.ts";
import { runSql, tempFolder } from "../support/temp.ts";
import { buckets } from "./r2-bucket.ts";

const newBucket = buckets();

async function backedUp(count: number) {
  const path = join(tempFolder(), "app.db");
  const store = memoryStore();
  const db = pagemark(file(path), { name: "app", store });
  const add = async () => {
    runSql(path, `CREATE TABLE IF NOT EXISTS n (a); INSERT INTO n VALUES (hex(randomblob(9000)))`);
    return (await db.backup()).id;
  };
  const ids: string[] = [];
  for (let n = 0; n < count; n++) ids.push(await add());
  return { path, store, add, ids };
}

async function restored(store: Store, at?: string): Promise<Uint8Array> {
  return readAll(await pagemark(file("/nowhere.db"), { name: "app", store }).download(at));
}

test("B17 a bucket gets all backups of a folder, then only the new ones; and a folder gets them back", async () => {
  const { path, store, add, ids } = await backedUp(3);
  const bucket = r2(await newBucket());
  expect(await copy(store, bucket)).toMatchObject([{ name: "app", backups: 3, objects: 9, present: 0 }]);
  expect(await copy(store, bucket)).toMatchObject([{ backups: 0, objects: 0, present: 9 }]);
  await add();
  expect(await copy(store, bucket, { name: "app" })).toMatchObject([{ backups: 1, objects: 3, present: 9 }]);
  expect((await listed(bucket))[0]).toBe("app/0000/0000000000000002-0000000000000002.ltx");
  expect(Buffer.compare(await restored(bucket), readFileSync(path))).toBe(0);
  expect(Buffer.compare(await restored(bucket, ids[1]), await restored(store, ids[1]))).toBe(0);

  const back = memoryStore();
  await copy(bucket, back);
  expect(await listed(back)).toEqual(await listed(store));
  for (const key of await listed(store)) {
    expect(Buffer.compare(await readAll(await back.get(key)), await readAll(await store.get(key)))).toBe(0);
  }
}, 60_000);

test("a store that is the folder of a database in another one is refused, by copies and by backups", async () => {
  const { path, store } = await backedUp(1);
  const above = tempFolder();
  await copy(store, folder(above));
  const nested = folder(join(above, "app"));
  const refused = { code: "STORE_NESTED" };
  await expect(copy(store, nested)).rejects.toMatchObject(refused);
  await expect(pagemark(file(path), { name: "app", store: nested }).backup()).rejects.toMatchObject(refused);
  expect(await listed(folder(above))).toEqual(await listed(store));
  await copy(store, folder(join(above, "below")));
});

test("F1 a copy that ends anywhere lists nothing that cannot be restored, and goes on", async () => {
  const { path, store } = await backedUp(3);
  for (let most = 0; most < 9; most++) {
    const target = memoryStore();
    let puts = 0;
    const failing: Store = {
      ...bound(target),
      put: async (key, body, options) => {
        if (puts++ === most) throw new Error("the store went away");
        return target.put(key, body, options);
      },
    };
    await expect(copy(store, failing)).rejects.toThrow("went away");
    // Before the first record there are files only, as in a folder of Litestream's that has gaps.
    const records = Math.max(0, most - 6);
    const db = pagemark(file(path), { name: "app", store: target });
    expect(await (await Backups.open("app", target)).list()).toHaveLength(records);
    if (records > 0) expect(await db.verify()).toMatchObject({ sound: { length: records }, problems: [] });
    const [{ objects = 0, present = 0 } = {}] = await copy(store, target);
    expect(objects + present).toBe(9);
    expect(Buffer.compare(await restored(target), readFileSync(path))).toBe(0);
  }
}, 60_000);

test("F2 a damaged object is noticed, and nothing is listed that is made of it", async () => {
  const { store } = await backedUp(2);
  const [key = ""] = (await listed(store)).filter((each) => each.endsWith(".ltx"));
  const bytes = await readAll(await store.get(key));
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
  await store.delete(key);
  await store.put(key, bytes);
  const target = memoryStore();
  await expect(copy(store, target)).rejects.toMatchObject({ code: "OBJECT_DAMAGED", at: { name: key } });
  expect((await listed(target)).filter((each) => each.endsWith(".json"))).toEqual([]);
});

test("B4 backups of another database under the name are not mixed with these", async () => {
  const [one, other] = [await backedUp(2), await backedUp(2)];
  const before = await listed(other.store);
  await expect(copy(one.store, other.store)).rejects.toMatchObject({ code: "CONFLICT" });
  expect(await listed(other.store)).toEqual(before);
});

test("F12 a copy ends when it is told to", async () => {
  const { store } = await backedUp(2);
  const stop = new AbortController();
  const reason = new Error("stop");
  const onProgress = () => stop.abort(reason);
  await expect(copy(store, memoryStore(), { signal: stop.signal, onProgress })).rejects.toBe(reason);
  await expect(copy(memoryStore(), store, { name: "app" })).rejects.toMatchObject({ code: "BACKUP_NONE" });
});

function bound(store: Store): Store {
  return {
    layout: store.layout,
    description: store.description,
    put: store.put.bind(store),
    get: store.get.bind(store),
    head: store.head.bind(store),
    list: store.list.bind(store),
    delete: store.delete.bind(store),
  };
}
