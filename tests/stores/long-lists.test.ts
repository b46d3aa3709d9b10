// Lists of more than the 1,000 objects of a page: whoever reads one reads all of it.

import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { addKey, encrypted, listKeys, memoryStore, type Store } from "pagemark";
import { expect, test } from "vitest";
import { noteVerified, verifiedIn } from "../../js/dist/backups/verified.js";
import { refuseWithoutRecords } from "../../js/dist/catalog/folder.js";
import { StoreScratch } from "../../js/dist/catalog/scratch.js";
import { unguarded } from "../../js/dist/stores/guarded.js";

const MANY = 1_100;

/** A store with an object under each of many keys. */
async function storeWith(keyOf: (at: number) => string, modified = new Date()): Promise<Store> {
  const store = memoryStore();
  for (let at = 0; at < MANY; at++) await store.put(keyOf(at), new Uint8Array(1), { modified });
  return store;
}

async function keysIn(store: Store): Promise<string[]> {
  const { objects, cursor } = await unguarded(store).list("");
  expect(cursor).toBeUndefined();
  return objects.map(({ key }) => key);
}

const digits = (at: number) => String(at).padStart(16, "0");

test("the newest note on verifications counts, however many there are, and replaces all of them", async () => {
  const store = await storeWith((at) => `app/pagemark/verified-${digits(at)}.json`);
  const place = { store, folder: "app", name: "app" };
  await noteVerified(place, ["one"], "verified", Date.now());
  expect(await keysIn(store)).toHaveLength(1);
  expect([...(await verifiedIn(store, "app")).keys()]).toEqual(["one"]);

  const more = await storeWith((at) => `app/pagemark/verified-${digits(at)}.json`);
  const newest = `{"version":1,"backups":{"two":{"verified":"2026-11-20T10:00:00.000Z"}}}`;
  await more.put(`app/pagemark/verified-${digits(MANY)}.json`, new TextEncoder().encode(newest));
  expect([...(await verifiedIn(more, "app")).keys()]).toEqual(["two"]);
});

test("of a scratch nothing stays: neither of the run's own blocks, nor of one that died", async () => {
  const own = await storeWith((at) => `app/scratch/run/${digits(at)}`);
  await new StoreScratch(own, "app", { id: "run", size: 1 }).drop();
  expect(await keysIn(own)).toEqual([]);

  const old = await storeWith(
    (at) => `app/scratch/dead/${digits(at)}`,
    new Date(Date.now() - 48 * 3_600_000),
  );
  await new StoreScratch(old, "app").put("first", new Uint8Array(1));
  expect(await keysIn(old)).toEqual([expect.stringMatching(/\/first$/)]);
});

test("backups whose records are gone are refused, whatever else lies there", async () => {
  const store = await storeWith((at) => `app/pagemark/${digits(at)}.other`);
  await store.put("app/pagemark/ffffffffffffffff.pages", new Uint8Array(1));
  await expect(refuseWithoutRecords(store, "app", undefined)).rejects.toMatchObject({
    code: "OBJECT_MISSING",
  });
});

test("any key opens an encrypted store that has more than a thousand", { timeout: 120_000 }, async () => {
  const [first, last] = [await generateX25519Identity(), await generateX25519Identity()];
  const store = memoryStore();
  await encrypted(store, { identities: [first] }).put("app/one", new Uint8Array(1));
  const [name = ""] = await addKey(
    store,
    { identities: [first] },
    { recipients: [await identityToRecipient(last)] },
  );
  const under = unguarded(store);
  // Files of others, and of the last one only what lies behind them.
  const file = new Uint8Array(await new Response(await under.get("%keys/first.age")).arrayBuffer());
  for (let at = 0; at < MANY; at++) await under.put(`%keys/${digits(at)}.age`, file);
  const theirs = new Uint8Array(await new Response(await under.get(`%keys/${name}`)).arrayBuffer());
  await under.delete(`%keys/${name}`);
  await under.put("%keys/zz.age", theirs);
  expect(await listKeys(store)).toHaveLength(MANY + 2);
  const body = await encrypted(store, { identities: [last] }).get("app/one");
  expect((await new Response(body).arrayBuffer()).byteLength).toBe(1);
});
