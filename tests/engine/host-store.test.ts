// A database whose pages are kept by JavaScript: what fails there, and what does not fit, leaves it at its last commit.
import { PagemarkError } from "pagemark";
import { Database, type PageStore } from "pagemark/engine";
import { describe, expect, test } from "vitest";
import { MapStore, type Method, watched } from "./map-store.ts";
import { codeOf, column, rejectionOf, thrownBy } from "./support.ts";

const rowsOf = (db: Database) => column(db, "SELECT a FROM t ORDER BY id");

/** What the database is after each commit of {@link work}; the first is that of an empty one. */
const STATES = [null, [], ["x"], ["x", "large"], ["y", "large"], ["x", "large"], ["x"], ["x"], ["x", "last"]];

/** Commits one after the other, and says after each how many there were. Ends with the call that fails. */
function work(db: Database, committed: (commits: number) => void): void {
  let hold: ReturnType<Database["hold"]> | undefined;
  const steps = [
    () => db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, a, payload)"),
    () => db.exec("INSERT INTO t VALUES (1, 'x', NULL)"),
    () => {
      hold = db.hold();
      db.exec(
        "BEGIN; INSERT INTO t VALUES (2, 'large', randomblob(50000)), (3, 'z', NULL); DELETE FROM t WHERE id = 3",
      );
      db.exec("COMMIT");
    },
    () => db.prepare("UPDATE t SET a = 'y' WHERE id = 1").run(),
    () => db.exec("UPDATE t SET a = 'x' WHERE id = 1"),
    () => db.restore({ at: hold?.bookmark ?? "" }),
    () => {
      // Neither reading nor letting go is a commit.
      db.check();
      hold?.release();
      db.exec("VACUUM");
    },
    () => db.prepare("INSERT INTO t VALUES (4, 'last', NULL) RETURNING id").get(),
  ];
  steps.forEach((step, index) => {
    step();
    committed(index + 1);
  });
}

/** What a database that is opened over the store shows; `null` for none. */
async function shown(store: PageStore): Promise<unknown> {
  using db = await Database.open({ store });
  expect(db.check().ok).toBe(true);
  return db.states().length === 0 ? null : rowsOf(db);
}

describe("a store that fails", () => {
  const cause = new Error("the disk is gone");

  test("the work that the crash tests cut off goes through all of its states", async () => {
    const seen: unknown[] = [null];
    using db = await Database.open({ store: new MapStore(), history: { commits: 2 } });
    work(db, () => seen.push(rowsOf(db)));
    expect(seen).toEqual(STATES);
  });

  test.each(["before", "after"] as const)(
    "at any call, %s it was done: opened anew it is at a commit",
    async (when) => {
      let isDone = false;
      for (let failing = 1; !isDone; failing++) {
        const store = new MapStore();
        let calls = 0;
        let method = "";
        const counted = watched(store, {
          [when]: (called: Method) => {
            if (++calls !== failing) return;
            method = called;
            throw cause;
          },
        });
        let commits = 0;
        let error: unknown;
        let db: Database | undefined;
        try {
          db = await Database.open({ store: counted, history: { commits: 2 } });
          work(db, (count) => {
            commits = count;
          });
          isDone = calls < failing;
        } catch (thrown) {
          error = thrown;
        }
        const failure = `call ${failing}, ${method}`;
        // After a restore the schema is read again ahead of time: if that fails, the next statement does it.
        const isRead = method === "read" && commits === STATES.length - 1;
        if (!isDone && !isRead) {
          expect(error, failure).toBeInstanceOf(PagemarkError);
          expect(error).toMatchObject({ code: "ENGINE_STORE", cause });
        }
        const kept = await shown(store);
        const possible = STATES[when === "after" && method === "commit" ? commits + 1 : commits];
        expect(kept, failure).toEqual(possible);
        if (db && !isDone && when === "before") {
          // It was not thrown away: it goes on from its last commit.
          if (db.inTransaction) db.exec("ROLLBACK");
          db.exec(
            "CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, a, payload); INSERT INTO t VALUES (9, 'on', NULL)",
          );
          expect(rowsOf(db)).toEqual([...(possible ?? []), "on"]);
          expect(db.check().ok).toBe(true);
        }
        db?.close();
      }
    },
  );

  test("full: ENGINE_FULL with what it threw, the transaction undone, and room is all it takes", async () => {
    const quota = new DOMException("no more", "QuotaExceededError");
    for (const thrown of [quota, Object.assign(new Error("disk"), { code: "ENOSPC" })]) {
      const store = new MapStore();
      let isFull = false;
      const full = watched(store, {
        before: (method) => {
          if (isFull && method === "commit") throw thrown;
        },
      });
      using db = await Database.open({ store: full });
      db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, a); INSERT INTO t VALUES (1, 'kept')");
      const at = db.bookmark();
      isFull = true;
      const insert = db.prepare("INSERT INTO t VALUES (2, 'lost') RETURNING id");
      const writes = [
        () => db.exec("INSERT INTO t VALUES (2, 'lost')"),
        () => insert.run(),
        () => insert.get(),
        () => insert.all(),
        () => {
          for (const _ of insert.iterate()) break;
        },
        () => db.batch([insert]),
        () => db.transaction(() => insert.all()),
        () => db.restore({ at }),
        () => db.exec("VACUUM"),
      ];
      for (const write of writes) {
        expect(thrownBy(write), String(write)).toMatchObject({ code: "ENGINE_FULL", cause: thrown });
        expect([rowsOf(db), db.inTransaction, db.bookmark()]).toEqual([["kept"], false, at]);
      }
      expect((await rejectionOf(db.load(db.serialize()))).code).toBe("ENGINE_FULL");
      isFull = false;
      expect(insert.get()).toEqual({ id: 2 });
      expect([rowsOf(db), db.check().ok]).toEqual([["kept", "lost"], true]);
    }
  });

  test("a store that calls its own database gets a typed error, and harms nothing", async () => {
    const store = new MapStore();
    let inner: unknown;
    let isCalling = false;
    const calling = watched(store, {
      before: (method) => {
        if (!isCalling || method !== "commit") return;
        try {
          db.exec("SELECT 1");
        } catch (error) {
          inner = error;
        }
      },
    });
    using db = await Database.open({ store: calling });
    db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, a)");
    isCalling = true;
    db.exec("INSERT INTO t VALUES (1, 'x')");
    expect(inner).toBeInstanceOf(Error);
    expect([rowsOf(db), db.check().ok]).toEqual([["x"], true]);
  });
});

