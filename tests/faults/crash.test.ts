import { memoryStore, type Store } from "pagemark";
import { describe, expect, test } from "vitest";
import { type Fault, FaultStore } from "./fault-store.ts";
import { bytesOf, databaseOf, equal, states } from "./states.ts";

const STATES = states();
const HOW = ["before", "after", "torn"] as const;

/** Backs up every state until the store fails; gives what was reported done: TXID to state. */
async function scenario(store: Store): Promise<Map<string, number>> {
  const done = new Map<string, number>();
  try {
    for (const [index, bytes] of STATES.entries()) {
      done.set((await databaseOf(bytes, store).backup()).txid, index);
    }
    await databaseOf(STATES[0] as Uint8Array<ArrayBuffer>, store).verify();
  } catch {
    // The process died here, or its user saw an error.
  }
  return done;
}

async function operationsOfScenario(): Promise<number> {
  const store = new FaultStore(memoryStore());
  await scenario(store);
  return store.operations;
}

/** What must hold of a store, whatever happened to it. */
async function prove(store: Store, done: Map<string, number>): Promise<void> {
  const last = STATES.at(-1) as Uint8Array<ArrayBuffer>;
  const db = databaseOf(last, store);
  const listed = await Array.fromAsync(db.backups());
  const states = new Set(listed.map(({ state }) => state));
  expect([...states].filter((state) => state !== "done")).toEqual([]);
  for (const [txid, state] of done) {
    expect(listed.map((backup) => backup.txid)).toContain(txid);
    expect(equal(await bytesOf(await db.download(txid)), STATES[state] as Uint8Array)).toBe(true);
  }
  // A backup that is listed restores to one of the states, also when nobody was told that it was done.
  for (const { txid } of listed) {
    const restored = await bytesOf(await db.download(txid));
    expect(STATES.some((state) => equal(state, restored))).toBe(true);
  }
  const next = await db.backup();
  expect(next.warnings).toEqual([]);
  expect(equal(await bytesOf(await db.download()), last)).toBe(true);
  expect((await db.verify()).problems).toEqual([]);
  await proveNoOrphans(store, await Array.fromAsync(db.backups()));
}

/** Every stored file belongs to a backup, but for one run's that died after the last one. */
async function proveNoOrphans(store: Store, listed: { txid: string }[]): Promise<void> {
  const { objects } = await store.list("app/");
  const txids = new Set(listed.map(({ txid }) => txid));
  const orphans = objects.filter(({ key }) => {
    const max = /-([0-9a-f]{16})\.(ltx|pages)$/.exec(key)?.[1];
    return max !== undefined && !txids.has(max);
  });
  expect(orphans.map(({ key }) => key)).toEqual([]);
}

describe("F1 killed at any operation on the store", () => {
  test.each(HOW)(
    "%s it: the next run works unrepaired, and nothing half-done is ever listed",
    async (how) => {
      const operations = await operationsOfScenario();
      expect(operations).toBeGreaterThan(30);
      for (let at = 1; at <= operations; at++) {
        const store = memoryStore();
        const done = await scenario(new FaultStore(store, { at, how, crash: true }));
        await prove(store, done);
      }
    },
  );

  test.each(HOW)("%s it, twice in a row", async (how) => {
    const operations = await operationsOfScenario();
    for (let seed = 0; seed < 300; seed++) {
      const store = memoryStore();
      const done = new Map<string, number>();
      for (const round of [1, 2]) {
        const at = 1 + ((seed * 7919 * round + 31 * round) % operations);
        for (const [txid, state] of await scenario(new FaultStore(store, { at, how, crash: true }))) {
          done.set(txid, state);
        }
      }
      await prove(store, done);
    }
  });
});

describe("F5 a store that fails once", () => {
  test.each(HOW)("%s an operation: an error, or a backup that is right", async (how: Fault["how"]) => {
    const operations = await operationsOfScenario();
    for (let at = 1; at <= operations; at++) {
      const store = memoryStore();
      const done = await scenario(new FaultStore(store, { at, how, crash: false }));
      await prove(store, done);
    }
  });
});

describe("F6 several backups at once into one store", () => {
  test("leave one chain without a fork; whoever loses is told so, and nothing of it stays", async () => {
    for (let seed = 1; seed <= 200; seed++) {
      const store = memoryStore();
      await databaseOf(STATES[0] as Uint8Array<ArrayBuffer>, store).backup();
      const outcomes = await Promise.allSettled(
        [1, 2, 3].map((state) =>
          databaseOf(
            STATES[state] as Uint8Array<ArrayBuffer>,
            new Shuffled(store, seed * 10 + state),
          ).backup(),
        ),
      );
      const done = new Map<string, number>();
      for (const [index, outcome] of outcomes.entries()) {
        if (outcome.status === "fulfilled") done.set(outcome.value.txid, index + 1);
        else expect(outcome.reason).toMatchObject({ code: "CONFLICT" });
      }
      expect(done.size).toBeGreaterThan(0);
      await prove(store, done);
    }
  }, 60_000);
});

/** Delays each operation by a number of turns that the seed decides. */
class Shuffled extends FaultStore {
  constructor(store: Store, seed: number) {
    let state = seed;
    const delayed = <A extends unknown[], T>(work: (...args: A) => Promise<T>) => {
      return async (...args: A): Promise<T> => {
        state = (Math.imul(state, 1103515245) + 12345) >>> 0;
        for (let turn = (state >>> 16) % 12; turn > 0; turn--) await new Promise(setImmediate);
        return work(...args);
      };
    };
    super({
      layout: store.layout,
      description: store.description,
      put: delayed(store.put.bind(store)),
      get: delayed(store.get.bind(store)),
      head: delayed(store.head.bind(store)),
      list: delayed(store.list.bind(store)),
      delete: delayed(store.delete.bind(store)),
    });
  }
}
