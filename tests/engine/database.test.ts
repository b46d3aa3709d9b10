// A database as its user calls it: transactions, errors, several of them, the parts of SQLite that are in it.
import { Database, SqlError } from "pagemark/engine";
import { beforeEach, describe, expect, test } from "vitest";
import { all, bytesOf, codeOf, column, rejectionOf, thrownBy } from "./support.ts";

let db: Database;

beforeEach(async () => {
  db = await Database.open();
  db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, a UNIQUE)");
  return () => db.close();
});

const ids = () => column(db, "SELECT id FROM t ORDER BY id");

describe("batch", () => {
  test("gives the rows of each statement, and is one commit", () => {
    const insert = db.prepare("INSERT INTO t (a) VALUES (?) RETURNING id");
    const before = db.states().at(-1)?.txid;
    const results = db.batch([[insert, "x"], [insert, "y"], db.prepare("SELECT count(*) AS n FROM t")]);
    expect(results).toEqual([[{ id: 1 }], [{ id: 2 }], [{ n: 2 }]]);
    expect(BigInt(`0x${db.states().at(-1)?.txid}`)).toBe(BigInt(`0x${before}`) + 1n);
    expect(db.batch([])).toEqual([]);
  });

  test("is all or nothing, also when what failed is the last", () => {
    const insert = db.prepare("INSERT INTO t (a) VALUES (?)");
    const error = thrownBy(() =>
      db.batch([
        [insert, "x"],
        [insert, "y"],
        [insert, "x"],
      ]),
    );
    expect(error).toMatchObject({ code: "SQL_ERROR", sqlite: 2067 });
    expect(codeOf(() => db.batch([[insert, "x"], [insert]]))).toBe("ENGINE_PARAMETERS");
    expect([ids(), db.inTransaction]).toEqual([[], false]);
  });

  test("is a part of the transaction around it, and leaves that one standing when it fails", () => {
    const insert = db.prepare("INSERT INTO t (a) VALUES (?)");
    db.transaction(() => {
      db.batch([[insert, "x"]]);
      expect(
        codeOf(() =>
          db.batch([
            [insert, "y"],
            [insert, "x"],
          ]),
        ),
      ).toBe("SQL_ERROR");
    });
    expect(column(db, "SELECT a FROM t")).toEqual(["x"]);
  });

  test("takes statements of its own database only", async () => {
    using other = await Database.open();
    other.exec("CREATE TABLE u (a)");
    const foreign = other.prepare("INSERT INTO u VALUES (1)");
    db.prepare("INSERT INTO t (a) VALUES ('wrong')");
    expect(codeOf(() => db.batch([foreign]))).toBe("USAGE");
    expect(ids()).toEqual([]);
  });

  test("a result larger than what is handed over at once comes whole", () => {
    const sql = "WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000) SELECT i FROM n";
    const [rows] = db.batch([db.prepare(sql)]);
    expect([rows?.length, rows?.[29_999]]).toEqual([30_000, { i: 30_000 }]);
  });
});

