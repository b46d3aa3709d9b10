// A database whose pages are in a Durable Object's SQLite storage.
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { memoryStore, pagemark } from "pagemark";
import * as engine from "pagemark/engine";
import { Database, durableObjectStore, type OpenOptions } from "pagemark/engine";
import { expect, test } from "vitest";
import { live } from "../../engine/store-model.ts";

let objects = 0;

/** A new object, and how to run code inside of it. */
function object() {
  const stub = env.OBJECT.get(env.OBJECT.idFromName(`object ${objects++}`));
  const inside = <R>(action: (storage: DurableObjectStorage) => R | Promise<R>) =>
    runInDurableObject(stub, (_, { storage }) => action(storage));
  return { inside, evict: () => evictDurableObject(stub) };
}

function open(storage: DurableObjectStorage, options: OpenOptions = {}): Promise<Database> {
  return Database.open({ ...options, store: durableObjectStore(storage) });
}

/** The storage, with what it is asked counted. Fails where `before` does. */
function watched(storage: DurableObjectStorage, before: (sql: string) => void = () => {}) {
  const counts = { calls: 0, rowsRead: 0 };
  return {
    counts,
    sql: {
      exec(sql: string, ...bindings: unknown[]) {
        before(sql);
        counts.calls++;
        const cursor = storage.sql.exec(sql, ...bindings);
        const rows = [...cursor.raw()];
        counts.rowsRead += cursor.rowsRead;
        return { raw: () => rows };
      },
    },
    transactionSync: <T>(action: () => T) => storage.transactionSync(action),
  };
}

const rowsOf = (db: Database) =>
  db
    .prepare("SELECT a FROM t ORDER BY id")
    .all()
    .map(({ a }) => a);
const countIn = (storage: DurableObjectStorage, table: string) =>
  Number(storage.sql.exec(`SELECT count(*) AS n FROM ${table}`).one().n);

test("SQL, and what was committed is there when the object is opened anew", async () => {
  const { inside, evict } = object();
  await inside(async (storage) => {
    using db = await open(storage);
    db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, a); CREATE VIRTUAL TABLE f USING fts5(a)");
    db.exec(
      "INSERT INTO t VALUES (1, 'one'), (2, 9007199254740993), (3, x'00ff'); INSERT INTO f VALUES ('a word')",
    );
    db.exec("BEGIN; DELETE FROM t");
  });
  await evict();
  await inside(async (storage) => {
    using db = await open(storage);
    expect(rowsOf(db)).toEqual(["one", 9007199254740993n, new Uint8Array([0, 255])]);
    expect(db.prepare("SELECT a FROM f WHERE f MATCH 'word'").all()).toEqual([{ a: "a word" }]);
    expect(db.check().ok).toBe(true);
  });
});

test("history, holds and going back; then only the pages of the newest state are left", async () => {
  await object().inside(async (storage) => {
    const db = await open(storage, { history: { commits: 2 } });
    db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, a)");
    db.exec("INSERT INTO t VALUES (1, 0)");
    const hold = db.hold({ leaseMs: 1e9 });
    for (let n = 1; n <= 20; n++)
      db.exec(`UPDATE t SET a = ${n} WHERE id = 1; INSERT INTO t VALUES (${n + 1}, zeroblob(3000))`);
    expect(db.states()).toHaveLength(4);
    const undo = db.restore({ at: hold.bookmark });
    expect(rowsOf(db)).toEqual([0]);
    db.restore({ at: undo });
    expect(rowsOf(db)).toHaveLength(21);
    expect(() => db.restore({ at: "0000000000000003" })).toThrow();
    const pages = db.states().at(-1)?.pageCount;
    hold.release();
    db.close();

    using again = await open(storage);
    again.exec("DELETE FROM t WHERE id > 2");
    again.exec("VACUUM");
    expect(rowsOf(again)).toHaveLength(2);
    expect(again.states()).toHaveLength(1);
    const left = again.states().at(-1)?.pageCount;
    expect(left).toBeLessThan(pages ?? 0);
    expect([countIn(storage, "pagemark_versions"), countIn(storage, "pagemark_replaced")]).toEqual([left, 0]);
    expect(countIn(storage, "pagemark_commits")).toBe(1);
  });
});

