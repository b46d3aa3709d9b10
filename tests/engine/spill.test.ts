// What is not committed goes to a store that takes it: out of sight, and gone without a trace when nothing comes of it.
import { Database, durableObjectStore, type PageStore } from "pagemark/engine";
import { describe, expect, test } from "vitest";
import { MapStore, type Method, watched } from "./map-store.ts";
import { SqlStorage } from "./sql-storage.ts";
import { all, bytesOf, codeOf, column, rejectionOf } from "./support.ts";

/** As good as nothing stays in memory. */
const SMALL = { spillAfter: 4096, cacheSize: 16 << 10, history: { commits: 5 } };
const FILL = `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 500)
  INSERT INTO t SELECT i, printf('%0900d', i) FROM n`;
const count = (db: Database) => column(db, "SELECT count(*) FROM t")[0];

/** Says what of a store's calls there were. */
function counted(store: PageStore, before: (method: Method) => void = () => {}) {
  const calls = new Map<Method, number>();
  const counting = watched(store, {
    before: (method) => {
      calls.set(method, (calls.get(method) ?? 0) + 1);
      before(method);
    },
  });
  return { calls, store: counting };
}

async function filled(store: PageStore): Promise<Database> {
  const db = await Database.open({ store, ...SMALL });
  db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, a)");
  db.exec(FILL);
  return db;
}

const stores: [string, () => { store: PageStore; held: () => unknown }][] = [
  [
    "a Map",
    () => {
      const store = new MapStore({ scratch: true });
      return { store, held: () => store.scratch?.held };
    },
  ],
  [
    "a Durable Object",
    () => {
      const storage = new SqlStorage();
      const rows = (table: string) => Number(storage.value(`SELECT count(*) FROM ${table}`));
      const above = "pagemark_versions WHERE txid > (SELECT max(txid) FROM pagemark_commits)";
      return { store: durableObjectStore(storage), held: () => [rows(above), rows("pagemark_scratch")] };
    },
  ],
];

