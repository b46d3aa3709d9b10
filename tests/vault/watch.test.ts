// Continuous backup: what is committed is in the store within the interval, whatever happens to the database.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import {
  type Database,
  file,
  folder as folderStore,
  memoryStore,
  ObjectExistsError,
  pagemark,
  type Store,
  StoreError,
  type WatchEvent,
  type WatchOptions,
  watch,
} from "pagemark";
import { afterEach, expect, onTestFinished, test, vi } from "vitest";
import { FaultStore } from "../faults/fault-store.ts";
import { CommandLine } from "../support/cli.ts";
import { litestreamRestore } from "../support/litestream.ts";
import { tempFolder } from "../support/temp.ts";

const folder = tempFolder();
let count = 0;
const open: DatabaseSync[] = [];
afterEach(() => {
  for (const db of open.splice(0)) if (db.isOpen) db.close();
});

function inWalMode(path: string): DatabaseSync {
  const db = new DatabaseSync(path);
  open.push(db);
  db.exec(
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, v BLOB)",
  );
  return db;
}

const insert = "INSERT INTO t (v) VALUES (randomblob(500))";

/** What a database holds, by its rows. */
function contents(db: DatabaseSync): string {
  const hash = createHash("sha256");
  for (const row of db.prepare("SELECT id, hex(v) AS v FROM t ORDER BY id").iterate())
    hash.update(`${row.id} ${row.v};`);
  return hash.digest("hex");
}

function contentsOf(bytes: Uint8Array): string {
  const path = join(folder, `read-${++count}.db`);
  writeFileSync(path, bytes);
  const db = new DatabaseSync(path);
  try {
    return contents(db);
  } finally {
    db.close();
  }
}

async function bytesOf(db: Database, at?: string): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of await db.download(at)) chunks.push(chunk.slice());
  return Buffer.concat(chunks);
}

function watching(databases: Database[], options: WatchOptions = {}) {
  const stopping = new AbortController();
  const events: WatchEvent[] = [];
  const watcher = watch(databases, {
    everyMs: 50,
    signal: stopping.signal,
    onEvent: (event) => events.push(event),
    ...options,
  });
  const stop = () => {
    stopping.abort();
    return watcher.done;
  };
  onTestFinished(() => stop().catch(() => {}));
  return { watcher, events, stop };
}

function place() {
  const path = join(folder, `app-${++count}.db`);
  const stored = join(folder, `store-${count}`);
  return { path, stored, db: pagemark(file(path), { store: folderStore(stored), name: "app" }) };
}

test("B12 every state that was stored restores, here and by litestream, through checkpoints and VACUUM", async () => {
  const { path, stored, db } = place();
  const app = inWalMode(path);
  const { watcher, stop } = watching([db]);
  const states: [txid: string, contents: string][] = [];
  const changes = [
    insert,
    insert,
    "DELETE FROM t WHERE id % 2",
    "PRAGMA wal_checkpoint(TRUNCATE)",
    insert,
    "VACUUM",
    insert,
  ];
  for (const sql of [
    ...changes,
    "PRAGMA wal_checkpoint(RESTART)",
    insert,
    "DROP TABLE t; CREATE TABLE t (id INTEGER PRIMARY KEY, v)",
  ]) {
    for (let i = 0; i < (sql === insert ? 20 : 1); i++) app.exec(sql);
    const { app: state } = await watcher.sync();
    states.push([state?.txid ?? "", contents(app)]);
  }
  await stop();
  for (const [txid, wanted] of states) {
    const bytes = await bytesOf(db, txid);
    expect(contentsOf(bytes)).toBe(wanted);
    expect(litestreamRestore(join(stored, "app"), "-txid", txid).equals(bytes)).toBe(true);
  }
  expect((await db.verify()).problems).toEqual([]);
  expect(contentsOf(await bytesOf(db))).toBe(contents(app));
});

