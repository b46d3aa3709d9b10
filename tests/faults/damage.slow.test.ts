import { memoryStore, PagemarkError, type Store } from "pagemark";
import { beforeAll, describe, expect, test } from "vitest";
import { bytesOf, databaseOf, equal, states } from "./states.ts";

/** Key to bytes: everything in a store. */
type Objects = Map<string, Uint8Array<ArrayBuffer>>;

const [FIRST, SECOND, , LAST] = states() as [
  Uint8Array<ArrayBuffer>,
  Uint8Array<ArrayBuffer>,
  unknown,
  Uint8Array<ArrayBuffer>,
];
/** TXID to the bytes it must restore to. */
const EXPECTED = new Map([
  ["0000000000000001", FIRST],
  ["0000000000000002", SECOND],
  ["0000000000000003", LAST],
]);

let objects: Objects;
let foreign: Objects;

beforeAll(async () => {
  const [store, other] = [memoryStore(), memoryStore()];
  for (const bytes of EXPECTED.values()) await databaseOf(bytes, store).backup();
  for (const bytes of EXPECTED.values()) await databaseOf(bytes, other).backup();
  objects = await read(store);
  foreign = await read(other);
});

describe("F2 damage in a small store is noticed, or does no harm", () => {
  test("every byte changed in turn, of every object", async () => {
    const tally = { refused: 0, exact: 0 };
    for (const [key, bytes] of objects) {
      for (let at = 0; at < bytes.length; at++) {
        const damaged = bytes.slice();
        damaged[at] = (damaged[at] as number) ^ (at % 2 === 0 ? 0x01 : 0xff);
        await probe(new Map([...objects, [key, damaged]]), tally);
      }
    }
    expect(tally.refused).toBeGreaterThan(5_000);
  }, 120_000);

  test("every truncation, and one byte too many", async () => {
    const tally = { refused: 0, exact: 0 };
    for (const [key, bytes] of objects) {
      for (let length = 0; length < bytes.length; length += bytes.length > 2000 ? 7 : 1) {
        await probe(new Map([...objects, [key, bytes.slice(0, length)]]), tally);
      }
      await probe(new Map([...objects, [key, new Uint8Array([...bytes, 0])]]), tally);
    }
    expect(tally.refused).toBeGreaterThan(1000);
  }, 120_000);

  test("every object dropped, swapped with another, doubled over another, or taken from another database", async () => {
    const tally = { refused: 0, exact: 0 };
    const keys = [...objects.keys()];
    for (const key of keys) {
      const bytes = objects.get(key) as Uint8Array<ArrayBuffer>;
      const dropped = new Map(objects);
      dropped.delete(key);
      await probe(dropped, tally);
      await probe(new Map([...objects, [key, foreign.get(key) as Uint8Array<ArrayBuffer>]]), tally);
      for (const other of keys.filter((other) => other !== key)) {
        const otherBytes = objects.get(other) as Uint8Array<ArrayBuffer>;
        await probe(new Map([...objects, [key, otherBytes]]), tally);
        await probe(new Map([...objects, [key, otherBytes], [other, bytes]]), tally);
      }
    }
    expect(tally.refused).toBeGreaterThan(100);
  });

  test("a record of another database with its LTX file, put in the middle of a chain, is refused by name", async () => {
    const mixed = new Map(objects);
    for (const [key, bytes] of foreign) if (key.includes("0000000000000002")) mixed.set(key, bytes);
    const db = databaseOf(LAST, await storeOf(mixed));
    await expect(db.download("0000000000000003")).rejects.toMatchObject({ code: "RECORD_CHAIN" });
  });

  test("verify names every object that a backup cannot do without", async () => {
    for (const [key, bytes] of objects) {
      for (const changed of [bytes.slice(0, -2), undefined]) {
        const damaged = new Map(objects);
        if (changed) damaged.set(key, changed);
        else damaged.delete(key);
        const { problems } = await databaseOf(LAST, await storeOf(damaged)).verify();
        // A record that was deleted leaves no trace when it was the newest; every other damage shows.
        const silent = changed === undefined && key.endsWith("0000000000000003.json");
        expect(problems.length > 0).toBe(!silent);
      }
    }
  });

  test("B9 after any object was lost or damaged, the next backup works and restores exactly", async () => {
    for (const [key, bytes] of objects) {
      for (const changed of [bytes.slice(0, -2), undefined]) {
        const damaged = new Map(objects);
        if (changed) damaged.set(key, changed);
        else damaged.delete(key);
        const db = databaseOf(SECOND, await storeOf(damaged));
        const { kind, warnings } = await db.backup();
        expect(equal(await bytesOf(await db.download()), SECOND)).toBe(true);
        // A record that was deleted when it was the newest leaves no trace.
        const silent = changed === undefined && key.endsWith("0000000000000003.json");
        expect([kind, warnings.length > 0]).toEqual(silent ? ["incremental", false] : ["full", true]);
      }
    }
  });
});

/** Whatever is restored, listed or shown: an error of ours with a code, or exactly what it must be. */
async function probe(damaged: Objects, tally: { refused: number; exact: number }): Promise<void> {
  const db = databaseOf(LAST, await storeOf(damaged));
  for (const [txid, expected] of EXPECTED) {
    const restored = await attempt(async () => bytesOf(await db.download(txid)));
    if (restored === undefined) tally.refused++;
    else {
      expect(equal(restored, expected)).toBe(true);
      tally.exact++;
    }
  }
  await attempt(() => Array.fromAsync(db.backups()));
}

async function attempt<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    expect(error).toBeInstanceOf(PagemarkError);
    expect((error as PagemarkError).code).not.toBe("INTERNAL");
    return undefined;
  }
}

async function read(store: Store): Promise<Objects> {
  const { objects } = await store.list("app/");
  const entries = objects.map(async ({ key }): Promise<[string, Uint8Array<ArrayBuffer>]> => {
    return [key, (await bytesOf(await store.get(key))) as Uint8Array<ArrayBuffer>];
  });
  return new Map(await Promise.all(entries));
}

async function storeOf(objects: Objects): Promise<Store> {
  const store = memoryStore();
  for (const [key, bytes] of objects) await store.put(key, bytes);
  return store;
}
