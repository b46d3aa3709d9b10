// The store for Durable Objects, over node:sqlite: what it does in workerd is in tests/runtimes/workerd.
import { PagemarkError } from "pagemark";
import * as engine from "pagemark/engine";
import { Database, durableObjectStore, type Hold } from "pagemark/engine";
import { describe, expect, test } from "vitest";
import { SqlStorage } from "./sql-storage.ts";
import { live } from "./store-model.ts";
import { codeOf, column, rejectionOf, thrownBy } from "./support.ts";

const rowsOf = (db: Database) => column(db, "SELECT a FROM t ORDER BY id");
const versionsIn = (storage: SqlStorage) => storage.value("SELECT count(*) FROM pagemark_versions");
const pagesOf = (db: Database) => db.states().at(-1)?.pageCount;

async function open(storage: SqlStorage, options: engine.OpenOptions = {}): Promise<Database> {
  return Database.open({ ...options, store: durableObjectStore(storage) });
}

describe("durableObjectStore()", { timeout: 30_000 }, () => {
  test.each([
    [1],
    [2],
    [3],
    [4],
    [6],
    [12],
    // What is not committed goes to the storage at once.
    [21, 1024],
    [22, 1024],
    [24, 8192],
  ])("random lives are as in a store of a Map: seed %i, in memory %s", async (seed, spillAfter?: number) => {
    const storage = new SqlStorage();
    let staged = 0;
    storage.before = (sql) => {
      if (sql.startsWith("REPLACE INTO pagemark_staging")) staged++;
    };
    const store = durableObjectStore(storage);
    const life = await live(engine, store, {
      seed,
      steps: spillAfter === undefined ? 250 : 120,
      ...(spillAfter && { spillAfter }),
    });
    expect(staged > 10).toBe(spillAfter !== undefined);
    expect(life).toMatchObject({ differed: undefined });
    expect(life.compared).toBeGreaterThan(1000);
    expect(life.restored).toBeGreaterThan(0);
    // With nothing held, and no history, only the newest versions are left.
    using db = await open(storage);
    db.exec("PRAGMA user_version = 1");
    while (durableObjectStore(storage).sweep());
    expect(versionsIn(storage)).toBe(pagesOf(db));
    expect(storage.value("SELECT count(*) FROM pagemark_replaced")).toBe(0);
    expect(storage.value("SELECT count(*) FROM pagemark_commits")).toBe(1);
  });

  test.each([
    ["", undefined, 80],
    [", and takes what is not committed", 1024, 40],
  ])(
    "the storage fails at any statement%s: the database is at its last commit, and goes on from it",
    async (_, spillAfter, least) => {
      const cause = new Error("the storage is gone");
      let isDone = false;
      let failures = 0;
      for (let failing = 1; !isDone; failing += spillAfter === undefined ? 1 : 7) {
        const storage = new SqlStorage();
        let calls = 0;
        const fail = () => {
          if (++calls === failing) throw cause;
        };
        storage.before = fail;
        const seen: unknown[][] = [[]];
        let db: Database | undefined;
        let hold: Hold | undefined;
        const steps = [
          "INSERT INTO t VALUES (1, 'x', NULL)",
          "INSERT INTO t VALUES (2, 'large', randomblob(30000))",
          "UPDATE t SET a = 'y' WHERE id = 1",
          "DELETE FROM t WHERE id = 2",
          "PRAGMA incremental_vacuum",
          "VACUUM",
          "INSERT INTO t VALUES (3, 'last', NULL)",
        ];
        let expected: unknown[] = [];
        try {
          const small = spillAfter === undefined ? {} : { spillAfter, cacheSize: 16384 };
          db = await open(storage, { history: { commits: 2 }, ...small });
          db.exec("PRAGMA auto_vacuum = INCREMENTAL; CREATE TABLE t (id INTEGER PRIMARY KEY, a, payload)");
          for (const [index, step] of steps.entries()) {
            if (index === 2) hold = db.hold();
            db.exec(step);
            // Reading it may fail, too: what was committed stays so.
            expected =
              [["x"], ["x", "large"], ["y", "large"], ["y"], ["y"], ["y"], ["y", "last"]][index] ?? [];
            seen.push(expected);
            if (index === 5) hold?.release();
          }
          isDone = calls < failing;
        } catch (error) {
          expect(error).toBeInstanceOf(PagemarkError);
          expect(error).toMatchObject({ code: "ENGINE_STORE", cause });
          failures++;
        }
        storage.before = () => {};
        if (db && !isDone) {
          if (db.inTransaction) db.exec("ROLLBACK");
          db.exec("CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, a, payload)");
          db.exec("INSERT INTO t VALUES (9, 'on', NULL)");
          const possible = [expected, seen.at(-1)].map((rows) => JSON.stringify([...(rows ?? []), "on"]));
          expect(possible, `call ${failing}`).toContain(JSON.stringify(rowsOf(db)));
        }
        const rows = db && !isDone ? rowsOf(db) : expected;
        db?.close();
        using again = await open(storage);
        if (again.states().length > 0) {
          expect(again.check().ok, `call ${failing}`).toBe(true);
          expect(rowsOf(again), `call ${failing}`).toEqual(rows);
          again.exec("PRAGMA user_version = 7");
          while (durableObjectStore(storage).sweep());
          expect(versionsIn(storage), `call ${failing}`).toBe(pagesOf(again));
        }
      }
      expect(failures).toBeGreaterThan(least);
    },
  );

  test("full storage is ENGINE_FULL, and room is all it takes", async () => {
    const storage = new SqlStorage();
    using db = await open(storage);
    db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, a)");
    const cause = new Error("database or disk is full: SQLITE_FULL");
    storage.before = (sql) => {
      if (sql.includes("INTO pagemark_versions")) throw cause;
    };
    expect(thrownBy(() => db.exec("INSERT INTO t VALUES (1, 'x')"))).toMatchObject({
      code: "ENGINE_FULL",
      cause: { code: "STORE_FULL", cause },
    });
    storage.before = () => {};
    db.exec("INSERT INTO t VALUES (1, 'x')");
    expect(rowsOf(db)).toEqual(["x"]);
  });

  test("a second writer is refused, and so is one whose commits the object rolled back", async () => {
    const storage = new SqlStorage();
    using db = await open(storage);
    db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, a)");
    using second = await open(storage);
    db.exec("INSERT INTO t VALUES (1, 'x')");
    expect(codeOf(() => second.exec("INSERT INTO t VALUES (2, 'y')"))).toBe("ENGINE_STORE");
    storage.database.exec("DELETE FROM pagemark_commits; DELETE FROM pagemark_versions WHERE pgno = 2");
    expect(codeOf(() => db.exec("INSERT INTO t VALUES (2, 'y')"))).toBe("ENGINE_STORE");
  });

  test("what a later version of the package wrote is not opened", async () => {
    const storage = new SqlStorage();
    (await open(storage)).exec("CREATE TABLE t (id INTEGER PRIMARY KEY, a)");
    storage.database.exec("UPDATE pagemark_meta SET format = 2");
    expect(await rejectionOf(open(storage))).toMatchObject({
      code: "ENGINE_STORE",
      cause: { message: expect.stringContaining("format 2") },
    });
  });

  test("a commit looks at what it replaces, however much a hold keeps", async () => {
    const storage = new SqlStorage();
    using db = await open(storage, { history: { commits: 5 } });
    db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, a)");
    const insert = db.prepare("INSERT INTO t VALUES (?, zeroblob(3000))");
    db.transaction(() => {
      for (let id = 0; id < 6000; id++) insert.run(id);
    });
    const hold = db.hold({ leaseMs: 1e9 });
    db.exec("UPDATE t SET a = randomblob(3000)");
    const update = db.prepare("UPDATE t SET a = 1 WHERE id = ?");
    const commits = 100;
    const rows: number[] = [];
    for (let id = 0; id < commits; id++) {
      [storage.calls, storage.rows] = [0, 0];
      update.run(id);
      expect(storage.calls).toBeLessThan(16);
      rows.push(storage.rows);
    }
    // What the hold keeps is looked at once, a little with each commit.
    expect(Math.max(...rows)).toBeLessThan(300);
    expect(Math.max(...rows.slice(50))).toBeLessThan(24);

    const held = Number(versionsIn(storage));
    expect(held).toBeGreaterThan(12_000);
    // Letting go frees as much at once as fits a slice, the commits after it the rest.
    storage.rows = 0;
    hold.release();
    expect(storage.rows).toBeLessThan(5000);
    expect(versionsIn(storage)).toBeGreaterThan(6500);
    expect(versionsIn(storage)).toBeLessThan(held - 3000);
    for (let id = 200; id < 250; id++) update.run(id);
    const kept = 5 * 3;
    expect(versionsIn(storage)).toBeLessThanOrEqual(Number(pagesOf(db)) + kept);
    expect(db.check().ok).toBe(true);
  });
});