test("commits are found by themselves; an idle database stores nothing", async () => {
  const { path, db } = place();
  const app = inWalMode(path);
  const { watcher, events } = watching([db]);
  await watcher.sync();
  const [before] = watcher.status();
  await sleep(300);
  expect(watcher.status()[0]?.requests).toBe(before?.requests);
  app.exec(insert);
  await expect.poll(() => events.at(-1), { timeout: 20_000 }).toMatchObject({ kind: "stored", name: "app" });
  expect(watcher.status()).toMatchObject([{ state: "following", states: 1, backups: 1 }]);
});

test("a large transaction, a backup of somebody else, and a second watcher each go into one chain", async () => {
  const { path, db } = place();
  const app = inWalMode(path);
  const one = watching([db], { backupEveryMs: 100 });
  await one.watcher.sync();
  app.exec(
    "WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 250) INSERT INTO t SELECT NULL, randomblob(80000) FROM n",
  );
  await one.watcher.sync();
  expect(contentsOf(await bytesOf(db))).toBe(contents(app));
  app.exec(insert);
  // The watcher makes backups, too: whoever is slower is told to run again.
  const another = pagemark(file(path), { store: db.store, name: "app" });
  await expect
    .poll(() => another.backup().catch(({ code }) => code), { timeout: 20_000 })
    .toMatchObject({ state: "done" });
  app.exec(insert);
  await one.watcher.sync();
  const two = watching([pagemark(file(path), { store: db.store, name: "app" })]);
  for (let i = 0; i < 6; i++) {
    app.exec(insert);
    await (i % 2 ? one : two).watcher.sync();
  }
  expect(contentsOf(await bytesOf(db))).toBe(contents(app));
  app.exec(insert);
  await two.stop();
  app.exec(insert);
  await one.stop();
  expect(contentsOf(await bytesOf(db))).toBe(contents(app));
  expect((await db.verify()).problems).toEqual([]);
}, 60_000);

test("a database that is deleted is missed, and one that takes its place is watched", async () => {
  const { path, db } = place();
  const app = inWalMode(path);
  app.exec(insert);
  const { watcher, events } = watching([db]);
  await watcher.sync();
  app.close();
  for (const ending of ["", "-wal", "-shm"]) rmSync(path + ending, { force: true });
  await expect.poll(() => watcher.status()[0]?.state, { timeout: 20_000 }).toBe("missing");
  const beside = inWalMode(`${path}.new`);
  beside.exec(`${insert}; ${insert}`);
  beside.close();
  renameSync(`${path}.new`, path);
  await expect.poll(() => events.at(-1)?.kind, { timeout: 20_000 }).toBe("started");
  const again = inWalMode(path);
  again.exec(insert);
  await watcher.sync();
  expect(contentsOf(await bytesOf(db))).toBe(contents(again));
});

test("F5 a store that cannot be reached is told, and catches up; the WAL does not grow meanwhile", async () => {
  const { path } = place();
  const app = inWalMode(path);
  let isDown = false;
  const store = new FaultStore(memoryStore(), {
    fault: () => (isDown ? { how: "before" } : undefined),
    error: () => new StoreError("STORE_IO", "connection refused", {}),
  });
  const db = pagemark(file(path), { store, name: "app" });
  const { watcher, events } = watching([db]);
  await watcher.sync();
  isDown = true;
  for (let i = 0; i < 3000; i++) app.exec(insert);
  await expect(watcher.sync()).rejects.toMatchObject({ code: "STORE_IO" });
  expect(events.at(-1)).toMatchObject({ kind: "failed", name: "app" });
  const { size } = statSync(`${path}-wal`);
  for (let i = 0; i < 5000; i++) app.exec(insert);
  expect(statSync(`${path}-wal`).size).toBeLessThan(size + (8 << 20));
  isDown = false;
  await watcher.sync();
  expect(contentsOf(await bytesOf(db))).toBe(contents(app));
});