describe.each(stores)("over %s", (_, make) => {
  test("a transaction is staged, reads itself, and is one commit", async () => {
    const { store, held } = make();
    const { calls, store: counting } = counted(store);
    using db = await filled(counting);
    expect(calls.get("stage")).toBeGreaterThan(5);
    expect(held()).toEqual([0, 0]);
    const [before, pages] = [db.bookmark(), db.states().at(-1)?.pageCount];
    db.exec("BEGIN; UPDATE t SET a = 'x' || a; SAVEPOINT s; DELETE FROM t WHERE id % 3");
    expect(count(db)).toBe(166);
    db.exec("ROLLBACK TO s");
    expect(all(db, "SELECT count(*) AS n, sum(a LIKE 'x%') AS x FROM t")).toEqual([{ n: 500, x: 500 }]);
    expect(held()).not.toEqual([0, 0]);
    db.exec("COMMIT");
    expect(held()).toEqual([0, 0]);
    expect(column(db, "SELECT count(*) FROM t WHERE a = 'x' || printf('%0900d', id)")).toEqual([500]);
    db.restore({ at: before });
    expect(column(db, "SELECT count(*) FROM t WHERE a = printf('%0900d', id)")).toEqual([500]);
    expect([db.states().at(-1)?.pageCount, db.check().ok, held()]).toEqual([pages, true, [0, 0]]);
  });

  test("a rollback, and a database that is closed or ends in the middle, leave the last commit", async () => {
    const { store, held } = make();
    const first = await filled(store);
    const at = first.bookmark();
    first.exec("BEGIN; UPDATE t SET a = 1; ROLLBACK");
    expect([first.bookmark(), held()]).toEqual([at, [0, 0]]);
    first.exec("BEGIN; UPDATE t SET a = 'lost' || a");
    first.close();
    expect(held()).toEqual([0, 0]);
    const ended = await Database.open({ store, ...SMALL });
    ended.exec("BEGIN; UPDATE t SET a = 'lost' || a");
    expect(held()).not.toEqual([0, 0]);
    // Nobody closes it.
    using db = await Database.open({ store, ...SMALL });
    expect([db.bookmark(), held(), count(db), db.check().ok]).toEqual([at, [0, 0], 500, true]);
  });

  test("VACUUM, another page size, CREATE INDEX and a compacted copy", async () => {
    const { store, held } = make();
    const { calls, store: counting } = counted(store);
    using db = await filled(counting);
    db.exec("CREATE INDEX i ON t (a DESC)");
    for (const sql of ["VACUUM", "PRAGMA page_size = 512; VACUUM", "PRAGMA page_size = 16384; VACUUM"]) {
      db.exec(sql);
      expect([count(db), db.check().ok, held()], sql).toEqual([500, true, [0, 0]]);
    }
    expect(calls.get("writeBlock")).toBeGreaterThan(50);
    const copy = await bytesOf(db.compact());
    expect(held()).toEqual([0, 0]);
    const canceled = db.compact();
    expect(held()).not.toEqual([0, 0]);
    await canceled.cancel();
    expect(held()).toEqual([0, 0]);
    await db.load(copy);
    expect([count(db), db.check().ok, held()]).toEqual([500, true, [0, 0]]);
  });

  test("a file is loaded while the database is read; a commit meanwhile makes that fail, and stays", async () => {
    const { store, held } = make();
    using db = await filled(store);
    const file = db.serialize();
    db.exec("DELETE FROM t WHERE id > 100");
    const during = (action: () => void) => {
      let at = 0;
      const pull = (controller: ReadableStreamDefaultController<Uint8Array>) => {
        if (at >= file.length) return controller.close();
        controller.enqueue(file.subarray(at, at + 50_000));
        at += 50_000;
        if (at > file.length / 2) action();
      };
      return new ReadableStream<Uint8Array>({ pull }, { highWaterMark: 0 });
    };
    await db.load(during(() => expect([count(db), held()]).not.toEqual([500, [0, 0]])));
    expect([count(db), held(), db.check().ok]).toEqual([500, [0, 0], true]);

    const writing = during(() => db.exec("INSERT OR IGNORE INTO t VALUES (1000, 'kept')"));
    expect((await rejectionOf(db.load(writing))).code).toBe("LOAD_STALE");
    expect([count(db), held()]).toEqual([501, [0, 0]]);
    const spilling = during(() => db.exec("BEGIN; UPDATE t SET a = a || 'x'; ROLLBACK"));
    expect((await rejectionOf(db.load(spilling))).code).toBe("LOAD_STALE");
    db.exec("BEGIN; UPDATE t SET a = a || 'x'");
    expect((await rejectionOf(db.load(during(() => {})))).code).toBe("ENGINE_BUSY");
    db.exec("ROLLBACK");
    expect((await rejectionOf(db.load(file.subarray(0, -4096)))).code).toBe("LOAD_SIZE");
    const ended = during(() => {
      throw new Error("the connection is gone");
    });
    await expect(db.load(ended)).rejects.toThrow("the connection is gone");
    expect([count(db), held(), db.check().ok]).toEqual([501, [0, 0], true]);
    await db.load(file);
    expect([count(db), held()]).toEqual([500, [0, 0]]);
  });

  test.each(["ENOSPC", "EIO"])(
    "%s in the middle: a typed error, the last commit, nothing left",
    async (code) => {
      const { store, held } = make();
      const cause = Object.assign(new Error("the disk"), { code });
      let isBroken = false;
      const { store: broken } = counted(store, (method) => {
        if (isBroken && (method === "stage" || method === "writeBlock" || method === "commit")) throw cause;
      });
      using db = await filled(broken);
      const [file, at, before] = [db.serialize(), db.bookmark(), db.states()[0]?.txid ?? ""];
      // A full store lets go of history, but of nothing that is held.
      db.hold({ at: before });
      const expected = code === "ENOSPC" ? "ENGINE_FULL" : "ENGINE_STORE";
      const writes = [
        "UPDATE t SET a = 'x' || a",
        "VACUUM",
        "CREATE INDEX i ON t (a)",
        "BEGIN; DELETE FROM t; COMMIT",
      ];
      for (const sql of writes) {
        isBroken = true;
        expect(
          codeOf(() => db.exec(sql)),
          sql,
        ).toBe(expected);
        // It can be read with no room at all.
        if (db.inTransaction) db.exec("ROLLBACK");
        expect([db.bookmark(), count(db), held()], sql).toEqual([at, 500, [0, 0]]);
        isBroken = false;
        expect(db.check().ok).toBe(true);
      }
      isBroken = true;
      expect(codeOf(() => db.restore({ at: before }))).toBe(expected);
      expect((await rejectionOf(db.load(file))).code).toBe(expected);
      expect(codeOf(() => db.compact())).toBe(expected);
      isBroken = false;
      expect([db.bookmark(), count(db), held(), db.check().ok]).toEqual([at, 500, [0, 0], true]);
      db.exec("UPDATE t SET a = 'x' || a");
      expect(column(db, "SELECT count(*) FROM t WHERE a LIKE 'x%'")).toEqual([500]);
    },
  );
});

test("two Databases in one storage: neither commits what the other has staged", async () => {
  const storage = new SqlStorage();
  using first = await filled(durableObjectStore(storage));
  first.exec("BEGIN; UPDATE t SET a = 'first' || a");
  using second = await Database.open({ store: durableObjectStore(storage), ...SMALL });
  expect(codeOf(() => first.exec("UPDATE t SET a = 'more' || a"))).toBe("ENGINE_STORE");
  if (first.inTransaction) first.exec("ROLLBACK");
  first.exec("BEGIN; UPDATE t SET a = 'first' || a");
  second.exec("INSERT INTO t VALUES (1000, 'second')");
  expect(codeOf(() => first.exec("COMMIT"))).toBe("ENGINE_STORE");
  expect([count(second), second.check().ok]).toEqual([501, true]);
  expect(column(second, "SELECT count(*) FROM t WHERE a LIKE 'first%'")).toEqual([0]);
});
