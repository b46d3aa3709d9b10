import { type JobOptions, memory, memoryStore, pagemark, type Store } from "pagemark";
import { beforeAll, describe, expect, test } from "vitest";
import { FaultStore } from "./fault-store.ts";
import { copyOf, type Done, objectsOf, orphansOf, proveListed, proveNext } from "./prove.ts";
import { bytesOf, databaseOf, equal, states } from "./states.ts";

type Bytes = Uint8Array<ArrayBuffer>;

const STATES = states();
const [FIRST, SECOND, THIRD] = STATES as [Bytes, Bytes, Bytes];
const DONE: Done = new Map([
  ["0000000000000001", FIRST],
  ["0000000000000002", SECOND],
]);
let stored: Store;

beforeAll(async () => {
  stored = memoryStore();
  for (const bytes of DONE.values()) await databaseOf(bytes, stored).backup();
});

type Job = (store: Store, options: JobOptions) => Promise<unknown>;

const JOBS: Record<string, Job> = {
  backup: (store, options) => databaseOf(THIRD, store).backup({ ...options, pages: 1 }),
  "full backup": (store, options) => databaseOf(THIRD, store).backup({ ...options, pages: 4, full: true }),
  "slow backup": (store, options) => databaseOf(THIRD, store).backup({ ...options, maxBytesPerSecond: 1e9 }),
  download: async (store, options) => bytesOf(await databaseOf(FIRST, store).download(undefined, options)),
  verify: (store, options) => databaseOf(FIRST, store).verify(options),
  list: (store, { signal }) => Array.fromAsync(databaseOf(FIRST, store).backups(signal && { signal })),
  async restore(store, options) {
    const source = memory(THIRD, { name: "app" });
    try {
      await pagemark(source, { store }).restore({ ...options, at: "0000000000000001" });
    } catch (error) {
      expect(equal(new Uint8Array(await source.database.arrayBuffer()), THIRD)).toBe(true);
      throw error;
    }
    expect(equal(new Uint8Array(await source.database.arrayBuffer()), FIRST)).toBe(true);
  },
};
const NAMES = Object.keys(JOBS);

/** The job either rejects with `reason`, or had passed the point of no return; either way the store is sound. */
async function outcome(job: string, store: Store, through: Store, options: JobOptions, reason: unknown) {
  const before = await objectsOf(store);
  const ended = await Promise.resolve(JOBS[job]?.(through, options)).then(
    () => "done" as const,
    (error) => {
      expect(error).toBe(reason);
      return "ended" as const;
    },
  );
  // A restore may have made its safety backup; any other job that ended leaves no trace.
  if (ended === "ended" && job !== "restore") {
    const after = await objectsOf(store);
    const added = [...after.keys()].filter((key) => !before.has(key));
    expect(added.filter((key) => key.endsWith(".json"))).toEqual([]);
    expect((await orphansOf(store)).length).toBeLessThanOrEqual(2);
  }
  await proveListed(store, DONE, STATES);
  await proveNext(store, SECOND);
  return ended;
}

/** A reason as callers have them: with a `code` that is none of ours. */
const reasons = () => [
  Object.assign(new Error("enough"), { code: "ENOUGH" }),
  new DOMException("x", "AbortError"),
];

describe("F12 a job that is canceled rejects with the caller's reason", () => {
  test.each(NAMES)("%s, at every operation on the store", async (job) => {
    for (const reason of reasons()) {
      const tally = { done: 0, ended: 0 };
      for (let at = 1; ; at++) {
        const store = await copyOf(stored);
        const stop = new AbortController();
        let reached = false;
        const through = new FaultStore(store, {
          fault: ({ number }) => {
            if (number === at) stop.abort(reason);
            reached ||= number === at;
            return undefined;
          },
        });
        tally[await outcome(job, store, through, { signal: stop.signal }, reason)]++;
        if (!reached) break;
      }
      expect(tally.ended).toBeGreaterThan(0);
    }
  });

  test.each(NAMES)("%s, before it begins", async (job) => {
    const reason = new Error("never mind");
    const through = new FaultStore(stored);
    const ended = await outcome(job, stored, through, { signal: AbortSignal.abort(reason) }, reason);
    expect(ended).toBe("ended");
    stored = await rebuilt();
  });

  test.each(NAMES)("%s, while the store does not answer", async (job) => {
    const watched = new FaultStore(await copyOf(stored));
    await JOBS[job]?.(watched, {});
    for (const { number, kind } of watched.operations) {
      const store = await copyOf(stored);
      const reason = new Error("too slow");
      const stop = new AbortController();
      const through = hanging(store, number, () => stop.abort(reason));
      const ended = await outcome(job, store, through, { signal: stop.signal }, reason);
      if (kind !== "delete") expect(ended).toBe("ended");
    }
  });
});

