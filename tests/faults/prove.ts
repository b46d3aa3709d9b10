// What must hold of a store, whatever happened to it.
import { memoryStore, type Store } from "pagemark";
import { expect } from "vitest";
import { bytesOf, databaseOf, equal } from "./states.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** What was reported done: TXID to the bytes it restores to. */
export type Done = Map<string, Bytes>;

/** Every listed backup is whole and one of `all`; those that were reported done are there and exact. */
export async function proveListed(store: Store, done: Done, all: readonly Bytes[]): Promise<void> {
  const db = databaseOf(all[0] as Bytes, store);
  const listed = await Array.fromAsync(db.backups());
  expect(listed.filter(({ state }) => state !== "done")).toEqual([]);
  for (const txid of done.keys()) expect(listed.map((backup) => backup.txid)).toContain(txid);
  for (const { txid } of listed) {
    const restored = await bytesOf(await db.download(txid));
    const expected = done.get(txid);
    // A backup that nobody was told of is right all the same.
    expect(expected ? equal(restored, expected) : all.some((state) => equal(state, restored))).toBe(true);
  }
}

/** The next backup, of `bytes`, works without any repair, and leaves a sound store without leftovers. */
export async function proveNext(store: Store, bytes: Bytes): Promise<void> {
  const db = databaseOf(bytes, store);
  const { warnings } = await db.backup();
  expect(warnings).toEqual([]);
  expect(equal(await bytesOf(await db.download()), bytes)).toBe(true);
  expect((await db.verify()).problems).toEqual([]);
  expect(await orphansOf(store)).toEqual([]);
}

/** Keys of files that belong to no backup. */
export async function orphansOf(store: Store): Promise<string[]> {
  const { objects } = await store.list("app/");
  const listed = await Array.fromAsync(databaseOf(new Uint8Array(), store).backups());
  const txids = new Set(listed.map(({ txid }) => txid));
  return objects.flatMap(({ key }) => {
    const max = /-([0-9a-f]{16})\.(ltx|pages)$/.exec(key)?.[1];
    return max === undefined || txids.has(max) ? [] : [key];
  });
}

/** A store with what `store` holds. */
export async function copyOf(store: Store): Promise<Store> {
  return storeOf(await objectsOf(store));
}

/** Key to bytes: everything in a store. */
export type Objects = Map<string, Bytes>;

export async function objectsOf(store: Store): Promise<Objects> {
  const { objects } = await store.list("app/");
  const entries = objects.map(async ({ key }): Promise<[string, Bytes]> => {
    return [key, (await bytesOf(await store.get(key))) as Bytes];
  });
  return new Map(await Promise.all(entries));
}

export async function storeOf(objects: Objects): Promise<Store> {
  const store = memoryStore();
  for (const [key, bytes] of objects) await store.put(key, bytes);
  return store;
}
