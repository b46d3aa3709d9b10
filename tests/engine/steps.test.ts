// Backups in steps, by processes that end at any moment, with the newest state that they kept or an older one.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { type BackupRunState, type BackupStep, backupSteps, memory, memoryStore, pagemark } from "pagemark";
import { Database } from "pagemark/engine";
import { describe, expect, test } from "vitest";
import { MapStore } from "./map-store.ts";
import { addRows, copyOf, databaseOf, expectBackup, failing, finish, keysOf } from "./steps-support.ts";
import { rejectionOf } from "./support.ts";

const KiB = 1024;

/** Of all that a caller has to keep, in bytes; no array of it may be large. */
function sizeOf(state: unknown): number {
  if (state instanceof Uint8Array) {
    expect(state.length).toBeLessThanOrEqual(512 * KiB);
    return state.length;
  }
  if (typeof state !== "object" || state === null) return 8;
  return Object.values(state).reduce((sum: number, each) => sum + sizeOf(each), 0);
}

/** Runs the garbage collector, so that what memory is used for is what is held. */
function collect(): void {
  setFlagsFromString("--expose-gc");
  runInNewContext("gc")();
}

describe("a backup in steps", () => {
  test("C5 E4 is the state it began with, whatever is written meanwhile, and goes on after evictions", async () => {
    const [pages, store] = [new MapStore(), memoryStore()];
    let db = await databaseOf(9000, { store: pages });
    const image = db.serialize();
    let state = await backupSteps(db, { store }).start();
    expect(await keysOf(store)).toEqual([]);
    let step: BackupStep | undefined;
    let done = 0;
    for (let n = 0; !step?.done; n++) {
      db.exec(`UPDATE a SET note = 'later ${n}' WHERE id % 100 = ${n}`);
      if (n % 3 === 1) {
        db.close();
        db = await Database.open({ name: "shop", store: pages, history: { commits: 1000 } });
      }
      if (!step?.done) expect(await pagemark(db, { store }).backups().next()).toMatchObject({ done: true });
      step = await backupSteps(db, { store }).step(structuredClone(state), { maxBytes: 1024 * KiB });
      state = step.state;
      expect(step.progress.done).toBeGreaterThanOrEqual(done);
      done = step.progress.done;
    }
    expect(step.progress).toMatchObject({ done: image.length / 4096, total: image.length / 4096 });
    expect(step.done).toMatchObject({
      kind: "full",
      fullBecause: "it is the first",
      taken: "start",
      tables: 1,
    });
    await expectBackup(db, store, image);
    const again = await backupSteps(db, { store }).step(state);
    expect(again.done).toEqual(step.done);
    db.close();
  });

  test("is incremental where the source tells what changed, and the chain goes on in every way", async () => {
    const store = memoryStore();
    using db = await databaseOf(3000);
    const steps = backupSteps(db, { store });
    const ways: [string, string, () => Promise<unknown>][] = [
      ["full", "", async () => finish(steps, await steps.start())],
      [
        "incremental",
        "UPDATE a SET note = 'x' WHERE id % 9 = 0",
        async () => finish(steps, await steps.start()),
      ],
      ["incremental", "INSERT INTO a (note) VALUES ('y')", () => db.backup({ store })],
      [
        "incremental",
        "DELETE FROM a WHERE id > 1000; VACUUM",
        async () => finish(steps, await steps.start()),
      ],
      ["incremental", "", async () => finish(steps, await steps.start())],
      [
        "incremental",
        "UPDATE a SET note = 'z'",
        () => pagemark(memory(db.serialize()), { name: "shop", store }).backup(),
      ],
      ["incremental", "UPDATE a SET note = 'w' WHERE id = 3", async () => finish(steps, await steps.start())],
      ["full", "PRAGMA page_size = 1024; VACUUM", async () => finish(steps, await steps.start())],
      ["full", "DELETE FROM a", async () => finish(steps, await steps.start({ full: true }))],
      ["incremental", "INSERT INTO a (note) VALUES ('last')", async () => finish(steps, await steps.start())],
    ];
    for (const [n, [kind, sql, backup]] of ways.entries()) {
      db.exec(sql);
      await backup();
      const { value } = await pagemark(db, { store }).backups().next();
      expect(value, `backup ${n}`).toMatchObject({ kind, pageCount: db.states().at(-1)?.pageCount });
      await expectBackup(db, store, db.serialize(), `backup ${n}`);
    }
  });

  test("comes out the same when each step is made twice, or again from any state before", async () => {
    using db = await databaseOf(14_000);
    const [store, other] = [memoryStore(), memoryStore()];
    const image = db.serialize();
    const begun = await backupSteps(db, { store }).start();
    const once = await finish(backupSteps(db, { store }), begun, { maxBytes: 4096 * KiB });
    expect(once.length).toBeGreaterThan(5);
    await expectBackup(db, store, image);

    const steps = backupSteps(db, { store: other });
    const states = [await steps.start()];
    for (let done = false; !done; ) {
      const state = states.at(-1) as BackupRunState;
      // A process that ended went on to its end of this step, or two steps further.
      const lost = await steps.step(structuredClone(state), { maxBytes: 4096 * KiB });
      await steps.step(structuredClone(lost.state), { maxBytes: 2048 * KiB });
      const step = await steps.step(structuredClone(state), { maxBytes: 4096 * KiB });
      states.push(step.state);
      done = step.done !== undefined;
    }
    for (const state of states) await finish(steps, structuredClone(state));
    await expectBackup(db, other, image);
    const sizes = async (of: typeof store) => (await of.list("")).objects.map(({ key, size }) => [key, size]);
    expect((await sizes(other)).slice(0, 2)).toEqual((await sizes(store)).slice(0, 2));
  });

  test.each(["before", "after"] as const)(
    "holds when any call to the store fails %s it is done",
    async (how) => {
      using db = await databaseOf(6000);
      const base = memoryStore();
      await db.backup({ store: base });
      addRows(db, 5000);
      const image = db.serialize();
      for (let at = 1, isThrough = false; !isThrough; at++) {
        const store = await copyOf(base);
        const { store: faulty, calls } = failing(store, at, how);
        const steps = backupSteps(db, { store: faulty });
        let state: BackupRunState | undefined;
        let failures = 0;
        for (let isDone = false; !isDone; ) {
          try {
            state ??= await steps.start();
            // As after a crash: the newest state that was kept.
            const step = await steps.step(structuredClone(state));
            [state, isDone] = [step.state, step.done !== undefined];
          } catch (error) {
            failures++;
            expect(String(error), calls.join(" ")).toContain("injected");
          }
        }
        isThrough = at > calls.length;
        expect(failures, calls[at - 1]).toBeLessThanOrEqual(1);
        const made = await Array.fromAsync(pagemark(db, { store }).backups());
        expect(made.length, `${how} call ${at}, ${calls[at - 1]}`).toBe(2);
        await expectBackup(db, store, image, `${how} call ${at}, ${calls[at - 1]}`);
        expect(await keysOf(store)).toHaveLength(6);
      }
    },
    60_000,
  );
});

