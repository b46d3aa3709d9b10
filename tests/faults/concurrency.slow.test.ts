import { type BackupOptions, ConflictError, memoryStore, type Store } from "pagemark";
import { describe, expect, test } from "vitest";
import { FaultStore } from "./fault-store.ts";
import { type Done, orphansOf, proveListed, proveNext } from "./prove.ts";
import { random } from "./random.ts";
import { bytesOf, databaseOf, equal, states } from "./states.ts";

const STATES = states();
const [FIRST, SECOND] = STATES as [Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>];
const SEEDS = 2000;

/** The store as one of several hosts sees it: each operation waits for a number of turns that the seed decides. */
function delayed(store: Store, below: (below: number) => number): Store {
  return new FaultStore(store, {
    async delay() {
      for (let turn = below(4); turn > 0; turn--) await new Promise(setImmediate);
      for (let turn = below(30); turn > 0; turn--) await null;
    },
  });
}

/** A store as runs before left it: empty, with a backup or two, or with the files of a run that died. */
async function startOf(below: (below: number) => number): Promise<{ store: Store; done: Done }> {
  const store = memoryStore();
  const done: Done = new Map();
  for (let before = below(3); before > 0; before--) {
    const bytes = STATES[before] as Uint8Array<ArrayBuffer>;
    done.set((await databaseOf(bytes, store).backup()).txid, bytes);
  }
  if (below(3) === 0) {
    const dies = new FaultStore(store, {
      crash: true,
      fault: ({ kind, key }) => (kind === "put" && key.endsWith(".json") ? { how: "before" } : undefined),
    });
    await databaseOf(FIRST, dies)
      .backup()
      .catch(() => {});
  }
  return { store, done };
}

/** Keys of fingerprint files. */
async function pagesOf(store: Store): Promise<string[]> {
  const { objects } = await store.list("app/pagemark/");
  return objects.flatMap(({ key }) => (key.endsWith(".pages") ? [key] : []));
}

describe("F6 several hosts and one store, in every order of their operations", () => {
  test("B8 2 or 3 backups at once: one chain, no fork, losers get ConflictError and leave nothing", async () => {
    const tally = { won: 0, lost: 0 };
    for (let seed = 1; seed <= SEEDS; seed++) {
      const below = random(seed);
      const { store, done } = await startOf(below);
      const before = done.size;
      const hosts = STATES.slice(1, 3 + below(2));
      const outcomes = await Promise.allSettled(
        hosts.map((bytes) => {
          const options: BackupOptions = { full: below(4) === 0 };
          return databaseOf(bytes, delayed(store, below)).backup(options);
        }),
      );
      for (const [host, outcome] of outcomes.entries()) {
        if (outcome.status === "fulfilled")
          done.set(outcome.value.txid, hosts[host] as Uint8Array<ArrayBuffer>);
        else expect(outcome.reason).toBeInstanceOf(ConflictError);
        tally[outcome.status === "fulfilled" ? "won" : "lost"]++;
      }
      // Two that won are one after the other: each has a TXID of its own, and a record that says what came before.
      const listed = await Array.fromAsync(databaseOf(FIRST, store).backups());
      expect(listed.map(({ txid }) => txid).sort()).toEqual([...done.keys()].sort());
      expect(done.size, `seed ${seed}: somebody wins`).toBeGreaterThan(before);
      expect(await orphansOf(store)).toEqual([]);
      await proveListed(store, done, STATES);
      await proveNext(store, SECOND);
    }
    expect(tally.won).toBeGreaterThan(SEEDS);
    expect(tally.lost).toBeGreaterThan(SEEDS / 2);
  }, 180_000);

  test("one of three dies, or its store fails once: the others' chain is whole", async () => {
    let lates = 0;
    for (let seed = 1; seed <= SEEDS; seed++) {
      const below = random(seed + 2_000_000);
      const { store, done } = await startOf(below);
      const [at, how, crash] = [1 + below(9), below(2) ? "before" : "after", below(2) === 0] as const;
      const fails = new FaultStore(store, {
        crash,
        // The first one only looks whether the store is encrypted.
        fault: ({ number }) => (number === 1 + at ? { how } : undefined),
      });
      const hosts = STATES.slice(1);
      const outcomes = await Promise.allSettled(
        hosts.map((bytes, host) => {
          return databaseOf(bytes, delayed(host === 0 ? fails : store, below)).backup();
        }),
      );
      for (const [host, outcome] of outcomes.entries()) {
        if (outcome.status === "fulfilled")
          done.set(outcome.value.txid, hosts[host] as Uint8Array<ArrayBuffer>);
        else if (host > 0) expect(outcome.reason).toBeInstanceOf(ConflictError);
      }
      await proveListed(store, done, STATES);
      // One that is slow may store its LTX file after another swept the fingerprints before it, and die then: nothing tells
      // that file from one of Litestream's.
      const late = (await orphansOf(store)).filter((key) => key.endsWith("-0000000000000001.ltx"));
      const isLate =
        late.length > 0 && !(await pagesOf(store)).some((key) => key.endsWith("-0000000000000001.pages"));
      if (isLate) for (const key of late) await store.delete(key);
      lates += isLate ? 1 : 0;
      await proveNext(store, SECOND);
    }
    expect(lates).toBeLessThan(SEEDS / 200);
  }, 120_000);

  test("verify and restore during two backups see whole backups only", async () => {
    for (let seed = 1; seed <= SEEDS / 4; seed++) {
      const below = random(seed + 1_000_000);
      const { store } = await startOf(() => 2);
      const hosts = STATES.slice(2).map((bytes) => databaseOf(bytes, delayed(store, below)).backup());
      const verified = databaseOf(FIRST, delayed(store, below)).verify();
      const restored = databaseOf(FIRST, delayed(store, below)).download().then(bytesOf);
      await Promise.allSettled(hosts);
      expect((await verified).problems).toEqual([]);
      const bytes = await restored;
      expect(STATES.some((state) => equal(state, bytes))).toBe(true);
    }
  }, 60_000);
});
