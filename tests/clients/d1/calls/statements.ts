// What statements and databases do, as D1's documentation has it.
import type { Calls } from "./call.ts";

const USERS = "SELECT id, name, age FROM users ORDER BY id";

export const statements: Calls = {
  "all of a SELECT": (db) => db.prepare(USERS).all(),
  "all without rows": (db) => db.prepare("SELECT * FROM users WHERE id = 99").all(),
  "run of a SELECT": (db) => db.prepare(USERS).run(),
  "run of an INSERT": (db) => db.prepare("INSERT INTO users (name) VALUES (?)").bind("dan").run(),
  "all of an INSERT": (db) => db.prepare("INSERT INTO users (name) VALUES ('dan')").all(),
  "INSERT RETURNING": (db) => db.prepare("INSERT INTO users (name) VALUES ('dan') RETURNING id, name").all(),
  "run of an UPDATE": (db) => db.prepare("UPDATE users SET age = 1").run(),
  "run of an UPDATE of an unindexed column": (db) => db.prepare("UPDATE users SET score = 1").run(),
  "run of an UPDATE of nothing": (db) => db.prepare("UPDATE users SET age = 1 WHERE id = 99").run(),
  "run of a DELETE": (db) => db.prepare("DELETE FROM posts WHERE id > 1").run(),
  "run of a DELETE of everything": (db) => db.prepare("DELETE FROM posts").run(),
  "run of a DELETE that cascades": (db) => db.prepare("DELETE FROM users WHERE id = 1").run(),
  "run of an upsert": (db) =>
    db
      .prepare("INSERT INTO users (name, age) VALUES ('ada', 1) ON CONFLICT (name) DO UPDATE SET age = 37")
      .run(),
  "run of a REPLACE": (db) => db.prepare("REPLACE INTO posts VALUES (1, 2, 'other')").run(),
  "run of CREATE TABLE": (db) => db.prepare("CREATE TABLE made (a)").run(),
  "run of CREATE TABLE IF NOT EXISTS of one that exists": (db) =>
    db.prepare("CREATE TABLE IF NOT EXISTS users (a)").run(),
  "run of CREATE INDEX": (db) => db.prepare("CREATE INDEX made_index ON posts (title)").run(),
  "run of DROP TABLE": (db) => db.prepare("DROP TABLE posts").run(),
  "run of DROP TABLE of one that others refer to": (db) => db.prepare("DROP TABLE users").run(),
  "all of integers beyond 2^53": (db) =>
    db.prepare("SELECT 9007199254740993 AS a, 9007199254740995 AS b, 7 AS c").all(),
  "run of ALTER TABLE that renames": async (db) =>
    (await db.prepare("ALTER TABLE posts RENAME TO made").run()).meta.changed_db,
  "run of CREATE VIEW": async (db) => {
    const { changed_db } = (await db.prepare("CREATE VIEW made_view AS SELECT 1").run()).meta;
    await db.prepare("DROP VIEW made_view").run();
    return changed_db;
  },
  "run of ALTER TABLE": (db) => db.prepare("ALTER TABLE posts ADD COLUMN extra TEXT DEFAULT 'x'").run(),
  "a statement through an index": (db) => db.prepare("SELECT name FROM users WHERE age = 22").all(),
  "a statement by key": (db) => db.prepare("SELECT name FROM users WHERE id = 2").all(),
  "count(*)": (db) => db.prepare("SELECT count(*) AS n FROM users").all(),
  "a join": (db) =>
    db.prepare("SELECT u.name, p.title FROM users u JOIN posts p ON p.author = u.id ORDER BY p.id").all(),
  "an aggregate": (db) => db.prepare("SELECT max(age) AS oldest, sum(score) AS total FROM users").all(),
  "a recursive query": (db) =>
    db
      .prepare("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT i FROM n")
      .all(),
  "a trigger's rows": async (db) => {
    await db
      .prepare("CREATE TRIGGER made AFTER INSERT ON plain BEGIN INSERT INTO posts VALUES (9, 1, 'x'); END")
      .run();
    return db.prepare("INSERT INTO plain VALUES (1, 2)").run();
  },
  "full-text search": async (db) => {
    await db.prepare("CREATE VIRTUAL TABLE search USING fts5 (body)").run();
    await db.prepare("INSERT INTO search VALUES ('hello world'), ('goodbye')").run();
    return (await db.prepare("SELECT body FROM search WHERE search MATCH 'hello'").all()).results;
  },
  first: (db) => db.prepare(USERS).first(),
  "first of a column": (db) => db.prepare(USERS).first("name"),
  "first of a column that is NULL": (db) => db.prepare("SELECT age FROM users WHERE id = 2").first("age"),
  "first without rows": (db) => db.prepare("SELECT * FROM users WHERE id = 99").first(),
  "first of a column without rows": (db) => db.prepare("SELECT * FROM users WHERE id = 99").first("name"),
  "first of a column that is not there": (db) => db.prepare(USERS).first("nope"),
  "first of a column without rows that is not there": (db) =>
    db.prepare("SELECT * FROM users WHERE id = 99").first("nope"),
  "first of a name that every object has": async (db) =>
    typeof (await db.prepare(USERS).first("constructor")),
  "first(undefined)": (db) => db.prepare(USERS).first(undefined as never),
  raw: (db) => db.prepare(USERS).raw(),
  "raw with names": (db) => db.prepare(USERS).raw({ columnNames: true }),
  "raw without names": (db) => db.prepare(USERS).raw({ columnNames: false }),
  "raw(null)": (db) => db.prepare(USERS).raw(null as never),
  "raw with names, without rows": (db) =>
    db.prepare("SELECT id FROM users WHERE 0").raw({ columnNames: true }),
  "raw of an INSERT": (db) => db.prepare("INSERT INTO plain VALUES (1, 2)").raw(),
  "columns of the same name, as objects": (db) => db.prepare("SELECT 1 AS a, 2 AS a, 3 AS b").first(),
  "columns of the same name, raw": (db) => db.prepare("SELECT 1 AS a, 2 AS a").raw({ columnNames: true }),
  "a column called __proto__": async (db) =>
    Object.keys((await db.prepare('SELECT 1 AS "__proto__"').first()) ?? {}),
  "names of columns": (db) =>
    db.prepare("SELECT id, name AS n, age + 1, count(*) FROM users").raw({ columnNames: true }),
  "numbered parameters": (db) => db.prepare("SELECT ?2 AS b, ?1 AS a").bind("x", "y").first(),
  "one parameter twice": (db) => db.prepare("SELECT ?1 AS a, ?1 AS b").bind("x").first(),
  "bind again": (db) => db.prepare("SELECT ? AS v").bind(1).bind(2).first("v"),
  "a statement is used again": async (db) => {
    const statement = db.prepare("SELECT name FROM users WHERE id = ?");
    return [await statement.bind(1).first("name"), await statement.bind(2).first("name")];
  },
  "statement and params": (db) => {
    const { statement, params } = db.prepare("SELECT ?").bind(1, new Uint8Array([2])) as unknown as Record<
      string,
      unknown
    >;
    return { statement, params };
  },
  "params of a statement without any": (db) =>
    (db.prepare("SELECT 1") as unknown as { params: unknown }).params,
  "a new statement for each bind": (db) => {
    const statement = db.prepare("SELECT ?");
    return statement.bind(1) === statement;
  },
  "prepare does not wait": (db) => typeof (db.prepare("SELECT 1") as unknown as { then?: unknown }).then,
  "what a database has": (db) =>
    ["prepare", "batch", "exec", "dump", "withSession"].map((name) => name in db),
  "what a database has not": (db) =>
    ["CLOUDFLARE_D1_TOKEN", "then", "fetch", "backup"].map((name) => name in db),
  "what a statement has": (db) =>
    ["bind", "first", "all", "run", "raw", "statement", "params"].map(
      (name) => name in db.prepare("SELECT 1"),
    ),
  "what a statement has not": (db) => ["then", "describe"].map((name) => name in db.prepare("SELECT 1")),
  "names of the classes": (db) => [
    db.constructor.name,
    db.prepare("SELECT 1").constructor.name,
    db.withSession().constructor.name,
  ],
  "a text with several statements": (db) => db.prepare("SELECT 1 AS a; SELECT 2 AS b").all(),
  "a text with several statements that write": (db) =>
    db.prepare("INSERT INTO plain VALUES (1, 1); INSERT INTO plain VALUES (2, 2);").run(),
  "a text with several statements, the last with parameters": (db) =>
    db.prepare("SELECT 1 AS a; SELECT ? AS b").bind(7).all(),
  "first of a text with several statements": (db) => db.prepare("SELECT 1 AS a; SELECT 2 AS b").first(),
  "a comment after the semicolon": (db) => db.prepare("SELECT 1 AS a; -- last").all(),
  "a text with a comment": (db) => db.prepare("-- first\nSELECT /* in */ 1 AS a -- last").all(),
  "a semicolon at the end": (db) => db.prepare("SELECT 1 AS a;").all(),
  "an allowed PRAGMA": (db) => db.prepare("PRAGMA table_info(posts)").all(),
  "PRAGMA table_list": async (db) =>
    (await db.prepare("PRAGMA table_list").all()).results.some(({ name }) => name === "users"),
  "PRAGMA foreign_keys": (db) => db.prepare("PRAGMA foreign_keys").all(),
  "PRAGMA foreign_keys = off": async (db) => {
    await db.prepare("PRAGMA foreign_keys = off").run();
    return db.prepare("INSERT INTO posts VALUES (9, 99, 'x')").run();
  },
  last_row_id: async (db) =>
    (await db.prepare("INSERT INTO posts VALUES (77, 1, 'x')").run()).meta.last_row_id,
};