test("an exception in the storage fails the statement, and leaves the last commit", async () => {
  await object().inside(async (storage) => {
    let failing = "";
    const cause = new Error("the storage is gone");
    const broken = watched(storage, (sql) => {
      if (failing && sql.includes(failing)) throw cause;
    });
    using db = await Database.open({ store: durableObjectStore(broken), history: { commits: 1 } });
    db.exec(
      "CREATE TABLE t (id INTEGER PRIMARY KEY, a); INSERT INTO t VALUES (1, 'kept'), (2, zeroblob(20000))",
    );
    const at = db.bookmark();
    for (const sql of [
      "INTO pagemark_versions",
      "DELETE FROM pagemark_commits",
      "REPLACE INTO pagemark_meta",
    ]) {
      failing = sql;
      let error: unknown;
      try {
        db.exec("UPDATE t SET a = 'lost'");
      } catch (thrown) {
        error = thrown;
      }
      failing = "";
      expect(error, sql).toMatchObject({ code: "ENGINE_STORE", cause });
      expect([db.bookmark(), rowsOf(db)[0]]).toEqual([at, "kept"]);
    }
    db.exec("UPDATE t SET a = 'new' WHERE id = 1");
    using again = await open(storage);
    expect([rowsOf(again)[0], again.check().ok]).toEqual(["new", true]);
  });
});

test.each([1, 2, 3])("random lives are as in a store of a Map: seed %i", async (seed) => {
  await object().inside(async (storage) => {
    const life = await live(engine, durableObjectStore(storage), { seed, steps: 120 });
    expect(life).toMatchObject({ differed: undefined });
    expect(life.compared).toBeGreaterThan(100);
  });
});

test("a database of 50 MB opens without reading its pages, and a row of it by a few", async () => {
  const { inside, evict } = object();
  const rows = 12_000;
  await inside(async (storage) => {
    using db = await open(storage);
    db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, a)");
    const insert = db.prepare("INSERT INTO t VALUES (?, zeroblob(4000))");
    for (let id = 0; id < rows; ) {
      db.transaction(() => {
        for (let n = 0; n < 1000; n++) insert.run(id++);
      });
    }
    expect((db.states().at(-1)?.pageCount ?? 0) * 4096).toBeGreaterThan(48e6);
  });
  await evict();
  await inside(async (storage) => {
    const counting = watched(storage);
    using db = await Database.open({ store: durableObjectStore(counting) });
    const opening = { ...counting.counts };
    expect(db.prepare("SELECT length(a) AS n FROM t WHERE id = ?").get(rows >> 1)).toEqual({ n: 4000 });
    const reading = { ...counting.counts };
    db.prepare("UPDATE t SET a = 1 WHERE id = ?").run(rows >> 1);
    console.log(`50 MB: ${JSON.stringify({ opening, reading, updated: counting.counts })}`);
    expect(opening.rowsRead).toBeLessThan(20);
    expect(reading.rowsRead).toBeLessThan(30);
    expect(counting.counts.rowsRead).toBeLessThan(60);
  });
});

test("a backup of it, the next one of what changed only, and a restore", async () => {
  const { inside } = object();
  const store = memoryStore();
  await inside(async (storage) => {
    using db = await open(storage, { name: "shop" });
    db.exec(
      "CREATE TABLE t (id INTEGER PRIMARY KEY, a); INSERT INTO t VALUES (1, 'one'), (2, zeroblob(400000))",
    );
    const backups = pagemark(db, { store, name: "shop" });
    expect((await backups.backup()).kind).toBe("full");
    db.exec("UPDATE t SET a = 'two' WHERE id = 1");
    const next = await backups.backup();
    expect(next.kind).toBe("incremental");
    expect(next.changedPages).toBeLessThan(5);
    const before = db.serialize();
    db.exec("DELETE FROM t");
    await backups.restore({ at: next.id });
    expect(rowsOf(db)[0]).toBe("two");
    expect(db.serialize().length).toBe(before.length);
    expect([countIn(storage, "pagemark_versions"), db.check().ok]).toEqual([before.length / 4096, true]);
  });
});
