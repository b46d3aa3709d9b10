// Statements: what they return, when they begin and end, and what they do to each other.
import { Database } from "pagemark/engine";
import { beforeEach, describe, expect, test } from "vitest";
import { codeOf, column, thrownBy } from "./support.ts";

let db: Database;

beforeEach(async () => {
  db = await Database.open();
  db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, a)");
  return () => db.close();
});

/** Fills the table with rows 1 to `count`. */
function fill(count: number): void {
  db.prepare(
    "WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) INSERT INTO t SELECT i, i FROM n",
  ).run(count);
}

describe("rows", () => {
  test("get gives the first row or undefined, all every row, values arrays", () => {
    expect(db.prepare("SELECT * FROM t").get()).toBeUndefined();
    expect(db.prepare("SELECT * FROM t").all()).toEqual([]);
    fill(3);
    const statement = db.prepare("SELECT id, a FROM t WHERE id > ? ORDER BY id");
    expect(statement.get(1)).toEqual({ id: 2, a: 2 });
    expect(statement.all(1)).toEqual([
      { id: 2, a: 2 },
      { id: 3, a: 3 },
    ]);
    expect(statement.values(2)).toEqual([[3, 3]]);
    expect([statement.columns, statement.readonly]).toEqual([["id", "a"], true]);
  });

  test("of columns of one name the last counts, values has them all, and no name is special", () => {
    expect(db.prepare("SELECT 1 AS a, 2 AS a").get()).toEqual({ a: 2 });
    expect(db.prepare("SELECT 1 AS a, 2 AS a").values()).toEqual([[1, 2]]);
    const row = db.prepare("SELECT 'x' AS __proto__, 1 AS constructor").get() ?? {};
    expect(Object.entries(row)).toEqual([
      ["__proto__", "x"],
      ["constructor", 1],
    ]);
    expect(Object.getPrototypeOf(row)).toBe(Object.prototype);
  });

  test("a result larger than what is fetched at once comes whole, in rows or in bytes", () => {
    fill(20_000);
    expect(column(db, "SELECT a FROM t ORDER BY id")).toEqual(
      Array.from({ length: 20_000 }, (_, i) => i + 1),
    );
    const blobs = db.prepare("SELECT zeroblob(200000 + id) AS b FROM t WHERE id < 20 ORDER BY id").all();
    expect(blobs.map(({ b }) => (b as Uint8Array).length)).toEqual(blobs.map((_, i) => 200_001 + i));
    expect([...db.prepare("SELECT a FROM t").iterate()]).toHaveLength(20_000);
  });

  test("run tells what changed, and the last rowid also where a number does not hold it", () => {
    const insert = db.prepare("INSERT INTO t VALUES (?, ?)");
    expect(insert.run(5, "x")).toEqual({ changes: 1, lastInsertRowid: 5 });
    expect(insert.run(2n ** 62n, "y")).toEqual({ changes: 1, lastInsertRowid: 2n ** 62n });
    expect(db.prepare("UPDATE t SET a = 1").run().changes).toBe(2);
    expect(db.prepare("SELECT * FROM t").run().changes).toBe(0);
    expect(db.prepare("CREATE TABLE other (a)").run().changes).toBe(0);
  });

  test("what a writing statement returns is there, and it is committed, however much of it is read", () => {
    const insert = db.prepare("INSERT INTO t (a) VALUES ('x'), ('y'), ('z') RETURNING id");
    expect(insert.get()).toEqual({ id: 1 });
    for (const { id } of insert.iterate()) {
      expect(id).toBe(4);
      break;
    }
    expect(insert.all()).toEqual([{ id: 7 }, { id: 8 }, { id: 9 }]);
    expect([db.inTransaction, column(db, "SELECT count(*) FROM t")]).toEqual([false, [9]]);
    expect(db.states()).toHaveLength(1);
    db.restore({ at: db.bookmark() });
  });
});

