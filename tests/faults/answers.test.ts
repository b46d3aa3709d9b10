import { memory, memoryStore, PagemarkError, pagemark, type Store, StoreError } from "pagemark";
import { beforeAll, describe, expect, test } from "vitest";
import { type Fault, FaultStore, type Operation } from "./fault-store.ts";
import { copyOf, type Done, objectsOf, proveListed, proveNext, storeOf } from "./prove.ts";
import { bytesOf, databaseOf, equal, states } from "./states.ts";

type Bytes = Uint8Array<ArrayBuffer>;

const STATES = states();
const [FIRST, SECOND, THIRD] = STATES as [Bytes, Bytes, Bytes];
/** TXID to bytes: a full backup and two incrementals. */
const DONE: Done = new Map([
  ["0000000000000001", FIRST],
  ["0000000000000002", SECOND],
  ["0000000000000003", THIRD],
]);
const FULL = new StoreError("STORE_FULL", "the disk is full", {});

let stored: Store;

beforeAll(async () => {
  stored = memoryStore();
  for (const bytes of DONE.values()) await databaseOf(bytes, stored).backup();
});

/** What a user can do; each gives bytes or text that must be right, whatever the store answered on the way. */
const JOBS: Record<string, (store: Store) => Promise<unknown>> = {
  backup: async (store) => (await databaseOf(SECOND, store).backup()).txid,
  "full backup": async (store) => (await databaseOf(SECOND, store).backup({ full: true })).txid,
  list: async (store) => (await Array.fromAsync(databaseOf(FIRST, store).backups())).map(({ txid }) => txid),
  download: async (store) => `${await bytesOf(await databaseOf(FIRST, store).download())}`,
  show: async (store) => JSON.stringify(await databaseOf(FIRST, store).show()),
  verify: async (store) => (await databaseOf(FIRST, store).verify()).sound.map(({ txid }) => txid),
  restore: async (store) => {
    const source = memory(SECOND, { name: "app" });
    await pagemark(source, { store }).restore({ at: "0000000000000001" });
    return `${new Uint8Array(await source.database.arrayBuffer())}`;
  },
};

async function run(job: string, store: Store): Promise<{ result: unknown } | { error: unknown }> {
  try {
    return { result: await JOBS[job]?.(store) };
  } catch (error) {
    return { error };
  }
}

/** The job once for each of its operations, with that operation failing. */
async function eachOperation(
  job: string,
  fault: Fault,
  check: (
    outcome: Awaited<ReturnType<typeof run>>,
    expected: unknown,
    store: Store,
    at: Operation,
  ) => unknown,
) {
  const watched = new FaultStore(await copyOf(stored));
  const expected = await JOBS[job]?.(watched);
  for (const operation of watched.operations) {
    const store = await copyOf(stored);
    const failing = new FaultStore(store, {
      fault: ({ number }) => (number === operation.number ? fault : undefined),
      error: () => FULL,
    });
    await check(await run(job, failing), expected, store, operation);
  }
}

describe("F5 a store that answers an operation with an error", () => {
  const faults: Fault[] = [{ how: "before" }, { how: "after" }, { how: "torn", cut: "half" }];
  const cases = Object.keys(JOBS).flatMap((job) => faults.map((fault) => [job, fault.how, fault] as const));

  test.each(cases)(
    "%s, %s: that error, or a result that is right; nothing is lost",
    async (job, _, fault) => {
      await eachOperation(job, fault, async (outcome, expected, store, operation) => {
        if ("error" in outcome) expect(outcome.error).toBe(FULL);
        // Verify says which object it could not read.
        else if (job !== "verify") expect(outcome.result).toEqual(expected);
        if (operation.kind === "delete") expect(outcome).toHaveProperty("result");
        await proveListed(store, DONE, STATES);
        await proveNext(store, SECOND);
      });
    },
  );
});