describe("a backup in steps that is given up", () => {
  test("leaves nothing, after whichever step, also when more was done than its state says", async () => {
    using db = await databaseOf(5000);
    const store = memoryStore();
    const steps = backupSteps(db, { store });
    const states = [await steps.start()];
    for (let n = 0; n < 100; n++) {
      const { state, done } = await steps.step(states.at(-1) as BackupRunState, { maxMs: 0 });
      if (done) break;
      states.push(state);
    }
    const made = await keysOf(store);
    expect([states.at(-1)?.phase, made.length]).toEqual(["sweep", 3]);
    // It is made: nothing of it goes.
    for (const state of states) await steps.abort(structuredClone(state));
    expect(await keysOf(store)).toEqual(made);

    const phases = new Set<string>();
    for (const [n, state] of states.entries()) {
      if (state.phase === "sweep") continue;
      phases.add(state.phase);
      const fresh = memoryStore();
      const again = backupSteps(db, { store: fresh });
      let current = await again.start();
      const before = current;
      for (let at = 0; at < n; at++) current = (await again.step(current, { maxMs: 0 })).state;
      await again.abort(n % 2 ? before : current);
      await again.abort(current);
      expect(await keysOf(fresh), state.phase).toEqual([]);
      if (state.phase === "pages" && n > 25)
        expect((await rejectionOf(again.step(current))).code).toBe("STORE_UPLOAD");
    }
    expect([...phases]).toEqual(["pages", "fingerprints", "ltx", "record"]);
  });

  test("is one that another backup was quicker than: it says so, and the other's objects stay", async () => {
    using db = await databaseOf(3000);
    const store = memoryStore();
    const steps = backupSteps(db, { store });
    const begun = await steps.start();
    const { state } = await steps.step(begun, { maxMs: 0 });
    const image = db.serialize();
    await db.backup({ store });
    const keys = await keysOf(store);
    expect((await rejectionOf(finish(steps, state))).code).toBe("CONFLICT");
    expect(await keysOf(store)).toEqual(keys);
    await expectBackup(db, store, image);
  });

  test("leaves what the next backup sweeps when its process and its state are lost", async () => {
    using db = await databaseOf(100);
    const store = memoryStore();
    const steps = backupSteps(db, { store });
    let state = await steps.start();
    while (state.phase !== "record") state = (await steps.step(state, { maxMs: 0 })).state;
    expect(await keysOf(store)).toHaveLength(2);
    await finish(steps, await steps.start());
    expect(await keysOf(store)).toHaveLength(3);
    await expectBackup(db, store, db.serialize());
  });
});

