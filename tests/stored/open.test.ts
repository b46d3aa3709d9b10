// A backup as a database that can be read, without restoring it.
import { spawnSync } from "node:child_process";
import { cpSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { file, folder, openStore, pagemark } from "pagemark";
import { openBackup } from "pagemark/engine";
import { beforeAll, expect, test } from "vitest";
import { CommandLine, main } from "../support/cli.ts";
import { runSql, tempFolder } from "../support/temp.ts";

const home = tempFolder();
const path = join(home, "app.db");
const store = join(home, "store");
const NUMBERS = "WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)";

beforeAll(async () => {
  runSql(
    path,
    `PRAGMA journal_mode = WAL; CREATE TABLE t (id INTEGER PRIMARY KEY, x); ${NUMBERS} INSERT INTO t SELECT i, hex(randomblob(200)) FROM n;
     CREATE VIRTUAL TABLE words USING fts5 (w); INSERT INTO words VALUES ('one two'), ('two three'); UPDATE t SET x = 'before' WHERE id = 70`,
  );
  const db = pagemark(file(path), { name: "app", store: folder(store) });
  await db.backup();
  runSql(path, "UPDATE t SET x = 'after' WHERE id = 70; DELETE FROM t WHERE id > 4000");
  await db.backup();
});

test("E9 rows of the newest and of an earlier backup, by key, by full-text search and by sorting all of them", async () => {
  for (const [at, x, rows] of [
    [undefined, "after", 4000],
    ["0000000000000001", "before", 5000],
  ] as const) {
    const opened = await openBackup(store, "app", at === undefined ? {} : { at });
    const { database } = opened;
    expect(database.prepare("SELECT x FROM t WHERE id = 70").get()).toEqual({ x });
    expect(database.prepare("SELECT count(*) AS n FROM (SELECT x FROM t ORDER BY x)").get()).toEqual({
      n: rows,
    });
    expect(database.prepare("SELECT w FROM words WHERE words MATCH 'three'").all()).toEqual([
      { w: "two three" },
    ]);
    expect(database.prepare("PRAGMA integrity_check").all()).toEqual([{ integrity_check: "ok" }]);
    expect(() => database.exec("DELETE FROM t")).toThrow("attempt to write a readonly database");
    await opened.close();
  }
});

test("E9 it is read from the store's URL, too, and what is not there is said as always", async () => {
  expect(openStore(`file://${store}`).layout).toBe("folder");
  const opened = await openBackup(`file://${store}`, "app");
  expect(opened.backup).toMatchObject({ kind: "incremental" });
  await opened.close();
  await expect(openBackup(store, "nobody")).rejects.toMatchObject({ code: "BACKUP_NONE" });
  await expect(openBackup(store, "app", { at: "ffffffff" })).rejects.toMatchObject({
    code: "BACKUP_UNKNOWN",
  });
});

test("E9 a page that is damaged in the store fails the statement that needs it, with the object's name, and no other", async () => {
  const damaged = join(tempFolder(), "store");

  cpSync(store, damaged, { recursive: true });
  const [full = ""] = readdirSync(join(damaged, "app/ltx/9"));
  const ltx = join(damaged, "app/ltx/9", full);
  const bytes = readFileSync(ltx);
  bytes.fill(0x55, bytes.length >> 1, (bytes.length >> 1) + 40);
  writeFileSync(ltx, bytes);
  const opened = await openBackup(damaged, "app");
  expect(opened.database.prepare("SELECT x FROM t WHERE id = 70").get()).toEqual({ x: "after" });
  expect(() => opened.database.prepare("SELECT sum(length(x)) FROM t").get()).toThrow();
  expect(opened.failure).toMatchObject({ at: { name: `app/ltx/9/${full}` } });
  await opened.close();
});

test("E9 the command prints rows as a table or as JSON, of SQL that it is given or reads", () => {
  const cli = new CommandLine(home);
  const open = (...args: string[]) => cli.run("open", "app", ...args, "--from", "store");
  expect(open("SELECT id, x FROM t WHERE id = 70").stdout).toBe("id  x\n70  after\n");
  const json = open(
    "SELECT id, x'00ff' AS b, 9007199254740993 AS n FROM t LIMIT 2",
    "--at",
    "0000000000000001",
    "--json",
  );
  expect(
    json.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line)),
  ).toEqual([
    { id: 1, b: "00ff", n: "9007199254740993" },
    { id: 2, b: "00ff", n: "9007199254740993" },
  ]);
  expect(open("DELETE FROM t")).toMatchObject({
    status: 1,
    stderr: expect.stringContaining("readonly database"),
  });
});

test("E9 a word that the prompt does not know is said to be that, and a signal ends a query that does not end", () => {
  const open = (input: string, timeout?: number) =>
    spawnSync(process.execPath, [main, "open", "app", "--from", "store"], {
      ...{ cwd: home, encoding: "utf8", input },
      ...(timeout !== undefined && { timeout, killSignal: "SIGINT" as const }),
    });
  expect(open("SELECT 1;\n.exit\n")).toMatchObject({ status: 0, stderr: "" });
  expect(open(".help\nSELECT 1;\n")).toMatchObject({
    status: 2,
    stderr: expect.stringContaining(".help is not"),
  });
  const { status, signal } = open(
    "WITH n (i) AS (SELECT 1 UNION ALL SELECT i FROM n) SELECT max(i) FROM n;\n",
    1500,
  );
  // The second on a machine so busy that the query has not begun.
  expect(signal === "SIGINT" || status === 130).toBe(true);
});