describe("F5 a store whose bytes are not those that were stored", () => {
  const faults: Fault[] = [{ how: "short" }, { how: "wrong" }, { how: "broken" }];
  const cases = Object.keys(JOBS).flatMap((job) => faults.map((fault) => [job, fault.how, fault] as const));

  test.each(cases)("%s, %s: an error with a code, or a result that is right", async (job, how, fault) => {
    await eachOperation(job, fault, async (outcome, expected, store) => {
      if ("error" in outcome) {
        const reset = how === "broken" && `${outcome.error}`.includes("the connection was reset");
        if (!reset) expect(outcome.error).toBeInstanceOf(PagemarkError);
        if (!reset) expect((outcome.error as PagemarkError).code).not.toBe("INTERNAL");
      } else if (!["backup", "full backup", "list", "verify"].includes(job)) {
        expect(outcome.result).toEqual(expected);
      }
      await proveListed(store, DONE, STATES);
      await proveNext(store, SECOND);
    });
  });
});

describe("F5 a store whose lists are behind, or come in small pages", () => {
  test("a list without the newest objects: the backup loses, or is right; nothing is lost", async () => {
    const { objects } = await stored.list("app/");
    for (const full of [false, true]) {
      for (const { key: newest } of objects) {
        const store = await copyOf(stored);
        const txid = newest.slice(newest.lastIndexOf("/") + 1, newest.lastIndexOf("/") + 17);
        const behind = new FaultStore(store, {
          fault: ({ kind }) =>
            kind === "list"
              ? { how: "stale", hides: (key) => key.includes(txid) && key >= newest }
              : undefined,
        });
        const done = new Map(DONE);
        try {
          done.set((await databaseOf(SECOND, behind).backup({ full })).txid, SECOND);
        } catch (error) {
          expect(error).toMatchObject({ code: "CONFLICT" });
        }
        await proveListed(store, done, STATES);
        await proveNext(store, SECOND);
      }
    }
  });

  test("a list that lacks any one or two objects: no backup that was done is lost", async () => {
    const keys = (await stored.list("app/")).objects.map(({ key }) => key);
    for (const one of keys) {
      for (const other of keys) {
        const store = await copyOf(stored);
        const behind = new FaultStore(store, {
          fault: ({ kind }) =>
            kind === "list" ? { how: "stale", hides: (key) => key === one || key === other } : undefined,
        });
        const done = new Map(DONE);
        try {
          done.set((await databaseOf(SECOND, behind).backup()).txid, SECOND);
        } catch (error) {
          expect(error).toMatchObject({ code: "CONFLICT" });
        }
        await proveListed(store, done, STATES);
        await proveNext(store, SECOND);
      }
    }
  });

  test("LTX files that no run of ours left, such as Litestream's, are never swept", async () => {
    const objects = await objectsOf(stored);
    const theirs = new Map([...objects].filter(([key]) => key.endsWith(".ltx")));
    const store = await storeOf(theirs);
    for (const bytes of [FIRST, SECOND, THIRD]) await databaseOf(bytes, store).backup();
    const after = await objectsOf(store);
    for (const [key, bytes] of theirs) expect(after.get(key)).toEqual(bytes);
    await proveListed(store, new Map(), STATES);
  });

  test("records that were all lost, and come back: their files are still there", async () => {
    const objects = await objectsOf(stored);
    const records = [...objects].filter(([key]) => key.endsWith(".json"));
    const store = await storeOf(new Map([...objects].filter(([key]) => !key.endsWith(".json"))));
    await databaseOf(SECOND, store).backup();
    const after = await objectsOf(store);
    await proveListed(await storeOf(new Map([...after, ...records])), DONE, STATES);
  });

  test.each([1, 2, 3])("lists in pages of %i", async (pageSize) => {
    const store = await copyOf(stored);
    const paged = new FaultStore(store, { pageSize });
    await proveListed(paged, DONE, STATES);
    await databaseOf(SECOND, paged).backup();
    expect(equal(await bytesOf(await databaseOf(FIRST, paged).download()), SECOND)).toBe(true);
    await proveNext(paged, THIRD);
  });
});