describe("a store that answers nonsense", () => {
  const commits = [{ txid: 1, timeMs: 0, pageSize: 4096, pageCount: 1, checksum: "8000000000000001" }];
  const lineage = "00000000000000aa";
  const keep = { from: 1, pins: [] };

  test.each([
    ["a number", 5],
    ["an empty object", {}],
    ["no lineage", { commits, keep }],
    ["a lineage that is none", { lineage: "x", commits, keep }],
    ["no commits", { lineage, keep }],
    ["commits that are none", { lineage, commits: [1], keep }],
    ["a page size that is none", { lineage, commits: [{ ...commits[0], pageSize: 1000 }], keep }],
    ["a TXID below zero", { lineage, commits: [{ ...commits[0], txid: -1 }], keep }],
    ["nothing kept", { lineage, commits }],
    ["no pins", { lineage, commits, keep: { from: 1 } }],
  ])("of what is there, %s: it does not open", async (_, answer) => {
    const store = Object.assign(new MapStore(), { open: () => answer }) as unknown as PageStore;
    const error = await rejectionOf(Database.open({ store, name: "nonsense" }));
    expect(["ENGINE_DAMAGED", "ENGINE_STORE"]).toContain(error.code);
    // Its name is free again.
    using _db = await Database.open({ name: "nonsense" });
  });

  test.each([
    ["read", "undefined", undefined],
    ["read", "null", null],
    ["read", "text", "text"],
    ["read", "too few bytes", new Uint8Array(3)],
    ["read", "too many bytes", new Uint8Array(5000)],
    ["changed", "undefined", undefined],
    ["changed", "null", null],
    ["changed", "a number", 7],
    ["changed", "page 0", [0]],
    ["changed", "text", ["x"]],
  ])(
    "of %s, %s: a typed error, and the database works when the answers are right again",
    async (method, _, answer) => {
      const store = new MapStore();
      const real = store[method as "read"].bind(store);
      using db = await Database.open({ store, history: { commits: 5 } });
      db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, a)");
      const at = db.bookmark();
      db.exec("INSERT INTO t VALUES (1, 'x')");
      Object.assign(store, { [method]: () => answer });
      const use = method === "read" ? () => db.serialize() : () => db.restore({ at });
      expect(["ENGINE_DAMAGED", "ENGINE_STORE"]).toContain(codeOf(use));
      Object.assign(store, { [method]: real });
      expect(rowsOf(db)).toEqual(["x"]);
      db.restore({ at });
      expect([rowsOf(db), db.check().ok]).toEqual([[], true]);
    },
  );

  test.each([undefined, null, "text", 7, {}])("it throws %s: a typed error", async (thrown) => {
    const store = watched(new MapStore(), {
      before: (method) => {
        if (method === "commit") throw thrown;
      },
    });
    using db = await Database.open({ store });
    expect(thrownBy(() => db.exec("CREATE TABLE t (a)")).code).toBe("ENGINE_STORE");
    expect(db.states()).toEqual([]);
  });
});

describe("memoryLimit", () => {
  test.each([32, 64])(
    "%i MiB reached: ENGINE_FULL, the database intact, and less of it fits again",
    async (mib) => {
      using db = await Database.open({ memoryLimit: mib << 20 });
      db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, a, payload)");
      const insert = db.prepare("INSERT INTO t (a, payload) VALUES (?, zeroblob(?))");
      let rows = 0;
      const fill = () => {
        for (;;) {
          insert.run(rows, 1 << 20);
          rows++;
        }
      };
      expect(codeOf(fill)).toBe("ENGINE_FULL");
      expect(rows).toBe(mib - 1);
      expect(rowsOf(db)).toEqual(Array.from({ length: rows }, (_, row) => row));
      const inOne = () => db.transaction(() => [1, 2, 3].map(() => insert.run("large", 1 << 20)));
      expect(codeOf(inOne)).toBe("ENGINE_FULL");
      expect([db.inTransaction, db.check().ok, rowsOf(db).length]).toEqual([false, true, rows]);
      insert.run("small", 10);
      db.exec("DELETE FROM t WHERE a < 10");
      inOne();
      expect(db.check().ok).toBe(true);
    },
  );

  test("a history that takes it all is refused too, and goes when it is let go", async () => {
    using db = await Database.open({ memoryLimit: 1 << 20 });
    db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, a); INSERT INTO t VALUES (1, zeroblob(400000))");
    const hold = db.hold();
    const rewrite = () => db.exec("UPDATE t SET a = randomblob(400000)");
    rewrite();
    const second = db.hold();
    expect(codeOf(rewrite)).toBe("ENGINE_FULL");
    hold.release();
    second.release();
    rewrite();
    rewrite();
    expect(db.check().ok).toBe(true);
  });
});
