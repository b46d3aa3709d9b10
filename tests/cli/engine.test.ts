// The commands that run SQLite: import, compact, check, verify --restore.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { beforeAll, expect, test } from "vitest";
import { CommandLine } from "../support/cli.ts";
import { runSql, tableSql, tempFolder } from "../support/temp.ts";

const folder = tempFolder();
const cli = new CommandLine(folder);
const path = join(folder, "app.db");

beforeAll(() => {
  runSql(path, `PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; ${tableSql("orders", 300, 1000)}`);
  runSql(
    path,
    `CREATE VIRTUAL TABLE docs USING fts5(body); INSERT INTO docs VALUES ('some words');
     CREATE TABLE exact (id INTEGER PRIMARY KEY, a); INSERT INTO exact VALUES (1, 9007199254740993), (2, -0.0);
     DELETE FROM orders WHERE id % 2; PRAGMA user_version = 7; PRAGMA application_id = 99`,
  );
});

/** What the sqlite3 shell says. */
function shell(database: string, sql: string): string {
  return spawnSync("sqlite3", [join(folder, database), sql], { encoding: "utf8" }).stdout.trim();
}

const EVERYTHING =
  "SELECT count(*), sum(length(payload)) FROM orders; SELECT group_concat(a) FROM exact; PRAGMA user_version; PRAGMA application_id; PRAGMA page_size; PRAGMA integrity_check; SELECT count(*) FROM docs WHERE docs MATCH 'words'";

test.each([
  ["the shell's .dump", () => spawnSync("sqlite3", [path, ".dump"], { encoding: "utf8" }).stdout, false],
  ["our own dump", () => cli.run("dump", "app.db").stdout, true],
])("B26 import makes a database of %s, compressed or not", (_name, dump, carriesSettings) => {
  writeFileSync(join(folder, "dump.sql"), dump());
  writeFileSync(join(folder, "dump.sql.gz"), gzipSync(readFileSync(join(folder, "dump.sql"))));
  for (const file of ["dump.sql", "dump.sql.gz"]) {
    const { statements } = cli.json<{ statements: number }>("import", file, "-o", "imported.db", "--force");
    expect(statements).toBeGreaterThan(10);
    const of = (database: string) => shell(database, EVERYTHING).split("\n");
    const lost = carriesSettings ? [] : [2, 3, 4];
    const kept = (lines: string[]) => lines.filter((_line, index) => !lost.includes(index));
    expect(kept(of("imported.db"))).toEqual(kept(of("app.db")));
  }
});

test("import of SQL that fails names the line, and leaves no file", () => {
  writeFileSync(join(folder, "bad.sql"), "CREATE TABLE t (a);\n\nINSERT INTO nowhere VALUES (1);\n");
  const { status, stderr } = cli.run("--json", "import", "bad.sql", "-o", "bad.db");
  const { error } = JSON.parse(stderr);
  expect([status, error.code, error.at.line]).toEqual([1, "IMPORT_STATEMENT", 3]);
  expect(error.message).toContain("no such table: nowhere");
  expect(readdirSync(folder).filter((name) => name.includes("bad.db"))).toEqual([]);
});

test("B25 import does what sqlite3 does with scripts: settings, VACUUM, byte-order marks", () => {
  const rows = "BEGIN TRANSACTION; CREATE TABLE t (a); INSERT INTO t VALUES (1); COMMIT;";
  for (const [sql, answer] of [
    [`PRAGMA synchronous=OFF; PRAGMA journal_mode=WAL; PRAGMA main.cache_size=9; ${rows}`, "1|4096|0"],
    [
      `${rows} PRAGMA wal_checkpoint(TRUNCATE); PRAGMA "synchronous"(1); VACUUM; ANALYZE; PRAGMA optimize;`,
      "1|4096|0",
    ],
    [`PRAGMA page_size=1024; PRAGMA auto_vacuum=1; PRAGMA user_version=7; ${rows}`, "1|1024|7"],
    [`${rows} PRAGMA page_size=8192; PRAGMA user_version=3; VACUUM;`, "1|8192|3"],
    [
      `\ufeff-- made elsewhere\n${rows}\n\ufeffBEGIN; DELETE FROM t; INSERT INTO t VALUES (2); COMMIT;`,
      "2|4096|0",
    ],
  ]) {
    writeFileSync(join(folder, "script.sql"), sql as string);
    cli.json("import", "script.sql", "-o", "script.db", "--force");
    const look = "SELECT a, page_size, user_version FROM t, pragma_page_size, pragma_user_version";
    expect(shell("script.db", look), sql).toBe(answer);
    expect(shell("script.db", "PRAGMA integrity_check")).toBe("ok");
  }
});