describe("transaction", () => {
  test("gives what its action gives, and commits once", () => {
    const states = db.states().at(-1)?.txid;
    const insert = db.prepare("INSERT INTO t (a) VALUES (?)");
    expect(db.transaction(() => [1, 2, 3].map((a) => insert.run(a).lastInsertRowid))).toEqual([1, 2, 3]);
    expect(BigInt(`0x${db.states().at(-1)?.txid}`)).toBe(BigInt(`0x${states}`) + 1n);
    db.transaction(() => ids());
    expect(BigInt(`0x${db.states().at(-1)?.txid}`)).toBe(BigInt(`0x${states}`) + 1n);
  });

  test("one that throws is undone and throws the same", () => {
    const reason = new Error("no");
    const action = () => {
      db.exec("INSERT INTO t VALUES (1, 1)");
      throw reason;
    };
    expect(() => db.transaction(action)).toThrow(reason);
    expect([ids(), db.inTransaction]).toEqual([[], false]);
  });

  test("within another one it is undone alone, and the outer one undoes all", () => {
    const insert = db.prepare("INSERT INTO t (id) VALUES (?)");
    const failing = (id: number) => () => {
      insert.run(id);
      throw new Error("undo");
    };
    db.transaction(() => {
      insert.run(1);
      expect(() => db.transaction(failing(2))).toThrow("undo");
      db.transaction(() => {
        insert.run(3);
        expect(() => db.transaction(failing(4))).toThrow("undo");
      });
    });
    expect(ids()).toEqual([1, 3]);
    expect(() => db.transaction(() => db.transaction(failing(5)))).toThrow("undo");
    expect(ids()).toEqual([1, 3]);
    db.exec("BEGIN");
    db.transaction(() => insert.run(6));
    db.exec("ROLLBACK");
    expect(ids()).toEqual([1, 3]);
  });

  test("an asynchronous action is refused and undone, whatever becomes of its promise", async () => {
    const refused = [
      async () => void db.exec("INSERT INTO t VALUES (1, 1)"),
      async () => {
        throw new Error("nobody hears this");
      },
      // biome-ignore lint/suspicious/noThenProperty: what is awaited need not be a promise
      () => ({ then: () => db.exec("INSERT INTO t VALUES (2, 2)") }),
    ];
    for (const action of refused) expect(codeOf(() => db.transaction(action))).toBe("USAGE");
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect([column(db, "SELECT count(*) FROM t WHERE id = 1"), db.inTransaction]).toEqual([[0], false]);
  });

  test("an action that ends the transaction itself is told so", () => {
    const error = thrownBy(() => db.transaction(() => db.exec("INSERT INTO t VALUES (1, 1); COMMIT")));
    expect(error).toMatchObject({ code: "SQL_ERROR", message: expect.stringContaining("no transaction") });
    expect([ids(), db.inTransaction]).toEqual([[1], false]);
    db.transaction(() => db.exec("INSERT INTO t VALUES (2, 2)"));
  });

  test("what holds the database as a whole is refused within it", async () => {
    const at = db.bookmark();
    db.exec("BEGIN; INSERT INTO t VALUES (1, 1)");
    expect(codeOf(() => db.restore({ at }))).toBe("ENGINE_BUSY");
    expect((await rejectionOf(db.load(db.serialize()))).code).toBe("ENGINE_BUSY");
    expect(codeOf(() => db.compact())).toBe("SQL_ERROR");
    expect(db.bookmark()).toBe(at);
    db.exec("COMMIT");
    expect(ids()).toEqual([1]);
  });
});

describe("errors", () => {
  test("carry SQLite's words, its extended code and where in the text it was", () => {
    const sql = "CREATE TABLE ok (a);\nSELEC 1";
    const error = thrownBy(() => db.exec(sql));
    expect(error).toBeInstanceOf(SqlError);
    expect(error).toMatchObject({ code: "SQL_ERROR", sqlite: 1, message: 'near "SELEC": syntax error' });
    expect(sql.slice(error.at.offset)).toBe("SELEC 1");
    expect(column(db, "SELECT count(*) FROM ok")).toEqual([0]);
  });

  test.each([
    ["INSERT INTO t VALUES (1, 1), (1, 2)", 1555],
    ["INSERT INTO t VALUES (1, 1), (2, 1)", 2067],
    ["CREATE TABLE n (a NOT NULL); INSERT INTO n VALUES (NULL)", 1299],
    ["CREATE TABLE c (a CHECK (a > 0)); INSERT INTO c VALUES (0)", 275],
    ["CREATE TABLE f (a REFERENCES t); INSERT INTO f VALUES (99)", 787],
    ["SELECT * FROM missing", 1],
    ["SELECT zeroblob(3000000000)", 18],
    ["CREATE TABLE s (a INTEGER) STRICT; INSERT INTO s VALUES ('x')", 3091],
    ["ATTACH 'elsewhere.db' AS e", 14],
  ])("%s is an SqlError with SQLite's code %i", (sql, sqlite) => {
    expect(thrownBy(() => db.exec(sql))).toMatchObject({ name: "SqlError", code: "SQL_ERROR", sqlite });
    expect(db.check().ok).toBe(true);
  });

  test("a statement that fails halfway is undone, and the ones around it are not", () => {
    db.transaction(() => {
      db.exec("INSERT INTO t VALUES (1, 'one')");
      expect(codeOf(() => db.exec("INSERT INTO t VALUES (2, 'two'), (3, 'one')"))).toBe("SQL_ERROR");
    });
    expect(ids()).toEqual([1]);
  });

  test("what is no option is refused rather than taken for another", async () => {
    const wrong = [{ pageSize: 1000 }, { pageSize: -1 }, { cacheSize: Number.NaN }, { memoryLimit: -5 }];
    for (const options of [...wrong, { history: { commits: -1 } }, { history: { ageMs: Number.NaN } }]) {
      expect((await rejectionOf(Database.open(options))).code, JSON.stringify(options)).toBe("USAGE");
    }
  });
});

