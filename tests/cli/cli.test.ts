// The built command line, run as a user runs it.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { gunzipSync, gzipSync } from "node:zlib";
import { beforeAll, describe, expect, test } from "vitest";
import { runSql, tableSql, tempFolder } from "../support/temp.ts";

const main = join(import.meta.dirname, "../../js/dist/bin/pagemark.js");
const folder = tempFolder();

beforeAll(() => {
  runSql(join(folder, "app.db"), tableSql("orders", 50));
});

describe("backup, list, show", () => {
  test("A7 a backup prints one row with its five columns, and is named after the file", () => {
    const { status, stdout } = pagemark("backup", "app.db", "--to", "store");
    expect(status).toBe(0);
    expect(stdout).toMatch(/created_at\s.*id\s.*num_tables\s.*size\s.*state/);
    expect(stdout).toMatch(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d (UTC|[+-]\d\d:\d\d) .* 1 .* done/);
  });

  test("A5 the list is a table for people, and RFC 3339 and bytes for programs, newest first", () => {
    pagemark("backup", "app.db", "--to", "store");
    expect(pagemark("list", "app", "--from", "store").stdout).toMatch(
      /created_at\s.*id\s.*kind\s.*num_tables\s.*size\s.*stored/,
    );
    const [newest, first] = json("list", "app", "--from", "store");
    expect(newest).toMatchObject({ num_tables: 1, state: "done", kind: "incremental", changed_pages: 0 });
    expect(first).toMatchObject({ kind: "full", txid: "0000000000000001" });
    expect(newest.created_at > first.created_at).toBe(true);
  });

  test("show names the tables and the chain", () => {
    expect(json("show", "app", "--from", "store")).toMatchObject({ tables: ["orders"], chain: [{}, {}] });
  });
});

