// Deleting backups by rules and one by one: what is kept still restores, whatever happens on the way.
import { memory, memoryStore, type PageSource, pagemark, type Store, StoreError } from "pagemark";
import { Database } from "pagemark/engine";
import { expect, onTestFinished, test, vi } from "vitest";
import { FaultStore } from "../faults/fault-store.ts";

const DAY = 86_400_000;

/** A database of which there is a backup of each of `days` days; every third is a full one. */
async function daily(store: Store, days: number) {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.UTC(2026, 10, 1, 12) });
  onTestFinished(() => void vi.useRealTimers());
  const live = await Database.open({ name: "app" });
  onTestFinished(() => live.close());
  live.exec("CREATE TABLE t (a)");
  const ids: string[] = [];
  for (let day = 0; day < days; day++) {
    vi.setSystemTime(Date.now() + DAY);
    live.exec("INSERT INTO t VALUES (randomblob(3000))");
    const labels = day === 1 ? { tag: "release", note: "the first" } : {};
    ids.push((await live.backup({ store, full: day % 3 === 0, ...labels })).id);
  }
  return ids;
}

const source: PageSource = memory(new Uint8Array(), { name: "app" });
const vaultOf = (store: Store) => pagemark(source, { store, name: "app" });

async function listed(store: Store): Promise<string[]> {
  const ids: string[] = [];
  for await (const { id } of vaultOf(store).backups()) ids.unshift(id);
  return ids;
}

const keysIn = async (store: Store) => (await store.list("")).objects.map(({ key }) => key);

test("C15 what no rule keeps is deleted with all its objects, and what is kept restores", async () => {
  const store = memoryStore();
  const ids = await daily(store, 9);
  const dry = await vaultOf(store).prune({ keepDaily: 2, dryRun: true });
  expect(await listed(store)).toEqual(ids);
  const { kept, removed } = await vaultOf(store).prune({ keepDaily: 2 });
  expect({ kept, removed }).toEqual(dry);
  // The tagged one of day 2 stays with the full one that it is made of.
  const stays = [ids[0], ids[1], ...ids.slice(6)];
  expect(await listed(store)).toEqual(stays);
  expect(kept.map(({ reasons }) => reasons)).toEqual([
    ["last", "daily", "newest"].slice(1),
    ["daily", "needed"],
    ["needed"],
    ["pinned"],
    ["needed"],
  ]);
  expect(await keysIn(store)).toHaveLength(3 * stays.length);
  const { sound, problems } = await vaultOf(store).verify();
  expect([sound.length, problems]).toEqual([stays.length, []]);
});

test("what is no rule, or keeps nothing, is refused", async () => {
  const store = memoryStore();
  await daily(store, 1);
  for (const options of [
    {},
    { keepDaily: 0 },
    { keepLast: -1 },
    { keepLast: 1.5 },
    { keepWithinMs: Number.NaN },
  ]) {
    await expect(vaultOf(store).prune(options)).rejects.toMatchObject({ code: "USAGE" });
  }
});

test("a backup is deleted by its id, unless another is made of it", async () => {
  const store = memoryStore();
  const ids = await daily(store, 3);
  const [first = "", second = "", third = ""] = ids;
  await expect(vaultOf(store).delete(second)).rejects.toMatchObject({ code: "BACKUP_NEEDED" });
  await expect(vaultOf(store).delete("latest")).rejects.toMatchObject({ code: "USAGE" });
  expect(await vaultOf(store).delete(third.slice(0, 8))).toMatchObject({ id: third });
  await vaultOf(store).delete(second);
  expect(await listed(store)).toEqual([first]);
  expect(await keysIn(store)).toHaveLength(3);
});

test("F1 a removal that died anywhere is finished by the next one, and takes nothing that came since", async () => {
  const whole = memoryStore();
  const ids = await daily(whole, 4);
  const operations = 12; // a note, nine objects, the note; and one more, at which nothing happens
  for (let crash = 1; crash <= operations; crash++) {
    const store = await copyOf(whole);
    let writes = 0;
    const faulty = new FaultStore(store, {
      crash: true,
      fault: ({ kind }) =>
        (kind === "put" || kind === "delete") && ++writes === crash
          ? { how: crash % 2 ? "before" : "after" }
          : undefined,
    });
    await vaultOf(faulty)
      .prune({ keepLast: 1, keepTagged: false })
      .catch(() => {});
    const left = await listed(store);
    expect(left.at(-1)).toBe(ids[3]);
    expect((await vaultOf(store).verify()).problems).toEqual([]);
    await vaultOf(store).prune({ keepLast: 1, keepTagged: false });
    expect(await listed(store)).toEqual([ids[3]]);
    expect(await keysIn(store)).toHaveLength(3);
  }
});

test("a store that deletes nothing says so, and loses nothing", async () => {
  const whole = memoryStore();
  const ids = await daily(whole, 4);
  const faulty = new FaultStore(whole, {
    fault: ({ kind }) => (kind === "delete" ? { how: "before" } : undefined),
    error: () => new StoreError("STORE_DENIED", "Access Denied: object lock", {}),
  });
  const pruning = vaultOf(faulty).prune({ keepLast: 1 });
  await expect(pruning).rejects.toThrow(/object lock; 0 of 4 objects were deleted\. .*append-only/);
  expect(await listed(whole)).toEqual(ids);
});

async function copyOf(store: Store): Promise<Store> {
  const copy = memoryStore();
  for (const key of await keysIn(store)) await copy.put(key, await store.get(key));
  return copy;
}