describe("iterate", () => {
  test("may be stopped early, and leaves nothing open", () => {
    fill(10_000);
    const statement = db.prepare("SELECT id FROM t ORDER BY id");
    for (const { id } of statement.iterate()) if (id === 5000) break;
    db.exec("DROP TABLE t");
    expect(() => db.restore({ at: db.bookmark() })).not.toThrow();
    const unstarted = db.prepare("SELECT 1").iterate();
    unstarted.return();
    expect(unstarted.next().done).toBe(true);
  });

  test("what is thrown in the middle comes out, and leaves nothing open", () => {
    fill(10_000);
    const reason = new Error("enough");
    const read = () => {
      for (const _ of db.prepare("SELECT id FROM t").iterate()) throw reason;
    };
    expect(read).toThrow(reason);
    db.exec("DROP TABLE t");
  });

  test("holds back what needs the database to itself", () => {
    fill(10_000);
    const rows = db.prepare("SELECT id FROM t").iterate();
    rows.next();
    expect(codeOf(() => db.restore({ at: db.bookmark() }))).toBe("ENGINE_BUSY");
    rows.return();
    db.restore({ at: db.bookmark() });
  });

  test.each([
    ["run", (statement: ReturnType<Database["prepare"]>) => statement.run()],
    ["get", (statement: ReturnType<Database["prepare"]>) => statement.get()],
    ["all", (statement: ReturnType<Database["prepare"]>) => statement.all()],
    ["batch", (statement: ReturnType<Database["prepare"]>) => db.batch([statement])],
    ["iterate", (statement: ReturnType<Database["prepare"]>) => [...statement.iterate()]],
  ])("notices that its statement was run again, by %s", (_, again) => {
    fill(10_000);
    const statement = db.prepare("SELECT id FROM t ORDER BY id");
    const rows = statement.iterate();
    expect(rows.next().value).toEqual({ id: 1 });
    again(statement);
    expect(codeOf(() => [...rows])).toBe("USAGE");
    expect(statement.get()).toEqual({ id: 1 });
  });

  test("two iterations of two statements go side by side, with writes between the rows", () => {
    fill(9000);
    const [one, other] = [
      db.prepare("SELECT id FROM t ORDER BY id"),
      db.prepare("SELECT id FROM t ORDER BY -id"),
    ];
    const update = db.prepare("UPDATE t SET a = 'seen' WHERE id = ?");
    const second = other.iterate();
    let rows = 0;
    for (const { id } of one.iterate()) {
      expect(second.next().value).toEqual({ id: 9000 - rows++ });
      if (rows % 1000 === 0) update.run(id);
    }
    expect(second.next().done).toBe(true);
    expect(column(db, "SELECT count(*) FROM t WHERE a = 'seen'")).toEqual([9]);
  });

  test("a statement that is disposed of in the middle ends with a typed error", () => {
    fill(10_000);
    const statement = db.prepare("SELECT id FROM t");
    const rows = statement.iterate();
    rows.next();
    statement[Symbol.dispose]();
    expect(codeOf(() => [...rows])).toBe("STATEMENT_UNKNOWN");
    const stopped = statement.iterate;
    expect(codeOf(() => stopped.call(statement).next())).toBe("STATEMENT_UNKNOWN");
  });

  test("a schema that changes between two fetches gives right rows or a typed error, never wrong ones", () => {
    fill(10_000);
    const rows = db.prepare("SELECT * FROM t ORDER BY id").iterate();
    rows.next();
    let changed: string | undefined;
    try {
      db.exec("ALTER TABLE t ADD COLUMN later DEFAULT 'new'");
    } catch (error) {
      changed = (error as { code: string }).code;
    }
    let id = 1;
    try {
      for (const row of rows) expect(row).toMatchObject({ id: ++id, a: id });
      expect(id).toBe(10_000);
    } catch (error) {
      expect(error).toMatchObject({ code: "SQL_ERROR" });
    }
    expect([undefined, "SQL_ERROR"]).toContain(changed);
  });
});

