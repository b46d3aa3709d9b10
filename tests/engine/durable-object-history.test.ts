// What a Durable Object's storage keeps as time goes by, beside a store that is right by looking at it.
import { Database, durableObjectStore, type Hold } from "pagemark/engine";
import { afterEach, expect, test, vi } from "vitest";
import { random as seeded } from "../faults/random.ts";
import { MapStore } from "./map-store.ts";
import { SqlStorage } from "./sql-storage.ts";
import { codeOf, column } from "./support.ts";

const HOUR = 3_600_000;
const history = { ageMs: 24 * HOUR };

afterEach(() => vi.useRealTimers());

function clock(): (ms: number) => void {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.UTC(2026, 10, 29) });
  return (ms) => vi.setSystemTime(Date.now() + ms);
}

test.each([1, 2, 3])(
  "thinned as in a store of a Map, and nothing else stays: seed %i",
  async (seed) => {
    const random = seeded(seed);
    const pass = clock();
    const storage = new SqlStorage();
    const model = new MapStore();
    const sweep = (store = durableObjectStore(storage)) => {
      while (store.sweep());
    };
    const open = () =>
      Promise.all(
        [durableObjectStore(storage), model].map((store) =>
          Database.open({ store, pageSize: 512, history, spillAfter: 1 << 20 }),
        ),
      );
    let dbs = await open();
    let holds: Hold[][] = [];
    const both = <T>(action: (db: Database) => T) => dbs.map(action);
    both((db) => db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, a)"));
    for (let round = 0; round < 25; round++) {
      for (let n = 0; n < 40; n++) {
        pass(random(10) === 0 ? random(2 * HOUR) : random(30_000));
        const sql = `INSERT OR REPLACE INTO t VALUES (${random(80)}, hex(zeroblob(${random(300)})))`;
        both((db) => db.exec(sql));
      }
      if (random(3) === 0) holds.push(both((db) => db.hold({ leaseMs: 5 * HOUR })));
      if (random(4) === 0) for (const hold of holds.splice(random(holds.length), 1).flat()) hold.release();
      if (random(5) === 0) {
        both((db) => db.close());
        dbs = await open();
        holds = [];
      }
      both((db) => db.exec("PRAGMA user_version = 1; PRAGMA user_version = 2"));
      sweep();
      const [states = [], expected] = both((db) => db.states().map(({ txid }) => txid));
      expect(states).toEqual(expected);
      expect(storage.value("SELECT count(*) * 512 FROM pagemark_versions")).toBe(model.size);
      expect(storage.value("SELECT count(*) FROM pagemark_commits")).toBe(model.commits.length);
      const at = states[random(states.length)] ?? "latest";
      const [is, was] = await Promise.all(both(async (db) => new Response(await db.dump({ at })).text()));
      expect(is).toBe(was);
    }
    both((db) => db.close());
  },
  60_000,
);

test("what is kept is said once a minute: a commit says nothing of it", async () => {
  const pass = clock();
  const storage = new SqlStorage();
  using db = await Database.open({ store: durableObjectStore(storage), history });
  db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, a)");
  let notes = 0;
  storage.before = (sql) => {
    if (sql.includes("INTO pagemark_meta")) notes++;
  };
  const most: number[] = [];
  const insert = db.prepare("INSERT INTO t (a) VALUES (?)");
  for (let n = 0; n < 6000; n++) {
    pass(2000);
    storage.calls = 0;
    insert.run(n);
    most.push(storage.calls);
  }
  expect(notes).toBeLessThanOrEqual(202);
  expect(most.sort((a, b) => a - b)[3000]).toBeLessThan(9);
  // An hour of commits, two records for each minute of the rest.
  expect(storage.value("SELECT count(*) FROM pagemark_commits")).toBeLessThan(1800 + 30 + 2 * 141);
});

test("history beyond historyBytes goes, and all of it before a commit finds the storage full", async () => {
  const pass = clock();
  const storage = new SqlStorage();
  let most = 0;
  Object.defineProperty(storage.sql, "databaseSize", {
    get: () => {
      const size = Number(storage.value("SELECT count(*) * 4700 FROM pagemark_versions"));
      most = Math.max(most, size);
      return size;
    },
  });
  const store = durableObjectStore(storage, { historyBytes: 3e6 });
  using db = await Database.open({ store, history });
  db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, a)");
  const insert = db.prepare("INSERT OR REPLACE INTO t VALUES (?, zeroblob(3000))");
  for (let n = 0; n < 3000; n++) {
    pass(3000);
    insert.run(n % 20);
  }
  expect(most).toBeLessThan(5e6);
  expect(most).toBeGreaterThan(3e6);
  const [first] = db.states();
  expect(Date.now() - Number(first?.at)).toBeGreaterThan(20 * 60_000);

  const cause = new Error("database or disk is full: SQLITE_FULL");
  const limit = Number(storage.value("SELECT count(*) FROM pagemark_versions"));
  storage.before = (sql) => {
    if (!sql.includes("INTO pagemark_versions")) return;
    if (Number(storage.value("SELECT count(*) FROM pagemark_versions")) >= limit) throw cause;
  };
  const hold = db.hold();
  const held = column(db, "SELECT count(*) FROM t");
  for (let n = 0; n < 1000; n++) insert.run(100 + (n % 50));
  expect(db.states().length).toBeGreaterThan(1);
  const sql = await new Response(await db.dump({ at: hold.bookmark })).text();
  expect(sql.match(/^INSERT/gm)?.length).toBe(held[0]);
  // What does not fit without history does not fit.
  const many = "WITH n (i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM n LIMIT 9000)";
  const tooMuch = () => db.exec(`${many} INSERT INTO t SELECT i, zeroblob(3000) FROM n`);
  expect(codeOf(tooMuch)).toBe("ENGINE_FULL");
  expect(column(db, "SELECT count(*) FROM t")).toEqual([70]);
});