test("what could not be stored is tried again, though nothing is committed since", async () => {
  const { path } = place();
  const app = inWalMode(path);
  let isDown = false;
  const store = new FaultStore(memoryStore(), {
    fault: () => (isDown ? { how: "before" } : undefined),
    error: () => new StoreError("STORE_IO", "connection refused", {}),
  });
  const db = pagemark(file(path), { store, name: "app" });
  const { watcher } = watching([db]);
  await watcher.sync();
  isDown = true;
  app.exec(insert);
  for (let i = 0; i < 3; i++) await expect(watcher.sync()).rejects.toMatchObject({ code: "STORE_IO" });
  isDown = false;
  await watcher.sync();
  expect(contentsOf(await bytesOf(db))).toBe(contents(app));
});

test("what nobody has open is stored soon after it has changed, though backups take long", async () => {
  const { path } = place();
  inWalMode(path).close();
  const store = new FaultStore(memoryStore(), { delay: () => sleep(50) });
  const { watcher, events, stop } = watching([pagemark(file(path), { store, name: "app" })]);
  await watcher.sync();
  const app = inWalMode(path);
  app.exec(insert);
  app.close();
  await vi.waitFor(() => expect(events.map(({ kind }) => kind)).toContain("stored"), { timeout: 5000 });
  await stop();
});

test("what lies in a state's place is compared whole: a part of it is not the state", async () => {
  const { path } = place();
  const app = inWalMode(path);
  const whole = memoryStore();
  let isCut = false;
  const put: Store["put"] = async (key, body, options) => {
    if (!isCut || !(body instanceof Uint8Array)) return whole.put(key, body, options);
    isCut = false;
    await whole.put(key, body.slice(0, -1), options);
    throw new ObjectExistsError(key);
  };
  const store = new Proxy(whole, {
    get: (_, name) => {
      const value = Reflect.get(whole, name);
      return name === "put" ? put : typeof value === "function" ? value.bind(whole) : value;
    },
  });
  const db = pagemark(file(path), { store, name: "app" });
  const { watcher, stop } = watching([db]);
  await watcher.sync();
  app.exec(insert);
  isCut = true;
  await watcher.sync();
  expect(isCut).toBe(false);
  expect(contentsOf(await bytesOf(db))).toBe(contents(app));
  await stop();
});

test("what happened between two states that were stored, or since one, is told as between backups", async () => {
  const { path, db } = place();
  const app = inWalMode(path);
  const { watcher, stop } = watching([db]);
  const txids: string[] = [];
  for (let i = 0; i < 4; i++) {
    app.exec(`${insert}; UPDATE t SET v = 'changed' WHERE id < ${i}`);
    txids.push((await watcher.sync()).app?.txid ?? "");
  }
  await stop();
  const [first = "", second = "", third = "", last = ""] = txids;
  const rows = async (from: string, to?: string) => {
    const difference = await db.diff(from, to);
    expect([difference.from.txid, difference.to.txid]).toEqual([from, to ?? last]);
    return difference.tables.map(({ rows }) => rows);
  };
  expect(await rows(first, second)).toEqual([{ added: 1, removed: 0, updated: 0 }]);
  expect(await rows(second, third)).toEqual([{ added: 1, removed: 0, updated: 1 }]);
  expect(await rows(first)).toEqual([{ added: 3, removed: 0, updated: 1 }]);
  expect(await rows(third, first)).toEqual([{ added: 0, removed: 2, updated: 1 }]);
});

