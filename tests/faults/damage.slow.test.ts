import { memoryStore, PagemarkError, type Store } from "pagemark";
import { beforeAll, describe, expect, test } from "vitest";
import { type Objects, objectsOf, storeOf } from "./prove.ts";
import { bytesOf, databaseOf, equal, states } from "./states.ts";

type Bytes = Uint8Array<ArrayBuffer>;

const [FIRST, SECOND, , LAST] = states() as [Bytes, Bytes, Bytes, Bytes];
/** TXID to the bytes it must restore to: a full backup and two incrementals. */
const EXPECTED = new Map([
  ["0000000000000001", FIRST],
  ["0000000000000002", SECOND],
  ["0000000000000003", LAST],
]);
const TXIDS = [...EXPECTED.keys()];
/** Bits to flip: one of these in each byte, and all of them where time does not matter. */
const ALL = process.env.FAULTS === "all";
const PATTERNS = ALL ? [1, 2, 4, 8, 16, 32, 64, 128, 255] : [0x01, 0x80, 0xff];

let objects: Objects;
let foreign: Objects;

beforeAll(async () => {
  objects = await objectsOf(await stored(false));
  foreign = await objectsOf(await stored(false));
});

async function stored(full: boolean): Promise<Store> {
  const store = memoryStore();
  for (const bytes of EXPECTED.values()) await databaseOf(bytes, store).backup({ full });
  return store;
}

interface Tally {
  refused: number;
  exact: number;
}

describe("F2 damage in a small store is noticed, or does no harm", () => {
  test("every byte changed in turn, of every object", async () => {
    const tally = { refused: 0, exact: 0 };
    for (const [key, bytes] of objects) {
      for (let at = 0; at < bytes.length; at++) {
        for (const pattern of ALL ? PATTERNS : [PATTERNS[at % 3] as number]) {
          const damaged = bytes.slice();
          damaged[at] = (damaged[at] as number) ^ pattern;
          await probe(new Map([...objects, [key, damaged]]), tally, at % 16 === 0 ? undefined : txidOf(key));
        }
      }
    }
    expect(tally.refused).toBeGreaterThan(4_000);
  }, 1_200_000);

  test("every truncation, and one byte too many", async () => {
    const tally = { refused: 0, exact: 0 };
    for (const [key, bytes] of objects) {
      for (let length = 0; length < bytes.length; length++) {
        const cut = new Map([...objects, [key, bytes.slice(0, length)]]);
        await probe(cut, tally, length % 16 === 0 ? undefined : txidOf(key));
      }
      await probe(new Map([...objects, [key, new Uint8Array([...bytes, 0])]]), tally);
    }
    expect(tally.refused).toBeGreaterThan(4_000);
  }, 120_000);

  test("every object dropped, swapped, doubled over another, or taken from another database", async () => {
    const tally = { refused: 0, exact: 0 };
    for (const damaged of rearranged()) await probe(damaged, tally);
    expect(tally.refused).toBeGreaterThan(100);
  }, 60_000);

  test("an older record, or all of an older backup, replayed under a newer name is refused", async () => {
    const replayed = (from: string, to: string, what: string) => {
      const found = [...objects].filter(([key]) => key.includes(from) && key.includes(what));
      return new Map([
        ...objects,
        ...found.map(([key, bytes]) => [key.replaceAll(from, to), bytes] as const),
      ]);
    };
    for (const [from, to] of [[0, 2] as const, [1, 2] as const, [0, 1] as const]) {
      for (const what of [".json", "000"]) {
        const damaged = replayed(TXIDS[from] as string, TXIDS[to] as string, what);
        await probe(damaged, { refused: 0, exact: 0 });
        const db = databaseOf(LAST, await storeOf(damaged));
        await expect(db.download(TXIDS[to])).rejects.toBeInstanceOf(PagemarkError);
      }
    }
    const ahead = replayed(TXIDS[2] as string, "0000000000000004", "0000000000000003");
    await probe(ahead, { refused: 0, exact: 0 });
    const db = databaseOf(LAST, await storeOf(ahead));
    await expect(db.download()).rejects.toMatchObject({ code: "RECORD_CHAIN" });
  });

  test.each([false, true])("verify tells a whole backup of another database (full: %s)", async (full) => {
    const [ours, theirs] = [await objectsOf(await stored(full)), await objectsOf(await stored(full))];
    for (const txid of TXIDS) {
      const copied = [...theirs].filter(([key]) => key.endsWith(`${txid}.ltx`) || key.includes(`/${txid}`));
      const db = databaseOf(LAST, await storeOf(new Map([...ours, ...copied])));
      const codes = (await db.verify()).problems.map(({ code }) => code);
      expect(codes.some((code) => code === "RECORD_CHAIN" || code === "CHAIN_LINEAGE")).toBe(true);
    }
  });

  test("after verify named the damage, a full backup works and restores exactly", async () => {
    for (const damaged of [...rearranged(), ...flipped(97)]) {
      const db = databaseOf(SECOND, await storeOf(damaged));
      await db.backup({ full: true });
      expect(equal(await bytesOf(await db.download()), SECOND)).toBe(true);
    }
  }, 60_000);

  test("B9 after any damage the next backup is made, exact unless a file rotted that only reading shows", async () => {
    for (const damaged of [...rearranged(), ...flipped(61)]) {
      const db = databaseOf(SECOND, await storeOf(damaged));
      const { kind, warnings } = await db.backup();
      const restored = await bytesOf(await db.download()).catch((error) => {
        expect(error).toMatchObject({ code: "OBJECT_DAMAGED" });
      });
      // Only on top of a file that has its old size, which no listing tells from a sound one.
      if (restored) expect(equal(restored, SECOND)).toBe(true);
      else expect([kind, (await db.verify()).problems.length > 0]).toEqual(["incremental", true]);
      if (warnings.length > 0) expect(kind).toBe("full");
    }
  }, 60_000);

  test("B9 after any object was lost or cut, the next backup is a full one that says why", async () => {
    for (const [key, bytes] of objects) {
      for (const changed of [bytes.slice(0, -2), undefined]) {
        const damaged = new Map(objects);
        if (changed) damaged.set(key, changed);
        else damaged.delete(key);
        const db = databaseOf(SECOND, await storeOf(damaged));
        const { problems } = await db.verify();
        const { kind, warnings } = await db.backup();
        expect(equal(await bytesOf(await db.download()), SECOND)).toBe(true);
        // A record that was deleted when it was the newest leaves no trace.
        const silent = changed === undefined && key.endsWith("0000000000000003.json");
        expect([kind, warnings.length > 0]).toEqual(silent ? ["incremental", false] : ["full", true]);
        expect(problems.length > 0).toBe(!silent);
      }
    }
  });
});

