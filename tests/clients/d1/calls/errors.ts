// What is refused, and how that is said.
import type { Calls } from "./call.ts";

/** Statements that fail. */
const WRONG: Readonly<Record<string, string>> = {
  "a syntax error": "SELEC 1",
  "a syntax error later": "SELECT 1 FROM users WHERE",
  "a table that is not there": "SELECT * FROM nope",
  "a column that is not there": "SELECT nope FROM users",
  "a function that is not there": "SELECT nope(1)",
  "a UNIQUE constraint": "INSERT INTO users (name) VALUES ('ada')",
  "a primary key": "INSERT INTO posts VALUES (1, 1, 'x')",
  "a NOT NULL constraint": "INSERT INTO posts (id) VALUES (9)",
  "a foreign key": "INSERT INTO posts VALUES (9, 99, 'x')",
  "a table that is there": "CREATE TABLE users (a)",
  "a mismatch of types": "INSERT INTO posts VALUES ('x', 1, 'x')",
  "too few values": "INSERT INTO posts VALUES (1)",
  "a literal that does not end": "SELECT 'x",
  BEGIN: "BEGIN",
  "BEGIN TRANSACTION": "BEGIN TRANSACTION",
  COMMIT: "COMMIT",
  SAVEPOINT: "SAVEPOINT a",
  ATTACH: "ATTACH 'x' AS y",
  VACUUM: "VACUUM",
  "a PRAGMA that is refused": "PRAGMA writable_schema = on",
  "a PRAGMA of the file": "PRAGMA journal_mode",
  "PRAGMA user_version": "PRAGMA user_version",
  "a temporary table": "CREATE TEMP TABLE made (a)",
  "a table of Cloudflare's name": "CREATE TABLE _cf_made (a)",
  "a virtual table of Cloudflare's name": "CREATE VIRTUAL TABLE [_cf_made] USING fts5(a)",
  "a view of Cloudflare's name": 'CREATE VIEW IF NOT EXISTS main."_CF_made" AS SELECT 1',
  "an index of Cloudflare's name": "CREATE UNIQUE INDEX _cf_made ON users (name)",
  "a rename to Cloudflare's name": "ALTER TABLE /* */ users RENAME TO _cf_users",
  "json that is none": "SELECT json('{')",
  RAISE: "SELECT RAISE(ABORT, 'no')",
  "an integer overflow": "SELECT abs(-9223372036854775808)",
  "sum that overflows": "SELECT sum(a) FROM (SELECT 9223372036854775807 AS a UNION ALL SELECT 1)",
  "a very long LIKE": `SELECT 'x' LIKE '${"a".repeat(60)}'`,
  "an empty text": "",
  spaces: "  ",
  "a comment": "-- nothing",
  "a comment in signs": "/* nothing */",
  "a semicolon": ";",
};

export const errors: Calls = {
  ...Object.fromEntries(
    Object.entries(WRONG).map(([name, sql]): [string, Calls[string]] => [
      `refused: ${name}`,
      (db) => db.prepare(sql).all(),
    ]),
  ),
  "too few parameters": (db) => db.prepare("SELECT ?, ?").bind(1).all(),
  "too many parameters": (db) => db.prepare("SELECT ?").bind(1, 2).all(),
  "parameters for none": (db) => db.prepare("SELECT 1").bind(1).all(),
  "no parameters bound": (db) => db.prepare("SELECT ? AS v").all(),
  "named parameters": (db) => db.prepare("SELECT :a AS v").bind(1).all(),
  "first of what is wrong": (db) => db.prepare("SELEC").first(),
  "raw of what is wrong": (db) => db.prepare("SELEC").raw(),
  "run of what is wrong": (db) => db.prepare("SELEC").run(),
  "prepare(undefined)": (db) => db.prepare(undefined as never).all(),
  "prepare(5)": (db) => db.prepare(5 as never).all(),
  "prepare(null)": (db) => db.prepare(null as never).all(),
  "exec(undefined)": (db) => db.exec(undefined as never),
  "a failed statement leaves the database usable": async (db) => {
    await db
      .prepare("SELEC")
      .all()
      .catch(() => {});
    return db.prepare("SELECT 1 AS a").first("a");
  },
  "an error is an Error": (db) =>
    db
      .prepare("SELEC")
      .all()
      .then(
        () => "none",
        (error) => [error instanceof Error, error.name, error.cause instanceof Error],
      ),
  dump: async (db) => (await db.dump()).byteLength > 0,
};