describe("restore and download", () => {
  test("A10 a download is named after the database and the backup, opens in SQLite, and overwrites nothing", () => {
    const [, first] = json("list", "app", "--from", "store");
    const { file, tables } = json("download", "app", first.id.slice(0, 8), "--from", "store");
    expect(file).toBe(`app.${first.id.slice(0, 8)}.sqlite3`);
    expect(tables).toEqual([{ name: "orders", rows: 50 }]);
    expect(count(file)).toBe(50);
    expect(failure("download", "app", first.id, "--from", "store")).toEqual([1, "TARGET_EXISTS"]);
  });

  test("C16 compressed, a download is what gunzip gives back, to a file named after it and to a pipe", () => {
    const [, first] = json("list", "app", "--from", "store");
    const { file } = json("download", "app", first.id, "--from", "store", "--gzip");
    expect(file).toBe(`app.${first.id.slice(0, 8)}.sqlite3.gz`);
    const plain = readFileSync(join(folder, `app.${first.id.slice(0, 8)}.sqlite3`));
    expect(execFileSync("gunzip", ["-c", file], { cwd: folder }).equals(plain)).toBe(true);
    const piped = execFileSync(
      process.execPath,
      [main, "download", "app", first.id, "--from", "store", "--gzip", "-o", "-"],
      {
        cwd: folder,
      },
    );
    expect(gunzipSync(piped).equals(plain)).toBe(true);
  });

  test("a restore and a download tell the rows of every table, whatever the trees look like", () => {
    const kinds =
      "CREATE TABLE long (a, b); CREATE TABLE keyed (a PRIMARY KEY, b) WITHOUT ROWID; CREATE TABLE none (a)";
    const rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) SELECT";
    const many = Array.from(
      { length: 60 },
      (_, i) => `CREATE TABLE "a table with a long name, number ${i}" (a)`,
    );
    runSql(
      join(folder, "trees.db"),
      `PRAGMA page_size = 512; ${kinds}; ${many.join("; ")};
       INSERT INTO long ${rows} i, zeroblob(i % 700) FROM n; INSERT INTO keyed ${rows} i, i FROM n`,
    );
    pagemark("backup", "trees.db", "--to", "store");
    const restored = json("restore", "trees", "--from", "store", "-o", "trees2.db");
    expect(restored.tables).toHaveLength(63);
    expect(restored.tables.slice(0, 3)).toEqual([
      { name: "long", rows: 20000 },
      { name: "keyed", rows: 20000 },
      { name: "none", rows: 0 },
    ]);
    expect(json("download", "trees", "--from", "store").tables).toEqual(restored.tables);
  });

  test("A13 restoring in place says what undoes it, and that undoes it", () => {
    runSql(join(folder, "app.db"), "DELETE FROM orders WHERE id > 10");
    expect(failure("restore", "app", "--from", "store", "-o", "app.db")).toEqual([1, "TARGET_EXISTS"]);
    const { undo, backup } = json("restore", "app", "--from", "store", "-o", "app.db", "--force");
    expect(count("app.db")).toBe(50);
    // Run again, it does not take what it had put aside.
    const again = json("restore", "app", "--from", "store", "-o", "app.db", "--force");
    expect(again.backup.id).toBe(backup.id);
    json("restore", "app", "--from", "store", "-o", "app.db", "--force", "--at", undo);
    expect(count("app.db")).toBe(10);
  });

  test("A12 a dry run says which tables would vanish, and changes nothing", () => {
    runSql(join(folder, "app.db"), "CREATE TABLE later (a)");
    const preview = json("restore", "app", "--from", "store", "-o", "app.db", "--dry-run");
    expect(preview.tables).toMatchObject([
      { name: "later", change: "vanish", rows_now: 0, rows_then: null },
      { name: "orders", change: "changed", rows: { back: 40, gone: 0, updated: 0 } },
    ]);
    expect(count("app.db", "later")).toBe(0);
  });

  test("B11 a moment is an id, a bookmark, a TXID, a time or an age; before the first is an error", () => {
    const backups = json("list", "app", "--from", "store");
    const { id, bookmark, txid, created_at } = backups.at(-1);
    for (const at of [id, bookmark, txid, created_at]) {
      const { backup } = json(
        "restore",
        "app",
        "--from",
        "store",
        "-o",
        "at.db",
        "--force",
        "--no-safety",
        "--at",
        at,
      );
      expect(backup.id).toBe(id);
    }
    const at = (moment: string) =>
      failure("restore", "app", "--from", "store", "-o", "x.db", `--at=${moment}`);
    expect(at("2001-01-01")).toEqual([1, "TIME_BEFORE_FIRST"]);
    expect(at("-9999d")).toEqual([1, "TIME_BEFORE_FIRST"]);
    expect(at("-900w")).toEqual([1, "TIME_BEFORE_FIRST"]);
    // An age is no option, wherever it stands.
    expect(failure("show", "app", "-900w", "--from", "store")).toEqual([1, "TIME_BEFORE_FIRST"]);
    expect(json("show", "app", "-0s", "--from", "store").state).toBe("done");
    expect(at("yesterday")).toEqual([2, "AT_SYNTAX"]);
    // No day of the calendar, which JavaScript takes for one of the next month.
    expect(at("2026-11-31")).toEqual([2, "AT_SYNTAX"]);
    expect(at("2027-02-29 10:00 Europe/Berlin")).toEqual([2, "AT_SYNTAX"]);
    expect(at("")).toEqual([2, "USAGE"]);
  });

  test("C11 a database that another connection has open is not replaced", () => {
    const db = new DatabaseSync(join(folder, "app.db"));
    db.prepare("SELECT * FROM orders").all();
    const result = failure("restore", "app", "--from", "store", "-o", "app.db", "--force");
    db.close();
    expect(result).toEqual([1, "SOURCE_IN_USE"]);
  });
});