/** Every object dropped, taken from the other database, doubled over another, and swapped with each other one. */
function* rearranged(): Generator<Objects> {
  for (const [key, bytes] of objects) {
    const dropped = new Map(objects);
    dropped.delete(key);
    yield dropped;
    yield new Map([...objects, [key, foreign.get(key) as Bytes]]);
    for (const [other, otherBytes] of objects) {
      if (other === key) continue;
      yield new Map([...objects, [key, otherBytes]]);
      if (other > key) yield new Map([...objects, [key, otherBytes], [other, bytes]]);
    }
  }
}

/** Every `step`th byte of every object changed. */
function* flipped(step: number): Generator<Objects> {
  for (const [key, bytes] of objects) {
    for (let at = 0; at < bytes.length; at += step) {
      const damaged = bytes.slice();
      damaged[at] = (damaged[at] as number) ^ 0x20;
      yield new Map([...objects, [key, damaged]]);
    }
  }
}

/**
 * Whatever is restored, listed, shown or verified: an error of ours with a code, or exactly what it must be.
 * With `only`, the backup of that TXID alone is looked at; without, verify must also name whatever is lost.
 */
async function probe(damaged: Objects, tally: Tally, only?: string): Promise<void> {
  const store = await storeOf(damaged);
  const db = databaseOf(LAST, store);
  const refused: string[] = [];
  for (const [txid, expected] of EXPECTED) {
    if (only !== undefined && txid !== only) continue;
    const restored = await attempt(async () => bytesOf(await db.download(txid)));
    tally[restored === undefined ? "refused" : "exact"]++;
    if (restored) expect(equal(restored, expected)).toBe(true);
    else refused.push(txid);
    const shown = await attempt(() => db.show(txid));
    if (shown) expect(shown.tables.map(({ name }) => name)).toEqual(["a"]);
  }
  if (only !== undefined) return;
  const listed = await attempt(() => Array.fromAsync(db.backups()));
  const latest = await attempt(async () => bytesOf(await db.download()));
  // The newest of those that are listed: a record that is gone without a trace was never done.
  const newest = listed?.[0]?.txid ?? "";
  if (latest && listed?.length) expect(equal(latest, EXPECTED.get(newest) as Bytes)).toBe(true);
  const verified = await attempt(() => db.verify());
  for (const { txid } of verified?.sound ?? []) expect(refused).not.toContain(txid);
  for (const { code } of verified?.problems ?? []) expect(code).not.toBe("INTERNAL");
  if (verified && verified.sound.length < (listed?.length ?? 0)) expect(verified.problems).not.toEqual([]);
}

/** The backup that an object is of. */
function txidOf(key: string): string {
  return /([0-9a-f]{16})\.[a-z]+$/.exec(key)?.[1] ?? "";
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
