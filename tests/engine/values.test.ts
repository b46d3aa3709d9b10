// Values go into SQLite and come back as they were.
import { DatabaseSync } from "node:sqlite";
import { Database, type SqlParameter } from "pagemark/engine";
import { beforeEach, describe, expect, test } from "vitest";
import { codeOf, thrownBy } from "./support.ts";

let db: Database;

beforeEach(async () => {
  db = await Database.open();
  return () => db.close();
});

/** What comes back of a parameter, and what SQLite takes it for. */
function roundTrip(value: SqlParameter): unknown[] {
  db.exec("CREATE TABLE IF NOT EXISTS kept (a); DELETE FROM kept");
  db.prepare("INSERT INTO kept VALUES (?)").run(value);
  const [echoed, type] = db.prepare("SELECT ? AS a, typeof(a) FROM kept").values(value)[0] ?? [];
  const kept = db.prepare("SELECT a FROM kept").get()?.a;
  expect(kept).toEqual(echoed);
  return [kept, type];
}

describe("values", () => {
  test.each([
    [0, 0, "integer"],
    [1, 1, "integer"],
    [-1, -1, "integer"],
    [2 ** 31 - 1, 2 ** 31 - 1, "integer"],
    [2 ** 31, 2 ** 31, "integer"],
    [-(2 ** 31), -(2 ** 31), "integer"],
    [-(2 ** 31) - 1, -(2 ** 31) - 1, "integer"],
    [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, "integer"],
    [Number.MIN_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, "integer"],
    [2n ** 53n, 2n ** 53n, "integer"],
    [-(2n ** 53n), -(2n ** 53n), "integer"],
    [2n ** 63n - 1n, 2n ** 63n - 1n, "integer"],
    [-(2n ** 63n), -(2n ** 63n), "integer"],
    [7n, 7, "integer"],
    [2 ** 53, 2 ** 53, "real"],
    [2 ** 60, 2 ** 60, "real"],
    [0.1, 0.1, "real"],
    [-0, -0, "real"],
    [Number.MIN_VALUE, Number.MIN_VALUE, "real"],
    [Number.MAX_VALUE, Number.MAX_VALUE, "real"],
    [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, "real"],
    [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY, "real"],
    [Number.NaN, null, "null"],
    [null, null, "null"],
    [undefined, null, "null"],
    [true, 1, "integer"],
    [false, 0, "integer"],
  ])("%s comes back as %s, an SQL %s", (value, expected, type) => {
    expect(roundTrip(value)).toEqual([expected, type]);
  });

  test.each([
    ["nothing", ""],
    ["ASCII", "a short text"],
    ["ASCII that is long", "abc".repeat(50)],
    ["other letters", "Zürich, 東京, 🦀"],
    ["NUL in it", "a\0b\0"],
    ["a byte order mark before it", "\uFEFFtext"],
    ["a byte order mark before much", `\uFEFF${"x".repeat(100)}`],
    ["as much as fills pages", "ä".repeat(100_000)],
  ])("text with %s comes back", (_, text) => {
    expect(roundTrip(text)).toEqual([text, "text"]);
  });

  test("half of a character is a replacement character, as in every UTF-8", () => {
    expect(roundTrip("a\uD800b")).toEqual(["a\uFFFDb", "text"]);
    expect(db.prepare("SELECT 'a\uDC00b' AS a").get()).toEqual({ a: "a\uFFFDb" });
  });

  test("text in the database that is not UTF-8 is shown as far as it is", () => {
    expect(db.prepare("SELECT CAST(x'61ff62' AS TEXT) AS a").get()).toEqual({ a: "a\uFFFDb" });
  });

  test("bytes of every kind of view come back as bytes, and are copies", () => {
    const bytes = Uint8Array.of(0, 1, 254, 255);
    const around = Uint8Array.of(9, ...bytes, 9);
    const shared = new Uint8Array(new SharedArrayBuffer(4));
    shared.set(bytes);
    const views = [bytes, bytes.buffer, around.subarray(1, 5), new DataView(around.buffer, 1, 4), shared];
    for (const value of [...views, Buffer.from(bytes), new Uint32Array(bytes.buffer)]) {
      expect(roundTrip(value)).toEqual([bytes, "blob"]);
    }
    expect(roundTrip(new Uint8Array())).toEqual([new Uint8Array(), "blob"]);
    const large = new Uint8Array(3_000_000).map((_, i) => i * i);
    const back = db.prepare("SELECT ? AS a").get(large)?.a as Uint8Array;
    expect(Buffer.compare(back, large)).toBe(0);
    const [first, second] = [1, 2].map(() => db.prepare("SELECT x'0102' AS b").get()?.b as Uint8Array);
    first?.fill(9);
    expect(second).toEqual(Uint8Array.of(1, 2));
  });

  test("every integer is a BigInt on request: of a database or of a statement", async () => {
    expect(db.prepare("SELECT 1 AS a, 2.0 AS b", { bigints: true }).get()).toEqual({ a: 1n, b: 2 });
    expect(db.prepare("SELECT ? AS a", { bigints: true }).get(2n ** 62n)).toEqual({ a: 2n ** 62n });
    using other = await Database.open({ bigints: true });
    expect(other.prepare("SELECT 1 AS a").all()).toEqual([{ a: 1n }]);
    expect(other.prepare("SELECT 1 AS a", { bigints: false }).all()).toEqual([{ a: 1 }]);
  });

  test("what columns make of values is what they make of them in other builds of SQLite", () => {
    const values: (number | bigint | string)[] = [
      -0,
      1e300,
      3.5,
      3n,
      "12",
      "1e3",
      "0x10",
      " 7 ",
      2n ** 62n,
      "x",
    ];
    const sql = "CREATE TABLE t (i INTEGER, n NUMERIC, r REAL, t TEXT, b BLOB)";
    const insert = "INSERT INTO t VALUES (?1, ?1, ?1, ?1, ?1)";
    const select = "SELECT *, typeof(i), typeof(n), typeof(r), typeof(t), typeof(b) FROM t";
    const native = new DatabaseSync(":memory:");
    native.exec(sql);
    db.exec(sql);
    // node:sqlite binds every number as a REAL, so whole ones are not among these.
    for (const value of values) {
      native.prepare(insert).run(value);
      db.prepare(insert).run(value);
    }
    const query = native.prepare(select);
    query.setReadBigInts(true);
    const ours = db.prepare(select, { bigints: true }).all();
    expect(ours).toEqual(query.all().map((row) => ({ ...row })));
    native.close();
  });
});