describe("a backup in steps is refused", () => {
  test("by name, when the source is at another state or keeps that one no more", async () => {
    using db = await databaseOf(3000, { history: {} });
    const steps = backupSteps(db, { store: memoryStore() });
    const hold = db.hold();
    const state = await steps.start({ at: hold.bookmark });
    db.exec("DELETE FROM a WHERE id = 1");
    expect((await steps.step(state, { maxMs: 0 })).state.progress.done).toBeGreaterThan(0);
    const source = { name: "shop", pin: () => db.pin() };
    const wrong = rejectionOf(backupSteps(source, { store: memoryStore() }).step(state));
    expect(await wrong).toMatchObject({
      code: "SOURCE_OTHER_STATE",
      message: expect.stringContaining(state.bookmark),
    });
    hold.release();
    expect((await rejectionOf(steps.step(state))).code).toBe("HISTORY_GONE");
  });

  test("where the source names no states, or the store takes no parts", async () => {
    using db = await databaseOf(10);
    const nameless = backupSteps(memory(db.serialize()), { store: memoryStore() });
    expect((await rejectionOf(nameless.start())).code).toBe("USAGE");
    const store = Object.defineProperty(memoryStore(), "uploads", { value: undefined });
    expect((await rejectionOf(backupSteps(db, { store }).start())).code).toBe("USAGE");
  });

  test("when what was saved is damaged, or of another version", async () => {
    using db = await databaseOf(3000);
    const steps = backupSteps(db, { store: memoryStore() });
    const { state } = await steps.step(await steps.start(), { maxMs: 0 });
    const flip = (bytes: Uint8Array | undefined, at: number) => bytes?.set([~(bytes[at] ?? 0)], at);
    const damage: ((state: BackupRunState) => unknown)[] = [
      (state) => flip(state.head, 60),
      (state) => flip(state.index[0], 3),
      (state) => state.index.splice(0),
      (state) => flip(state.ltx?.hash, 0),
      (state) => state.fingerprints?.hash.fill(9, 40),
      (state) => Object.assign(state, { version: 99 }),
      (state) => Object.assign(state, { head: new Uint8Array() }),
    ];
    for (const [n, change] of damage.entries()) {
      const changed = structuredClone(state);
      change(changed);
      expect((await rejectionOf(steps.step(changed))).code, `${n}`).toBe("SAVED_STATE");
    }
    expect((await steps.step(state)).state.progress.done).toBeGreaterThan(0);
  });
});

test("100 MB in steps: a small state, whose pieces mostly stay, and memory of a part and a batch", async () => {
  using db = await databaseOf(62_000);
  const store = memoryStore();
  const steps = backupSteps(db, { store });
  let state = await steps.start();
  let [largest, most, fewest] = [0, 0, Number.POSITIVE_INFINITY];
  for (let step: BackupStep | undefined; !step?.done; ) {
    const before = new Set([
      ...state.index,
      ...(state.ltx?.pending ?? []),
      ...(state.fingerprints?.pending ?? []),
    ]);
    step = await steps.step(state);
    state = step.state;
    largest = Math.max(largest, sizeOf(state));
    const added = [...state.index, ...(state.fingerprints?.pending ?? [])].filter(
      (each) => !before.has(each),
    );
    expect(added.length).toBeLessThanOrEqual(4);
    if (state.phase !== "pages") continue;
    collect();
    const used =
      process.memoryUsage().arrayBuffers - (state.ltx?.size ?? 0) - (state.fingerprints?.size ?? 0);
    [most, fewest] = [Math.max(most, used), Math.min(fewest, used)];
  }
  // Less than a part that waits, and the index, 3 bytes a page.
  expect(largest).toBeLessThan(6 * 1024 * KiB);
  // What was given up is counted for a while: a part, its copy on the way to the store, and that of steps before.
  expect(most - fewest).toBeLessThan(48 * 1024 * KiB);
  await expectBackup(db, store, db.serialize());
}, 60_000);
