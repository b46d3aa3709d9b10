// Several statements at once: batches, scripts, sessions.
import type { D1Database } from "@cloudflare/workers-types";
import type { Calls } from "./call.ts";

const names = (db: D1Database) => db.prepare("SELECT name FROM users ORDER BY id").raw();

export const batches: Calls = {
  batch: (db) => db.batch([db.prepare("SELECT ? AS a").bind(1), db.prepare("SELECT 2 AS a")]),
  "a batch of one": (db) => db.batch([db.prepare("SELECT 1 AS a")]),
  "an empty batch": (db) => db.batch([]),
  "a batch of one statement twice": (db) => {
    const statement = db.prepare("INSERT INTO plain VALUES (?, ?)");
    return db.batch([statement.bind(1, 2), statement.bind(3, 4)]);
  },
  "a batch that reads what it wrote": (db) =>
    db.batch([db.prepare("INSERT INTO plain VALUES (1, 'x')"), db.prepare("SELECT * FROM plain")]),
  "a batch that fails": (db) =>
    db.batch([db.prepare("INSERT INTO plain VALUES (1, 2)"), db.prepare("INSERT INTO nope VALUES (1)")]),
  "a batch that fails leaves nothing": async (db) => {
    await db
      .batch([db.prepare("DELETE FROM posts"), db.prepare("INSERT INTO users (name) VALUES ('ada')")])
      .catch(() => {});
    return db.prepare("SELECT count(*) AS n FROM posts").first("n");
  },
  "a batch with duplicate columns": async (db) =>
    (await db.batch([db.prepare("SELECT 1 AS a, 2 AS a")]))[0]?.results,
  "a batch of what is no array": (db) => db.batch(undefined as never),
  "a batch of a text": (db) => db.batch(["SELECT 1"] as never),
  "a batch of a generator": (db) =>
    db.batch(
      (function* () {
        yield db.prepare("SELECT 1 AS a");
      })() as never,
    ),
  "a batch of an array with a hole": (db) => {
    const statements = [db.prepare("SELECT 1 AS a")];
    statements[2] = db.prepare("SELECT 3 AS a");
    return db.batch(statements);
  },
  "a batch of nothing and a statement": (db) => db.batch([undefined as never, db.prepare("SELECT 1")]),
  "a batch of a promise": (db) => db.batch([Promise.resolve(db.prepare("SELECT 1")) as never]),
  "a batch of an empty statement": (db) => db.batch([db.prepare("SELECT 1 AS a"), db.prepare("")]),
  "a batch with a statement of a session": (db) => db.batch([db.withSession().prepare("SELECT 1 AS a")]),
  "a batch that makes a table and fills it": (db) =>
    db.batch([
      db.prepare("CREATE TABLE made (a)"),
      db.prepare("INSERT INTO made VALUES (?)").bind("x"),
      db.prepare("SELECT a FROM made"),
    ]),

  "exec of one line": (db) => db.exec("INSERT INTO plain VALUES (1, 2)"),
  "exec of two lines": (db) => db.exec("INSERT INTO plain VALUES (1, 2);\nINSERT INTO plain VALUES (3, 4);"),
  "exec of lines without semicolons": (db) => db.exec("SELECT 1\nSELECT 2\nSELECT 3"),
  "exec of three statements on a line": (db) => db.exec("SELECT 1; SELECT 2; SELECT 3"),
  "exec of a statement over two lines": (db) => db.exec("CREATE TABLE made (\n a INTEGER)"),
  "exec of a statement over two lines, and others": (db) =>
    db.exec("INSERT INTO plain\n VALUES (1, 2);\nINSERT INTO plain VALUES (3, 4);"),
  "exec of a trigger over lines": (db) =>
    db.exec(
      "CREATE TRIGGER made AFTER INSERT ON plain BEGIN\n  DELETE FROM posts;\n  DELETE FROM users;\nEND;",
    ),
  "exec with empty lines": (db) => db.exec("\n\nSELECT 1;\n\nSELECT 2;\n\n"),
  "exec with an indented comment": (db) => db.exec("SELECT 1;\n  -- a comment\nSELECT 2;"),
  "exec with a line that is a comment": (db) => db.exec("SELECT 1;\n-- a comment\nSELECT 2;"),
  'exec("")': (db) => db.exec(""),
  "exec of spaces": (db) => db.exec("  \n "),
  "exec of a comment": (db) => db.exec("-- a comment\n-- another"),
  "exec of what is wrong": (db) => db.exec("SELEC 1"),
  "exec of what is wrong on the second line": (db) => db.exec("SELECT 1;\nSELEC 2;"),
  "exec that fails leaves nothing": async (db) => {
    await db.exec("DELETE FROM posts;\nINSERT INTO nope VALUES (1);").catch(() => {});
    return db.prepare("SELECT count(*) AS n FROM posts").first("n");
  },

  "a session": (db) => db.withSession().prepare("SELECT 1 AS a").first("a"),
  "a session from the primary": (db) => db.withSession("first-primary").prepare("SELECT 1 AS a").all(),
  "a session that is unconstrained": (db) =>
    db.withSession("first-unconstrained").prepare("SELECT 1 AS a").raw(),
  "the bookmark of a session before its first query": (db) => db.withSession("first-primary").getBookmark(),
  "the bookmark of a session after its first query": async (db) => {
    const session = db.withSession("first-primary");
    await session.prepare("SELECT 1").all();
    return /^[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{32}$/.test(session.getBookmark() ?? "");
  },
  "the bookmark of a session grows": async (db) => {
    const session = db.withSession();
    await session.prepare("INSERT INTO plain VALUES (1, 2)").run();
    const before = session.getBookmark() ?? "";
    await session.prepare("INSERT INTO plain VALUES (3, 4)").run();
    return before < (session.getBookmark() ?? "");
  },
  "a session from a bookmark": async (db) => {
    const first = db.withSession();
    await first.prepare("INSERT INTO plain VALUES (1, 2)").run();
    const second = db.withSession(first.getBookmark() ?? "");
    return [
      second.getBookmark() === first.getBookmark(),
      await second.prepare("SELECT a FROM plain").first("a"),
    ];
  },
  "a batch in a session": (db) => {
    const session = db.withSession();
    return session.batch([session.prepare("SELECT 1 AS a"), session.prepare("SELECT 2 AS a")]);
  },
  "a session of what is no bookmark": (db) => db.withSession("garbage").prepare("SELECT 1 AS a").first("a"),
  "a session of a bookmark of zeros": (db) =>
    db
      .withSession(`00000000-00000000-00000000-${"0".repeat(32)}`)
      .prepare("SELECT 1 AS a")
      .first("a"),
  "a session of a number": (db) =>
    db
      .withSession(5 as never)
      .prepare("SELECT 1 AS a")
      .first("a"),
  "a session of an empty bookmark": (db) => db.withSession("").prepare("SELECT 1 AS a").first("a"),
  "what a session has": (db) =>
    ["prepare", "batch", "getBookmark", "exec"].map((name) => name in db.withSession()),
  "what was written outside of the session": async (db) => {
    const session = db.withSession();
    await db.prepare("INSERT INTO users (name) VALUES ('dan')").run();
    return session.prepare("SELECT count(*) AS n FROM users").first("n");
  },
  "many at once": async (db) => {
    await Promise.all(
      Array.from({ length: 10 }, (_, at) =>
        db.prepare("INSERT INTO plain VALUES (?, ?)").bind(at, "x").run(),
      ),
    );
    return db.prepare("SELECT count(*) AS n FROM plain").first("n");
  },
  "what is there afterwards": (db) => names(db),
};