describe("parameters", () => {
  test("have names with each prefix, given with it or without", () => {
    const statement = db.prepare("SELECT :a AS a, @b AS b, $c AS c, :a AS again");
    const expected = { a: 1, b: "2", c: null, again: 1 };
    expect(statement.get({ a: 1, b: "2", c: null })).toEqual(expected);
    expect(statement.get({ ":a": 1, "@b": "2", $c: null })).toEqual(expected);
    expect(statement.get(1, "2", null)).toEqual(expected);
    expect(statement.get(Object.assign(Object.create(null), { a: 1, b: "2", c: undefined }))).toEqual(
      expected,
    );
  });

  test("have numbers", () => {
    expect(db.prepare("SELECT ?2 AS a, ?1 AS b").get("one", "two")).toEqual({ a: "two", b: "one" });
    expect(db.prepare("SELECT ?2 AS a, ?1 AS b").get({ 1: "one", 2: "two" })).toEqual({ a: "two", b: "one" });
  });

  test("one too few or too many is an error, and nothing is kept from the last time", () => {
    const statement = db.prepare("SELECT ? AS a, ? AS b");
    statement.get("old", "old");
    for (const values of [[], ["new"], ["new", "new", "new"]]) {
      expect(codeOf(() => statement.get(...values))).toBe("ENGINE_PARAMETERS");
    }
    expect(statement.get("new", null)).toEqual({ a: "new", b: null });
    expect(codeOf(() => db.prepare("SELECT 1").all(1))).toBe("ENGINE_PARAMETERS");
  });

  test("a name without a value is an error that says which; an inherited one is no value", () => {
    const error = thrownBy(() => db.prepare("SELECT :low, $high").get({ low: 1 }));
    expect([error.code, error.message]).toEqual(["USAGE", expect.stringContaining("$high")]);
    expect(codeOf(() => db.prepare("SELECT :toString").get({}))).toBe("USAGE");
    expect(codeOf(() => db.prepare("SELECT ?").get({ a: 1 }))).toBe("USAGE");
  });

  test("what SQLite has no type for is an error that says what it was", () => {
    const statement = db.prepare("SELECT ?1 AS a");
    const odd: [unknown, string][] = [
      [Symbol("s"), "symbol"],
      [() => 1, "function"],
      [new Date(), "Date"],
      [[1, 2], "Array"],
      [new Map(), "Map"],
      [Promise.resolve(1), "Promise"],
      [new SharedArrayBuffer(4), "SharedArrayBuffer"],
    ];
    for (const [value, name] of odd) {
      const error = thrownBy(() => statement.get(value as SqlParameter));
      expect([error.code, error.message]).toEqual(["USAGE", expect.stringContaining(name)]);
    }
    expect(codeOf(() => db.prepare("SELECT ?, ?").get(1, {} as unknown as SqlParameter))).toBe("USAGE");
    for (const value of [2n ** 63n, -(2n ** 63n) - 1n])
      expect(codeOf(() => statement.get(value))).toBe("USAGE");
    expect(statement.get("still works")).toEqual({ a: "still works" });
  });
});
