// What others laid out is recognised by looking, in every store; what a restored file needs is said.
import { cpSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { CommandLine } from "../support/cli.ts";
import { runSql, tempFolder } from "../support/temp.ts";

const cli = new CommandLine(tempFolder());
const path = (...names: string[]) => join(cli.folder, ...names);

beforeAll(() => {
  runSql(path("app.db"), "CREATE TABLE t (a); INSERT INTO t VALUES (1)");
  cli.json("backup", "app.db", "--to", "store");
  runSql(path("app.db"), "INSERT INTO t VALUES (2)");
  cli.json("backup", "app.db", "--to", "store");
});

/** Makes `store` anew with its LTX files as a bucket has them. */
function bucketIn(store: string): void {
  cpSync(path("store"), path(store), { recursive: true });
  renameSync(path(store, "app/ltx/9"), path(store, "app/0009"));
  renameSync(path(store, "app/ltx/0"), path(store, "app/0000"));
}

test("E6 a bucket that was copied into a folder is listed, verified, restored and added to", () => {
  bucketIn("bucket");
  expect(cli.run("verify", "app", "--from", "bucket")).toMatchObject({ status: 0 });
  expect(cli.json("restore", "app", "--from", "bucket", "-o", "r.db")).toMatchObject({
    tables: [{ rows: 2 }],
  });
  runSql(path("app.db"), "INSERT INTO t VALUES (3)");
  expect(cli.json("backup", "app.db", "--to", "bucket")).toMatchObject({ kind: "incremental" });
  expect(cli.json("restore", "app", "--from", "bucket", "-o", "r2.db")).toMatchObject({
    tables: [{ rows: 3 }],
  });
});

test("the same of Litestream, without records", () => {
  bucketIn("stream");
  renameSync(path("stream/app/pagemark"), path("stream-records"));
  expect(cli.json("restore", "app", "--from", "stream", "-o", "s.db")).toMatchObject({
    tables: [{ rows: 2 }],
  });
});

test("of a cell of celld the newest epoch is restored, and older ones are named", () => {
  for (const [epoch, from] of Object.entries({ e2: "0", e10: "9" })) {
    const level = path("cells/c1/ltx", epoch, from === "9" ? "0009" : "0000");
    mkdirSync(level, { recursive: true });
    cpSync(path("store/app/ltx", "9"), level, { recursive: true });
  }
  for (const [name, from] of [
    ["c1", "cells"],
    ["ltx", "cells/c1"],
  ] as const) {
    const { status, stdout } = cli.run("restore", name, "--from", from, "-o", `${name}.db`);
    expect([status, stdout]).toEqual([
      0,
      expect.stringContaining("newest epoch, 10; there are older ones: 2"),
    ]);
  }
});

test("a replica of Litestream 0.3 is called one", () => {
  mkdirSync(path("old/x/generations/16b6ff4ba0cf7b09/snapshots"), { recursive: true });
  writeFileSync(path("old/x/generations/16b6ff4ba0cf7b09/snapshots/00000000.snapshot.lz4"), "x");
  for (const command of ["restore", "list", "verify", "show", "download"])
    expect(cli.failure(command, "x", "--from", "old"), command).toEqual([1, "REPLICA_OLD"]);
});

test("a database in WAL mode is said to be in it, when it is restored and when it is downloaded", () => {
  runSql(path("wal.db"), "PRAGMA journal_mode = WAL; CREATE TABLE t (a)");
  cli.json("backup", "wal.db", "--to", "store");
  expect(cli.run("restore", "wal", "--from", "store", "-o", "w.db").stdout).toContain("it is in WAL mode");
  expect(cli.run("download", "wal", "--from", "store").stdout).toContain("it is in WAL mode");
  expect(cli.run("download", "app", "--from", "store").stdout).not.toContain("WAL");
});

test("free pages are told", () => {
  runSql(path("free.db"), "CREATE TABLE t (a); INSERT INTO t VALUES (zeroblob(100000)); DELETE FROM t");
  expect(cli.json("backup", "free.db", "--to", "store")).toMatchObject({ free_pages: 24 });
  expect(cli.run("show", "free", "--from", "store").stdout).toContain("24 of them free");
});

test("a store that is named one folder too high or too low is said to be", () => {
  const above = cli.run("restore", "store", "--from", ".", "-o", "no.db");
  const below = cli.run("restore", "ltx", "--from", "store/app", "-o", "no.db");
  for (const { status, stderr } of [above, below]) {
    expect([status, stderr]).toEqual([
      1,
      expect.stringMatching(/not as backups lie; --from is the folder.*\[BACKUP_NONE\]/),
    ]);
  }
  // As a run that was killed leaves it.
  mkdirSync(path("store/half/ltx/9"), { recursive: true });
  writeFileSync(path("store/half/ltx/9/0000000000000001-0000000000000001.ltx"), "x");
  expect(cli.run("list", "half", "--from", "store").stderr).toMatch(
    /did not end; make it again \[BACKUP_NONE\]/,
  );
});