describe("several databases", () => {
  test("live in one module and know nothing of each other", async () => {
    const others = await Promise.all(Array.from({ length: 20 }, () => Database.open()));
    others.forEach((other, n) => {
      other.exec(`CREATE TABLE t (a); INSERT INTO t VALUES (${n})`);
    });
    expect(others.map((other) => column(other, "SELECT a FROM t")[0])).toEqual(others.map((_, n) => n));
    for (const other of others) other.close();
    expect(ids()).toEqual([]);
  });

  test("a second one of the same name is refused until the first is closed", async () => {
    const first = await Database.open({ name: "shop" });
    expect((await rejectionOf(Database.open({ name: "shop" }))).code).toBe("ENGINE_IN_USE");
    using _other = await Database.open({ name: "other" });
    first.close();
    using again = await Database.open({ name: "shop" });
    expect(again.name).toBe("shop");
  });
});

describe("a closed database", () => {
  test("refuses everything with a typed error, statements and all", async () => {
    const closing = await Database.open({ name: "closing" });
    closing.exec("CREATE TABLE t (a); INSERT INTO t VALUES (1), (2)");
    const statement = closing.prepare("SELECT a FROM t");
    const rows = closing.prepare("SELECT a FROM t").iterate();
    rows.next();
    const moment = await closing.pin();
    const hold = closing.hold();
    const dump = await closing.dump();
    closing.close();
    closing.close();
    closing[Symbol.dispose]();
    const uses = [
      () => closing.exec("SELECT 1"),
      () => closing.prepare("SELECT 1"),
      () => closing.bookmark(),
      () => closing.states(),
      () => closing.serialize(),
      () => closing.inTransaction,
      () => closing.batch([statement]),
      () => statement.run(),
      () => statement.get(),
      () => statement.all(),
      () => [...statement.iterate()],
      () => statement.columns,
      () => hold.renew(),
      () => hold.release(),
    ];
    for (const use of uses) expect(codeOf(use), String(use)).toBe("ENGINE_CLOSED");
    const error = await rejectionOf(moment.read(1, new Uint8Array(moment.pageSize)));
    expect([error.code, error.message]).toEqual(["ENGINE_CLOSED", expect.stringContaining("closing")]);
    for (const use of [closing.pin(), closing.load(new Uint8Array(9)), closing.dump()]) {
      expect(["ENGINE_CLOSED", "DATABASE_NOT_SQLITE"]).toContain((await rejectionOf(use)).code);
    }
    expect((await rejectionOf(bytesOf(dump))).code).toBe("ENGINE_CLOSED");
    // What only ends has nothing to complain of.
    expect([...rows].length).toBeLessThan(2);
    statement[Symbol.dispose]();
    await hold[Symbol.asyncDispose]();
    await moment.release();
  });

  test("what was not committed is gone, with statements open, and its name is free", async () => {
    const { MapStore } = await import("./map-store.ts");
    const store = new MapStore();
    {
      using first = await Database.open({ name: "again", store });
      first.exec("CREATE TABLE t (a); INSERT INTO t VALUES (1), (2); BEGIN; INSERT INTO t VALUES (3)");
      first.prepare("SELECT a FROM t").iterate().next();
    }
    using second = await Database.open({ name: "again", store });
    expect([column(second, "SELECT a FROM t"), second.check().ok]).toEqual([[1, 2], true]);
  });
});

