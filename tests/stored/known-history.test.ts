// What one who makes backup after backup remembers of them, and when it counts for nothing.
import { setTimeout as sleep } from "node:timers/promises";
import { type Backup, memory, memoryStore, pagemark, type Store } from "pagemark";
import { Database } from "pagemark/engine";
import { expect, onTestFinished, test, vi } from "vitest";
import { bytesOf } from "../engine/support.ts";

const NAME = "shop";

/** A database with a full and an incremental backup in a store that notes what is read; `next` makes the one after. */
async function backedUp(db: Database) {
  const store = memoryStore();
  const reads: string[] = [];
  const noting: Store = {
    layout: store.layout,
    description: store.description,
    async put(...args) {
      // A backup that is made within a millisecond is not remembered: its objects' times would not tell it from others.
      await sleep(2);
      return store.put(...args);
    },
    get(key, options) {
      reads.push(key);
      return store.get(key, options);
    },
    head: (...args) => store.head(...args),
    list: (...args) => store.list(...args),
    delete: (...args) => store.delete(...args),
  };
  db.exec("CREATE TABLE t (a INTEGER PRIMARY KEY, b); INSERT INTO t VALUES (1, randomblob(50000))");
  const next = () => {
    db.exec("INSERT INTO t (b) VALUES (randomblob(100))");
    return db.backup({ store: noting });
  };
  await next();
  const head = await next();
  reads.length = 0;
  return { store, reads, next, head };
}

async function keysOf(store: Store, ending: string): Promise<string[]> {
  const { objects } = await store.list(`${NAME}/`);
  return objects.map(({ key }) => key).filter((key) => key.endsWith(ending));
}

/** Every backup there is restores, and the newest to what the database holds. */
async function expectSound(store: Store, db: Database): Promise<void> {
  const backups = pagemark(memory(db.serialize()), { name: NAME, store });
  expect(await backups.verify()).toMatchObject({ problems: [] });
  expect(Buffer.compare(await bytesOf(await backups.download()), db.serialize())).toBe(0);
}

/** Puts an object in the place of another. */
async function replace(store: Store, key: string, bytes: Uint8Array, modified?: Date): Promise<void> {
  await store.delete(key);
  await store.put(key, bytes, modified ? { modified } : {});
}

test("while nobody else comes, a backup reads nothing of the store", async () => {
  using db = await Database.open({ name: NAME });
  const { store, reads, next } = await backedUp(db);
  for (let round = 0; round < 5; round++) expect((await next()).kind).toBe("incremental");
  expect(reads).toEqual([]);
  expect((await keysOf(store, ".json")).length).toBe(7);
  await expectSound(store, db);
});

test("a backup that another made is what the next one is on top of", async () => {
  using db = await Database.open({ name: NAME });
  const { store, reads, next } = await backedUp(db);
  const others = await pagemark(db, { store, name: NAME }).backup();
  expect((await next()).kind).toBe("incremental");
  expect(reads.length).toBeGreaterThan(0);
  reads.length = 0;
  await next();
  expect(reads).toEqual([]);
  const listed: Backup[] = [];
  for await (const backup of pagemark(db, { store, name: NAME }).backups()) listed.push(backup);
  expect(listed.length).toBe(5);
  expect(listed.map(({ id }) => id)).toContain(others.id);
  await expectSound(store, db);
});

test("of two at once one is made, and the other says so", async () => {
  using db = await Database.open({ name: NAME });
  const { store, next } = await backedUp(db);
  const results = await Promise.allSettled([next(), next()]);
  expect(results.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
  await next();
  await expectSound(store, db);
});

test("a newest backup that is gone is not built upon", async () => {
  using db = await Database.open({ name: NAME });
  const { store, next, head } = await backedUp(db);
  for (const ending of [".json", ".ltx", ".pages"]) {
    await store.delete((await keysOf(store, ending)).filter((key) => !key.includes("/9/")).at(-1) ?? "");
  }
  const after = await next();
  expect(after.txid).toBe(head.txid);
  await expectSound(store, db);
});

test("an LTX file of the chain that is gone, or shorter, makes the next backup a full one", async () => {
  for (const bytes of [undefined, new Uint8Array(10)]) {
    using db = await Database.open({ name: NAME });
    const { store, next } = await backedUp(db);
    const [key = ""] = await keysOf(store, ".ltx");
    await store.delete(key);
    if (bytes) await store.put(key, bytes);
    expect(await next()).toMatchObject({ kind: "full", fullBecause: expect.stringContaining("damaged") });
    await next();
    expect(
      Buffer.compare(await bytesOf(await pagemark(db, { store, name: NAME }).download()), db.serialize()),
    ).toBe(0);
  }
});

test("a record that another put in its place, of the same size, is read anew", async () => {
  using db = await Database.open({ name: NAME });
  const { store, next } = await backedUp(db);
  const key = (await keysOf(store, ".json")).at(-1) ?? "";
  const bytes = await bytesOf(await store.get(key));
  bytes[20] = (bytes[20] ?? 0) ^ 1;
  await replace(store, key, bytes);
  expect(await next()).toMatchObject({ kind: "full", warnings: [expect.stringContaining("damaged")] });
});

test("and so it is when the clock stood still meanwhile", async () => {
  using db = await Database.open({ name: NAME });
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
  onTestFinished(() => void vi.useRealTimers());
  const { store, next } = await backedUp(db);
  const key = (await keysOf(store, ".json")).at(-1) ?? "";
  const bytes = await bytesOf(await store.get(key));
  bytes[20] = (bytes[20] ?? 0) ^ 1;
  await replace(store, key, bytes);
  expect(await next()).toMatchObject({ kind: "full", warnings: [expect.stringContaining("damaged")] });
});

test("what a run that died has left is stepped over, and swept in its time", async () => {
  using db = await Database.open({ name: NAME });
  const { store, reads, next, head } = await backedUp(db);
  // It wanted the name that the next record gets.
  const txid = (BigInt(`0x${head.txid}`) + 1n).toString(16).padStart(16, "0");
  const [sample = ""] = await keysOf(store, ".pages");
  const folder = sample.slice(0, sample.lastIndexOf("/"));
  await store.put(`${folder}/${txid}-${txid}.pages`, new Uint8Array(9));
  for (let round = 0; round < 4; round++) await next();
  expect((await keysOf(store, ".pages")).length).toBe((await keysOf(store, ".json")).length);
  reads.length = 0;
  await next();
  expect(reads).toEqual([]);
  await expectSound(store, db);
});
