// The backups of a database that must be kept, without a Worker: in memory, and in a folder.
import { join } from "node:path";
import { type Backup, fs, memoryStore, type Store } from "pagemark";
import { Database } from "pagemark/engine";
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { KeptBackups } from "../../js/dist/vault/kept-backups.js";
import type { BackupNote, BackupNotes, Removals } from "../../js/dist/vault/notes.js";
import { tempFolder } from "../support/temp.ts";

const HOUR = 3_600_000;
const NAME = "shop";
const folder = tempFolder();
let count = 0;
const STORES: Record<string, () => Store> = {
  memory: memoryStore,
  "a folder": () => fs(join(folder, `${++count}`)),
};

beforeEach(() => void vi.useFakeTimers({ toFake: ["Date"] }));
afterEach(() => void vi.useRealTimers());

/** In memory. */
function memoryNotes(notes: Iterable<BackupNote> = []): BackupNotes {
  const known = new Map(Array.from(notes, (note) => [note.id, note]));
  return {
    all: () => [...known.values()],
    put: (note) => void known.set(note.id, note),
    forget: (ids) => {
      for (const id of ids) known.delete(id);
    },
  };
}

/** Removals that are noted down in `left`, which its owner saves. */
function memoryRemovals(store: Store, left: string[]): Removals {
  return {
    add: (keys) => void left.push(...keys),
    async run() {
      for (let key = left[0]; key !== undefined; key = left[0]) {
        await store.delete(key);
        left.shift();
      }
    },
  };
}

/** A database that is backed up an hour after the time before. */
async function kept(store: Store, { endedMs, notes }: { endedMs?: number; notes?: BackupNote[] } = {}) {
  const db = await Database.open({ name: NAME });
  onTestFinished(() => db.close());
  db.exec("CREATE TABLE t (a)");
  const left: string[] = [];
  const place = { store, name: NAME, keepMs: 24 * HOUR, endedMs };
  const known = memoryNotes(notes);
  const backups = new KeptBackups({ ...place, notes: known, removals: memoryRemovals(store, left) });
  const next = async (options: { full?: boolean } = {}): Promise<Backup> => {
    vi.setSystemTime(Date.now() + HOUR);
    db.exec("INSERT INTO t VALUES (randomblob(100))");
    return db.backup({ store, ...options });
  };
  const ids = async () => (await backups.list()).map(({ id }) => id);
  const keys = async () => (await store.list(`${NAME}/`)).objects.map(({ key }) => key);
  return { close: () => db.close(), backups, notes: known, left, next, ids, keys };
}

describe.each(Object.entries(STORES))("backups that are kept in %s", (_, open) => {
  test("are listed newest first with who wanted them; one that nobody noted down is somebody's", async () => {
    const { backups, next } = await kept(open());
    const [first, second, third] = [await next(), await next(), await next()];
    backups.add(second.id, "automatic", 2);
    backups.add(third.id, "restore", 0);
    expect((await backups.list()).map(({ id, origin, missed }) => [id, origin, missed])).toEqual([
      [third.id, "restore", 0],
      [second.id, "automatic", 2],
      [first.id, "manual", 0],
    ]);
    expect((await backups.find(second.id.slice(0, 8))).id).toBe(second.id);
    expect((await backups.find(undefined)).id).toBe(third.id);
  });

  test("are deleted when nothing is made of them, and the newest when there is another", async () => {
    const { backups, next, ids, keys } = await kept(open());
    const [first, second] = [await next(), await next()];
    expect(await backups.delete(first.id)).toEqual({ stays: false });
    expect(await ids()).toEqual([second.id]);
    await expect(backups.find(first.id)).rejects.toMatchObject({ code: "BACKUP_UNKNOWN" });
    const before = (await keys()).length;
    expect(await backups.delete(second.id)).toEqual({ stays: true });
    const third = await next({ full: true });
    await backups.removeUnneeded();
    expect(await ids()).toEqual([third.id]);
    expect((await keys()).length).toBeLessThan(before);
    expect((await (await backups.stored()).verify()).problems).toEqual([]);
  });

  test("go after their time, as whole chains, and the store has nothing else then", async () => {
    const { backups, notes, next, ids, keys } = await kept(open());
    const full = await next();
    backups.add(full.id, "automatic", 0);
    for (let hour = 0; hour < 30; hour++) backups.add((await next({ full: hour === 24 })).id, "automatic", 0);
    expect(await backups.isChainOld(Date.now())).toBe(false);
    await backups.removeUnneeded();
    // Those of the last 24 hours are shown; the chain of the older ones is needed by them.
    expect(await ids()).toHaveLength(25);
    expect((await (await backups.stored()).list()).length).toBe(31);
    vi.setSystemTime(Date.now() + 20 * HOUR);
    await backups.removeUnneeded();
    expect(await ids()).toHaveLength(5);
    expect((await (await backups.stored()).list()).length).toBe(6);
    expect(notes.all()).toHaveLength(6);
    expect(await keys()).toHaveLength(18);
    expect((await (await backups.stored()).verify()).problems).toEqual([]);
  });

  test("of a database that is over stay as they were then, and all of them can be deleted", async () => {
    const store = open();
    const before = await kept(store);
    const made = await before.next();
    before.close();
    const over = await kept(store, {
      endedMs: Date.now(),
      notes: [{ id: made.id, origin: "automatic", missed: 0, deleted: false }],
    });
    vi.setSystemTime(Date.now() + 1000 * HOUR);
    await over.backups.removeUnneeded();
    expect(await over.ids()).toEqual([made.id]);
    expect(await over.backups.delete(made.id)).toEqual({ stays: false });
    expect(await over.keys()).toEqual([]);
  });

  test("leave what could not be deleted noted down, in order, for the next time", async () => {
    const real = open();
    let isDown = false;
    const store: Store = {
      layout: real.layout,
      description: real.description,
      put: (...args) => real.put(...args),
      get: (...args) => real.get(...args),
      head: (...args) => real.head(...args),
      list: (...args) => real.list(...args),
      delete: (key) => (isDown ? Promise.reject(new Error("down")) : real.delete(key)),
    };
    const { backups, next, left, ids, keys } = await kept(store);
    const first = await next();
    const second = await next({ full: true });
    isDown = true;
    await expect(backups.delete(first.id)).rejects.toThrow("down");
    expect(left.length).toBeGreaterThan(1);
    expect(left[0]).not.toMatch(/\.(ltx|pages)$/); // its record
    isDown = false;
    await backups.removeUnneeded();
    expect(left).toEqual([]);
    expect(await ids()).toEqual([second.id]);
    expect(await keys()).toHaveLength(3);
  });
});