describe("SQLite", () => {
  test("enforces foreign keys, unless that is not wanted", async () => {
    const sql = "CREATE TABLE p (a PRIMARY KEY); CREATE TABLE c (a REFERENCES p); INSERT INTO c VALUES (1)";
    expect(thrownBy(() => db.exec(sql))).toMatchObject({ sqlite: 787 });
    using loose = await Database.open({ foreignKeys: false });
    loose.exec(sql);
    expect(loose.check()).toMatchObject({
      ok: false,
      unchecked: [],
      integrity: [],
      foreignKeys: [{ table: "c", rowid: 1n, parent: "p", key: 0 }],
    });
  });

  test("has FTS5, R-Tree, JSON and math functions", () => {
    db.exec(
      "CREATE VIRTUAL TABLE words USING fts5(body); INSERT INTO words VALUES ('one two'), ('two three')",
    );
    expect(column(db, "SELECT rowid FROM words WHERE words MATCH 'three'")).toEqual([2]);
    db.exec(
      "CREATE VIRTUAL TABLE boxes USING rtree(id, x0, x1); INSERT INTO boxes VALUES (1, 0, 5), (2, 7, 9)",
    );
    expect(column(db, "SELECT id FROM boxes WHERE x0 <= 8 AND x1 >= 8")).toEqual([2]);
    expect(all(db, `SELECT '{"a":[1,2]}' -> '$.a[1]' AS j, jsonb('[1]') AS b`)).toEqual([
      { j: "2", b: expect.any(Uint8Array) },
    ]);
    const [{ p, r, c } = {}] = all(db, "SELECT pi() AS p, pow(2, 0.5) AS r, ceil(1.2) AS c");
    expect([p, r, c]).toEqual([Math.PI, Math.SQRT2, 2]);
    const tables = "CREATE TABLE g (a, b AS (a * 2) STORED); INSERT INTO g (a) VALUES (4)";
    db.exec(`${tables}; CREATE TEMP TABLE scratch AS SELECT * FROM g`);
    expect(all(db, "SELECT * FROM scratch")).toEqual([{ a: 4, b: 8 }]);
  });

  test("knows the time, chance and the local time zone", () => {
    const [row = {}] = all(
      db,
      "SELECT unixepoch() AS now, random() <> random() AS r, datetime(0, 'unixepoch', 'localtime') AS l",
    );
    expect(Math.abs((row.now as number) - Date.now() / 1000)).toBeLessThan(5);
    expect(row.r).toBe(1);
    const offset = -60_000 * new Date(0).getTimezoneOffset();
    expect(row.l).toBe(new Date(offset).toISOString().slice(0, 19).replace("T", " "));
  });

  test.each([512, 1024, 4096, 65536])(
    "has pages of %i bytes when it is opened with them",
    async (pageSize) => {
      using sized = await Database.open({ pageSize });
      sized.exec("CREATE TABLE t (a)");
      expect([column(sized, "PRAGMA page_size"), sized.states().at(-1)?.pageSize]).toEqual([
        [pageSize],
        pageSize,
      ]);
    },
  );

  test("compacts into a file that keeps user_version, application_id and page size", async () => {
    db.exec("PRAGMA user_version = 7; PRAGMA application_id = 9; CREATE TABLE big (a)");
    db.exec("INSERT INTO big VALUES (zeroblob(500000)); DROP TABLE big; INSERT INTO t VALUES (1, 1)");
    const compacted = await bytesOf(db.compact());
    expect(compacted.length).toBeLessThan(db.serialize().length / 10);
    using copy = await Database.open();
    await copy.load(compacted);
    expect([column(copy, "PRAGMA user_version"), column(copy, "PRAGMA application_id")]).toEqual([[7], [9]]);
    expect(column(copy, "SELECT id FROM t")).toEqual([1]);
    const unread = db.compact();
    await unread.cancel();
  });
});