describe("the schema changes", () => {
  test("a statement that was compiled before has the columns of now", () => {
    fill(1);
    const statement = db.prepare("SELECT * FROM t");
    expect(statement.get()).toEqual({ id: 1, a: 1 });
    db.exec("ALTER TABLE t ADD COLUMN b DEFAULT 'b'");
    expect(statement.all()).toEqual([{ id: 1, a: 1, b: "b" }]);
    expect(statement.columns).toEqual(["id", "a", "b"]);
    db.exec("ALTER TABLE t RENAME COLUMN a TO c");
    expect(statement.get()).toEqual({ id: 1, c: 1, b: "b" });
    expect([...statement.iterate()]).toEqual([{ id: 1, c: 1, b: "b" }]);
    db.exec("DROP TABLE t");
    expect(thrownBy(() => statement.all())).toMatchObject({ code: "SQL_ERROR", sqlite: 1 });
  });

  test("within a batch each result has the columns of its own time", () => {
    fill(1);
    const select = db.prepare("SELECT * FROM t");
    const alter = db.prepare("ALTER TABLE t ADD COLUMN b DEFAULT 'b'");
    expect(db.batch([select, alter, select])).toEqual([[{ id: 1, a: 1 }], [], [{ id: 1, a: 1, b: "b" }]]);
  });
});

describe("compiling", () => {
  test("takes one statement, with space, comments and semicolons behind it", () => {
    expect(db.prepare(" /* first */ SELECT 1 AS a ; -- the end\n ; ").get()).toEqual({ a: 1 });
    expect(db.prepare("SELECT 'ä😀' AS a; ").sql).toBe("SELECT 'ä😀' AS a;");
    for (const sql of ["", " ", "-- nothing", ";"])
      expect(
        codeOf(() => db.prepare(sql)),
        sql,
      ).toBe("USAGE");
    for (const sql of ["SELECT 1; SELECT 2", "SELECT 1; nonsense"]) {
      expect(
        codeOf(() => db.prepare(sql)),
        sql,
      ).toBe("USAGE");
    }
  });

  test("a statement ends when it is disposed of, and may be so twice", () => {
    const statement = db.prepare("SELECT 1");
    statement[Symbol.dispose]();
    statement[Symbol.dispose]();
    for (const use of [() => statement.run(), () => statement.all(), () => statement.columns]) {
      expect(codeOf(use)).toBe("STATEMENT_UNKNOWN");
    }
    expect(codeOf(() => db.batch([statement]))).toBe("STATEMENT_UNKNOWN");
  });
});

describe("a text with several statements", () => {
  test("is run one by one, a later one knowing what an earlier one made", () => {
    let rest =
      "CREATE TABLE made (a); INSERT INTO made VALUES (1), (2);; -- so far\n SELECT a FROM made -- end";
    const found: unknown[] = [];
    for (let next = db.prepareNext(rest); next; next = db.prepareNext(rest)) {
      found.push([...next.statement.iterateValues()]);
      rest = next.rest;
    }
    expect(found).toEqual([[], [], [[1], [2]]]);
    expect(db.totalChanges).toBe(2);
    expect(db.lastInsertRowid).toBe(2);
    expect(db.prepareNext(" -- nothing\n ; ")).toBeUndefined();
  });
});

describe("a limit of steps", () => {
  const endless = "WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) INSERT INTO t (a) SELECT i FROM n";

  test("stops a statement without an end, and undoes what it did", () => {
    expect(thrownBy(() => db.limited(1e6, () => db.exec(endless)))).toMatchObject({
      code: "SQL_ERROR",
      sqlite: 9,
    });
    expect(db.prepare("SELECT count(*) AS n FROM t").get()).toEqual({ n: 0 });
  });

  test("counts all statements together, and ends with its action", () => {
    const some = () => db.prepare("SELECT count(*) FROM generate_rows").get();
    db.exec(
      `CREATE VIEW generate_rows AS WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) SELECT * FROM n`,
    );
    expect(
      codeOf(() =>
        db.limited(1e6, () => {
          for (;;) some();
        }),
      ),
    ).toBe("SQL_ERROR");
    for (let i = 0; i < 10; i++) some();
  });
});