describe("F12 progress", () => {
  const told = NAMES.filter((job) => job !== "list");

  test.each(told)("%s: an error that onProgress throws ends the job, and is what comes out", async (job) => {
    for (const reason of reasons()) {
      for (let at = 1; ; at++) {
        const store = await copyOf(stored);
        let calls = 0;
        const onProgress = () => {
          if (++calls === at) throw reason;
        };
        const ended = await outcome(job, store, store, { onProgress }, reason);
        expect(ended).toBe(calls >= at ? "ended" : "done");
        if (calls < at) break;
        expect(calls, "it is not called again").toBe(at);
      }
    }
  });

  test.each(told)("%s: aborted in onProgress", async (job) => {
    const reason = new Error("that is enough");
    for (let at = 1; ; at++) {
      const store = await copyOf(stored);
      const stop = new AbortController();
      let calls = 0;
      const onProgress = () => {
        if (++calls === at) stop.abort(reason);
      };
      await outcome(job, store, store, { onProgress, signal: stop.signal }, reason);
      if (calls < at) break;
    }
  });

  test.each(told)("A9 C3 %s: done never falls, and ends at the total", async (job) => {
    const seen: { done: number; total: number }[] = [];
    await JOBS[job]?.(await copyOf(stored), { onProgress: (progress) => void seen.push(progress) });
    expect(seen.length).toBeGreaterThan(0);
    expect(seen.map(({ done }) => done)).toEqual(seen.map(({ done }) => done).sort((a, b) => a - b));
    expect(seen.at(-1)?.done).toBe(seen.at(-1)?.total);
  });

  test("a backup held back to a byte a second ends at once when it is canceled", async () => {
    let stop = new AbortController();
    const reason = new Error("too slow");
    const started = performance.now();
    // Canceled while it waits, and before it begins to.
    for (const abort of [() => setTimeout(() => stop.abort(reason), 20), () => stop.abort(reason)]) {
      stop = new AbortController();
      const { signal } = stop;
      const store = memoryStore();
      const list = store.list.bind(store);
      store.list = (...args) => {
        abort();
        return list(...args);
      };
      await expect(databaseOf(FIRST, store).backup({ signal, maxBytesPerSecond: 1 })).rejects.toBe(reason);
    }
    expect(performance.now() - started).toBeLessThan(2000);
  });
});

async function rebuilt(): Promise<Store> {
  const store = memoryStore();
  for (const bytes of DONE.values()) await databaseOf(bytes, store).backup();
  return store;
}

/** The operation of that number answers only when it is aborted. */
function hanging(store: Store, at: number, whenReached: () => void): Store {
  let operations = 0;
  const waits = <A extends unknown[], T>(work: (...args: A) => Promise<T>) => {
    return async (...args: A): Promise<T> => {
      if (++operations !== at) return work(...args);
      const { signal } = (args.at(-1) ?? {}) as { signal?: AbortSignal };
      setTimeout(whenReached, 1);
      return new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
    };
  };
  return {
    layout: store.layout,
    description: store.description,
    put: waits(store.put.bind(store)),
    get: waits(store.get.bind(store)),
    head: waits(store.head.bind(store)),
    list: waits(store.list.bind(store)),
    delete: waits(store.delete.bind(store)),
  };
}