test("a time finds the state of then in a copy of the folder that lost the files' times", async () => {
  const { path, stored, db } = place();
  const app = inWalMode(path);
  const { watcher, stop } = watching([db]);
  const times: string[] = [];
  for (let rows = 1; rows <= 3; rows++) {
    app.exec(insert);
    await watcher.sync();
    times.push(new Date().toISOString());
    await sleep(20);
  }
  await stop();
  const now = new Date();
  for (const name of readdirSync(stored, { recursive: true, encoding: "utf8" }))
    utimesSync(join(stored, name), now, now);
  for (const [at, time] of times.entries()) {
    const bytes = await bytesOf(db, time);
    const image = join(folder, `at-${++count}.db`);
    writeFileSync(image, bytes);
    const then = new DatabaseSync(image);
    expect(then.prepare("SELECT count(*) AS n FROM t").get()).toEqual({ n: at + 1 });
    then.close();
  }
  const [first = "", second = "", third = ""] = times;
  expect((await db.diff(first, third)).tables).toMatchObject([
    { rows: { added: 2, removed: 0, updated: 0 } },
  ]);
  // Which backup it is, its record says: no file of a state is asked for that.
  const own = folderStore(stored);
  const read: string[] = [];
  const store: Store = Object.assign(new FaultStore(own), {
    get: (key: string, options: object) => {
      read.push(key);
      return own.get(key, options);
    },
  });
  expect(await pagemark(file(path), { name: "app", store }).bookmark(third)).toMatch(/^00000000-00000001-/);
  expect(read).toEqual(["app/pagemark/0000000000000001.json"]);

  // What lacks its date, or is lost, is told where it would have been restored.
  const noteAt = async (at?: string) => {
    const told: string[] = [];
    await (await db.download(at, { onWarning: (message) => told.push(message) })).cancel();
    return told.join();
  };
  const states = join(stored, "app/ltx/1");
  const [damaged = ""] = readdirSync(states).sort();
  const bytes = readFileSync(join(states, damaged));
  writeFileSync(join(states, damaged), Buffer.concat([Buffer.alloc(1), bytes.subarray(1)]));
  expect(await noteAt(second)).toContain(`app/ltx/1/${damaged} is left out`);
  rmSync(join(states, damaged));
  expect(await noteAt(second)).toBe("");
  for (const at of [third, undefined]) expect(await noteAt(at)).toContain("there are later states");

  // So is it by everything else that takes an older state than was asked for.
  const told: string[] = [];
  const warned = { onWarning: (message: string) => void told.push(message) };
  await db.diff(first, "now", warned).then(() => db.preview({ at: third, ...warned }));
  await (await db.diffSql(first, third, warned)).cancel();
  const cli = new CommandLine(stored);
  for (const args of [["show"], ["list"], ["diff", "--since", first], ["open", "SELECT 1"]])
    told.push(cli.run(args[0] ?? "", "app", ...args.slice(1), "--from", ".").stderr);
  expect(told).toEqual(Array(told.length).fill(expect.stringContaining("there are later states")));
});

test("a verification counts what it reads of states, too", async () => {
  const { path, stored, db } = place();
  const app = inWalMode(path);
  const { watcher, stop } = watching([db]);
  await watcher.sync();
  for (let i = 0; i < 3; i++) {
    app.exec(insert);
    await watcher.sync();
  }
  await stop();
  const files = readdirSync(stored, { recursive: true, encoding: "utf8" });
  const sizes = files
    .filter((name) => /\.(ltx|pages)$/.test(name))
    .map((name) => statSync(join(stored, name)).size);
  expect(sizes.length).toBeGreaterThan(3);
  expect((await db.verify()).bytes).toBe(sizes.reduce((sum, size) => sum + size, 0));
});

test("a database in rollback mode is backed up when it has changed", async () => {
  const { path, db } = place();
  const app = new DatabaseSync(path);
  open.push(app);
  app.exec(`CREATE TABLE t (id INTEGER PRIMARY KEY, v); ${insert}`);
  const { watcher, stop } = watching([db]);
  await watcher.sync();
  expect(watcher.status()).toMatchObject([{ state: "comparing", backups: 1 }]);
  app.exec(insert);
  await stop();
  expect(contentsOf(await bytesOf(db))).toBe(contents(app));
});
