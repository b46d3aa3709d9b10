// What can be bound, and what comes back.
import type { D1Database } from "@cloudflare/workers-types";
import type { Calls } from "./call.ts";

const echo = (db: D1Database, ...values: unknown[]) =>
  db
    .prepare(`SELECT ${values.map((_, at) => `? AS v${at}`).join(", ")}`)
    .bind(...values)
    .first();
const typeOf = (db: D1Database, value: unknown) =>
  db.prepare("SELECT typeof(?1) AS type, quote(?1) AS text").bind(value).first();

/** By a name of what is bound. */
const BOUND: Readonly<Record<string, () => unknown>> = {
  null: () => null,
  undefined: () => undefined,
  true: () => true,
  false: () => false,
  zero: () => 0,
  "a small integer": () => 5,
  "a negative integer": () => -7,
  "2^31": () => 2 ** 31,
  "2^53 - 1": () => Number.MAX_SAFE_INTEGER,
  "-0": () => -0,
  "a fraction": () => 0.1,
  "a large number": () => 1e300,
  infinity: () => Number.POSITIVE_INFINITY,
  NaN: () => Number.NaN,
  "an empty text": () => "",
  "a text": () => "it's",
  "a text with NUL": () => "a\0b",
  "an emoji": () => "😀",
  "a lone surrogate": () => "\ud800",
  "a BigInt": () => 5n,
  "a BigInt beyond 2^53": () => 9007199254740993n,
  "an array of bytes": () => [1, 2, 255],
  "an empty array": () => [],
  "an array of what is no byte": () => [1, 256],
  "an array of texts": () => ["a"],
  "an array with a hole": () => Object.assign([1], { 2: 2 }),
  "a Uint8Array": () => new Uint8Array([0, 1, 255]),
  "an empty Uint8Array": () => new Uint8Array(),
  "an ArrayBuffer": () => new Uint8Array([7, 8]).buffer,
  "a part of a buffer": () => new Uint8Array([1, 2, 3, 4]).subarray(1, 3),
  "a Uint16Array": () => new Uint16Array([1, 2]),
  "a DataView": () => new DataView(new Uint8Array([1, 2]).buffer),
  "an object": () => ({ a: 1 }),
  "a Date": () => new Date(0),
  "a function": () => () => 1,
  "a symbol": () => Symbol("s"),
  "a String object": () => new String("s"),
};

/** By a name of the expression that SQLite computes. */
const COMPUTED: Readonly<Record<string, string>> = {
  NULL: "NULL",
  "an integer": "42",
  "the largest safe integer": "9007199254740991",
  "an integer beyond 2^53": "9007199254740993",
  "the largest integer": "9223372036854775807",
  "the smallest integer": "-9223372036854775808",
  "a real": "1.5",
  "a whole real": "2.0",
  "-0.0": "-0.0",
  infinity: "9e999",
  "minus infinity": "-9e999",
  "a text": "'text'",
  "a text with NUL": "char(97, 0, 98)",
  "a text that is no UTF-8": "CAST(x'ff61' AS TEXT)",
  "a BLOB": "x'00ff10'",
  "an empty BLOB": "x''",
  true: "TRUE",
  JSON: "json('{\"a\": [1, 2]}')",
  "a date": "date(0, 'unixepoch')",
  "a regular function": "upper('x') || abs(-3) || substr('hello', 2, 2)",
};

export const values: Calls = {
  ...Object.fromEntries(
    Object.entries(BOUND).flatMap(
      ([name, value]) =>
        [
          [`bind ${name}`, (db) => echo(db, value())],
          [`what bind makes of ${name}`, (db) => typeOf(db, value())],
        ] satisfies [string, Calls[string]][],
    ),
  ),
  ...Object.fromEntries(
    Object.entries(COMPUTED).flatMap(
      ([name, sql]) =>
        [
          [`select ${name}`, (db) => db.prepare(`SELECT ${sql} AS v`).first("v")],
          [`raw ${name}`, (db) => db.prepare(`SELECT ${sql} AS v`).raw()],
        ] satisfies [string, Calls[string]][],
    ),
  ),
  "bind several values": (db) => echo(db, 1, "two", null, true),
  "store and read a BLOB": async (db) => {
    await db
      .prepare("UPDATE users SET data = ? WHERE id = 2")
      .bind(new Uint8Array([9, 8, 7]))
      .run();
    return db.prepare("SELECT data, typeof(data) AS type, length(data) AS n FROM users WHERE id = 2").first();
  },
  "an integer column takes a number": async (db) => {
    await db.prepare("INSERT INTO users (name, age) VALUES (?, ?)").bind("dan", 41).run();
    return db.prepare("SELECT age, typeof(age) AS type FROM users WHERE name = 'dan'").first();
  },
  "a column without a type takes a number": async (db) => {
    await db.prepare("INSERT INTO plain VALUES (?, ?)").bind(5, 1.5).run();
    return db.prepare("SELECT a, typeof(b) AS type FROM plain").first();
  },
  "what was bound is looked at when it is bound": (db) => {
    const bytes = new Uint8Array([1]);
    const statement = db.prepare("SELECT ? AS v").bind(bytes);
    bytes[0] = 2;
    return statement.first("v");
  },
};
