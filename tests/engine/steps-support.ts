// What the tests of backups in steps share.
import {
  type BackupRunState,
  type BackupStep,
  type BackupSteps,
  memoryStore,
  pagemark,
  type Store,
} from "pagemark";
import { Database } from "pagemark/engine";
import { expect } from "vitest";
import { bytesOf } from "./support.ts";

/** A database with `rows` rows of 1,200 bytes that cannot be compressed. */
export async function databaseOf(rows: number, options = {}): Promise<Database> {
  const db = await Database.open({ name: "shop", history: { commits: 1000 }, ...options });
  db.exec("CREATE TABLE a (id INTEGER PRIMARY KEY, note TEXT, payload BLOB)");
  addRows(db, rows);
  return db;
}

export function addRows(db: Database, rows: number): void {
  db.exec(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${rows})
    INSERT INTO a (note, payload) SELECT 'note ' || i, randomblob(1200) FROM n`);
}

/** Makes steps until the backup is done. */
export async function finish(steps: BackupSteps, begun: BackupRunState, options = {}): Promise<BackupStep[]> {
  const made: BackupStep[] = [];
  for (let state = begun; made.at(-1)?.done === undefined; ) {
    const step = await steps.step(structuredClone(state), options);
    made.push(step);
    state = step.state;
  }
  return made;
}

/** Everything that a backup left can be restored, and is `image`. */
export async function expectBackup(db: Database, store: Store, image: Uint8Array, what = ""): Promise<void> {
  const backups = pagemark(db, { store });
  expect((await backups.verify()).problems, what).toEqual([]);
  expect(Buffer.compare(await bytesOf(await backups.download()), image), what).toBe(0);
}

export async function keysOf(store: Store): Promise<string[]> {
  return (await store.list("")).objects.map(({ key }) => key);
}

/** A copy of a store in memory, to go on from many times. */
export async function copyOf(store: Store): Promise<Store> {
  const copy = memoryStore();
  for (const { key, modified } of (await store.list("")).objects) {
    await copy.put(key, await bytesOf(await store.get(key)), { modified });
  }
  return copy;
}

/** The store whose `at`th call from now on (from 1), of any kind, fails before or after it is done; `calls` counts. */
export function failing(
  store: Store,
  at: number,
  how: "before" | "after",
): { store: Store; calls: string[] } {
  const calls: string[] = [];
  const proxied = <T extends object>(object: T, prefix: string): T =>
    new Proxy(object, {
      get(target, name) {
        const value = Reflect.get(target, name, target);
        if (name === "uploads" && value) return proxied(value as object, "uploads.");
        if (typeof value !== "function") return value;
        return async (...args: unknown[]) => {
          calls.push(prefix + String(name));
          const fails = calls.length === at;
          if (fails && how === "before") throw new Error("injected before");
          const answer = await value.apply(target, args);
          if (fails) throw new Error("injected after");
          return answer;
        };
      },
    });
  return { store: proxied(store, ""), calls };
}