test("import of SQL that makes nothing makes an empty database", () => {
  for (const sql of ["", "-- nothing\n", "\ufeff", "PRAGMA defer_foreign_keys=TRUE;\n"]) {
    writeFileSync(join(folder, "nothing.sql"), sql);
    cli.json("import", "nothing.sql", "-o", "nothing.db", "--force");
    expect(shell("nothing.db", "SELECT count(*) FROM sqlite_schema; PRAGMA integrity_check")).toBe("0\nok");
  }
});

test("B25 import refuses a dump that is cut off anywhere, and what is no SQL, and leaves no file", () => {
  const dump = spawnSync("sqlite3", [path, ".dump"], { encoding: "utf8" }).stdout;
  const cut = (at: number) => dump.slice(0, Math.floor(dump.length * at));
  const packed = gzipSync(dump);
  for (const [content, code] of [
    [dump.split("\n").slice(0, -3).join("\n"), "IMPORT_CUT_OFF"],
    [cut(0.3), /^IMPORT_(CUT_OFF|STATEMENT)$/],
    [cut(0.9), /^IMPORT_(CUT_OFF|STATEMENT)$/],
    [packed.subarray(0, packed.length >> 1), "GZIP_DAMAGED"],
    [gzipSync(packed), "IMPORT_FORMAT"],
    [gzipSync(readFileSync(path)), "IMPORT_FORMAT"],
    [readFileSync(path), "IMPORT_FORMAT"],
    [".mode list\nCREATE TABLE t (a);", "IMPORT_STATEMENT"],
  ] as const) {
    writeFileSync(join(folder, "cut.sql"), content);
    const [status, found] = cli.failure("import", "cut.sql", "-o", "cut.db");
    expect(status).toBe(1);
    expect(found).toMatch(code);
    expect(readdirSync(folder).filter((name) => name.includes("cut.db"))).toEqual([]);
  }
});

test("C7 compact writes a copy without free space that keeps page size, versions and rows", () => {
  const sizes = cli.json<{ size: number; size_before: number }>("compact", "app.db", "-o", "small.db");
  expect(sizes.size).toBeLessThan(sizes.size_before * 0.7);
  expect(shell("small.db", EVERYTHING)).toBe(shell("app.db", EVERYTHING));
  expect(shell("small.db", "PRAGMA freelist_count")).toBe("0");
  expect(cli.failure("compact", "app.db", "-o", "small.db")).toEqual([1, "TARGET_EXISTS"]);
});

test("check finds broken indexes and rows that refer to none, and nothing in a sound database", () => {
  const sound = cli.json<{ objects: { state: string }[] }>("check", "app.db");
  expect(sound).toMatchObject({ ok: true, integrity: [], foreign_keys: [], unchecked: [] });
  expect(new Set(sound.objects.map(({ state }) => state))).toEqual(new Set(["sound"]));
  runSql(
    join(folder, "orphan.db"),
    "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (r REFERENCES p); PRAGMA foreign_keys = OFF; INSERT INTO c VALUES (7)",
  );
  const orphan = cli.run("--json", "check", "orphan.db");
  expect(orphan.status).toBe(1);
  expect(JSON.parse(orphan.stdout).foreign_keys).toEqual([{ table: "c", rowid: "1", parent: "p" }]);
  const broken = readFileSync(path);
  broken.fill(0xff, 3 * 8192, 4 * 8192);
  writeFileSync(join(folder, "broken.db"), broken);
  const { status, stdout } = cli.run("--json", "check", "broken.db");
  expect(status).toBe(1);
  expect(JSON.parse(stdout).integrity.length).toBeGreaterThan(0);
  expect(shell("app.db", "PRAGMA journal_mode")).toBe("wal");
});

test("C17 verify --restore checks what a restore gives, and answers the user's own queries", () => {
  cli.json("backup", "app.db", "--to", "backups");
  const verified = cli.json<{ restored: { ok: boolean; queries: unknown[] } }>(
    ...[
      "verify",
      "app",
      "--from",
      "backups",
      "--query",
      "SELECT count(*) AS n FROM orders",
      "SELECT a FROM exact",
    ],
  );
  expect(verified.restored.ok).toBe(true);
  expect(verified.restored.queries).toEqual([
    { sql: "SELECT count(*) AS n FROM orders", columns: ["n"], rows: [[150]] },
    { sql: "SELECT a FROM exact", columns: ["a"], rows: [["9007199254740993"], [0]] },
  ]);
  const { status, stdout } = cli.run("verify", "app", "--from", "backups", "--restore");
  expect(status).toBe(0);
  expect(stdout).toContain("restored: the database is whole");
  expect(stdout).toContain("every table has the fingerprints that were recorded when it was backed up");
  expect(cli.failure("verify", "app", "--from", "backups", "--query", "DELETE FROM orders")[0]).toBe(1);
  expect(cli.failure("verify", "app", "--from", "backups", "--query", "SELEC")).toEqual([1, "SQL_ERROR"]);
  expect(existsSync(join(folder, "copy.db"))).toBe(false);
});
