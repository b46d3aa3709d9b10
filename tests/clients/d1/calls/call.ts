import type { D1Database } from "@cloudflare/workers-types";
/** A call as an application makes it; what it gives, or throws, is compared. */
export type Call = (db: D1Database) => unknown;

/** Named calls. Each begins with the tables of {@link SETUP}. */
export type Calls = Readonly<Record<string, Call>>;

/** What every call finds. */
export const SETUP = [
  "CREATE TABLE users (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, age INTEGER, data BLOB, score REAL)",
  "CREATE INDEX users_age ON users (age)",
  "CREATE TABLE posts (id INTEGER PRIMARY KEY, author INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE, title TEXT)",
  "INSERT INTO users (name, age, data, score) VALUES ('ada', 36, x'0001ff', 1.5), ('bob', NULL, NULL, 2.0), ('cyd', 22, x'', -0.0)",
  "INSERT INTO posts (id, author, title) VALUES (1, 1, 'first'), (2, 1, 'second'), (3, 2, 'third')",
  "CREATE TABLE plain (a, b)",
];

/** What removes all of it again, and what calls make. */
export const TEARDOWN = [
  "PRAGMA defer_foreign_keys = on",
  ...["posts", "users", "plain", "made", "made2", "search", "t1", "t2"].map(
    (name) => `DROP TABLE IF EXISTS ${name}`,
  ),
  "DROP VIEW IF EXISTS v",
];

/** What there is, in one row: other than at first, somebody has written. */
export const CONTENT = `SELECT
  (SELECT group_concat(name || coalesce(sql, '')) FROM sqlite_schema WHERE name NOT LIKE '\\_cf%' ESCAPE '\\') AS tables,
  (SELECT group_concat(id || name || coalesce(age, 'x') || score || coalesce(hex(data), 'x')) FROM users) AS users,
  (SELECT group_concat(id || author || title) FROM posts) AS posts,
  (SELECT count(*) FROM plain) AS plain,
  (SELECT last_insert_rowid()) AS last`;