describe("clear errors", () => {
  const cases: [what: string, args: string[], status: number, code: string][] = [
    ["a missing file", ["backup", "missing.db", "--to", "store"], 1, "SOURCE_MISSING"],
    ["an empty file", ["backup", "empty.db", "--to", "store"], 1, "DATABASE_EMPTY"],
    ["a text file", ["backup", "text.db", "--to", "store"], 1, "DATABASE_NOT_SQLITE"],
    ["a directory", ["backup", "folder.db", "--to", "store"], 1, "SOURCE_NOT_A_FILE"],
    ["an encrypted database", ["backup", "encrypted.db", "--to", "store"], 1, "DATABASE_ENCRYPTED"],
    ["a gzipped database", ["backup", "app.db.gz", "--to", "store"], 1, "DATABASE_PACKED"],
    ["a gzipped database to check", ["check", "app.db.gz"], 1, "DATABASE_PACKED"],
    [
      "a gzipped database to salvage",
      ["dump", "app.db.gz", "--salvage", "-o", "x.sql"],
      1,
      "DATABASE_PACKED",
    ],
    ["a store that is a file", ["backup", "app.db", "--to", "text.db"], 1, "STORE_NOT_A_FOLDER"],
    ["a store of an unknown kind", ["backup", "app.db", "--to", "ftp://host/x"], 2, "PLACE_UNKNOWN"],
    [
      "a name that leaves its folder",
      ["backup", "app.db", "--to", "store", "--name", "../../x"],
      2,
      "NAME_INVALID",
    ],
    [
      "a name of 1,025 bytes",
      ["backup", "app.db", "--to", "store", "--name", "x".repeat(1025)],
      2,
      "NAME_INVALID",
    ],
    [
      "a name that turns text around",
      ["backup", "app.db", "--to", "store", "--name", "a\u202eb"],
      2,
      "NAME_INVALID",
    ],
    ["a database without backups", ["restore", "nobody", "--from", "store", "-o", "x.db"], 1, "BACKUP_NONE"],
    ["no pages a step", ["backup", "app.db", "--to", "store", "--pages", "0"], 2, "USAGE"],
  ];

  beforeAll(() => {
    writeFileSync(join(folder, "empty.db"), "");
    writeFileSync(join(folder, "text.db"), "just text, and no database\n");
    writeFileSync(join(folder, "encrypted.db"), crypto.getRandomValues(new Uint8Array(8192)));
    writeFileSync(join(folder, "app.db.gz"), gzipSync(crypto.getRandomValues(new Uint8Array(8192))));
    mkdirSync(join(folder, "folder.db"));
  });

  test.each(cases)("%s", (_what, args, status, code) => {
    expect(failure(...args)).toEqual([status, code]);
    const { stderr } = pagemark(...args);
    expect(stderr).toMatch(/^error: [^\n]+ \[[A-Z_]+\]\n$/);
  });

  test("a command that is not there, and a missing option, are wrong usage", () => {
    expect(pagemark("frobnicate").status).toBe(2);
    expect(pagemark("backup", "app.db").status).toBe(2);
    expect(pagemark("--help").status).toBe(0);
  });

  test("F8 a name in another script is kept in one safe folder, and comes back", () => {
    expect(pagemark("backup", "app.db", "--to", "store", "--name", "مرحبا").status).toBe(0);
    expect(json("list", "مرحبا", "--from", "store")).toHaveLength(1);
    expect(readdirSync(join(folder, "store"))).toContain("%D9%85%D8%B1%D8%AD%D8%A8%D8%A7");
  });
});

describe("verify", () => {
  test("all is well, or exit code 1 and the object's name", () => {
    expect(pagemark("verify", "app", "--from", "store")).toMatchObject({ status: 0 });
    const ltx = join(folder, "store/app/ltx/9/0000000000000001-0000000000000001.ltx");
    writeFileSync(ltx, "damaged");
    const { status, stdout } = pagemark("verify", "app", "--from", "store", "--json");
    expect(status).toBe(1);
    const [problem] = JSON.parse(stdout).problems;
    expect(problem).toMatchObject({
      code: "OBJECT_DAMAGED",
      name: "app/ltx/9/0000000000000001-0000000000000001.ltx",
    });
  });

  test("B9 after damage the next backup is a full one, says why, and ends with code 3", () => {
    const { status, stderr } = pagemark("backup", "app.db", "--to", "store");
    expect(status).toBe(3);
    expect(stderr).toMatch(/^warning: /);
  });
});

function pagemark(...args: string[]) {
  return spawnSync(process.execPath, [main, ...args], { cwd: folder, encoding: "utf8" });
}

// biome-ignore lint/suspicious/noExplicitAny: what a program gets that reads `--json`
function json(...args: string[]): any {
  const { status, stdout, stderr } = pagemark(...args, "--json");
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
}

/** Exit code and error code of a command that must fail. */
function failure(...args: string[]): [number | null, string] {
  const { status, stderr } = pagemark(...args, "--json");
  return [status, JSON.parse(stderr).error.code];
}

function count(file: string, table = "orders"): number {
  const db = new DatabaseSync(join(folder, file), { readOnly: true });
  const { n } = db.prepare(`SELECT count(*) AS n FROM ${table}`).get() as { n: number };
  db.close();
  return n;
}
