// A database's files held fit to be copied by other means, by commands as a user runs them.
import { spawn } from "node:child_process";
import { copyFileSync, existsSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { checkpoint } from "pagemark";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { CommandLine } from "../support/cli.ts";
import { runSql, tempFolder } from "../support/temp.ts";

const folder = tempFolder();
const cli = new CommandLine(folder);
const path = (name: string) => join(folder, name);

let app: DatabaseSync;
let name = "";
let count = 0;

beforeEach(() => {
  name = `app-${count++}.db`;
  app = new DatabaseSync(path(name));
  app.exec("PRAGMA journal_mode = WAL; CREATE TABLE t (a, b); INSERT INTO t VALUES (1, 1)");
});
afterEach(() => app.close());

/** Opens a copy, and checks it. */
function rowsOf(copy: string): number {
  const db = new DatabaseSync(copy);
  try {
    expect(db.prepare("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" });
    return Number(db.prepare("SELECT count(*) AS n FROM t").get()?.n);
  } finally {
    db.close();
  }
}

describe("E8 a checkpoint", () => {
  test("keeps the files fit to be copied while writers go on and checkpoint as they like", async () => {
    const insert = app.prepare("INSERT INTO t VALUES (?, randomblob(3000))");
    for (let i = 0; i < 300; i++) insert.run(i);
    const held = await checkpoint(path(name));
    const { files, mode } = held.status();
    expect([mode, files]).toEqual(["wal", [path(name), `${path(name)}-wal`]]);
    copyFileSync(path(name), path(`copy-${name}`));
    for (let i = 0; i < 300; i++) insert.run(i);
    app.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    app.exec("UPDATE t SET b = randomblob(3000)");
    app.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    copyFileSync(`${path(name)}-wal`, path(`copy-${name}-wal`));
    expect(rowsOf(path(`copy-${name}`))).toBeGreaterThanOrEqual(301);
    await held.release();
    await held.release();
    expect(app.prepare("PRAGMA wal_checkpoint(TRUNCATE)").get()).toMatchObject({ busy: 0 });
  });

  test("ends by itself, and says so when it is released", async () => {
    const held = await checkpoint(path(name), { leaseMs: 50 });
    expect(await held.ended).toBe("expired");
    await expect(held.release()).rejects.toMatchObject({ code: "CHECKPOINT_NONE" });
    expect(() => held.renew(1000)).toThrow(/held no more/);
    const renewed = await checkpoint(path(name), { leaseMs: 50 });
    renewed.renew(60_000);
    await new Promise((resolve) => setTimeout(resolve, 100));
    await renewed.release();
    await expect(checkpoint(path(name), { leaseMs: 0 })).rejects.toMatchObject({ code: "USAGE" });
    await expect(checkpoint(path("absent.db"))).rejects.toMatchObject({ code: "SOURCE_MISSING" });
  });

  test("is created, looked at and released by commands; a second one and one too many are refused", () => {
    expect(cli.json("checkpoint", "create", name, "--lease", "60s")).toMatchObject({ mode: "wal" });
    const second = cli.run("checkpoint", "create", name);
    expect([second.status, second.stderr]).toEqual([1, expect.stringMatching(/CHECKPOINT_EXISTS/)]);
    expect(cli.json("checkpoint", "status", name)).toMatchObject({ in_progress: true, mode: "wal" });
    app.exec("INSERT INTO t VALUES (2, 2); PRAGMA wal_checkpoint");
    expect(cli.json("checkpoint", "release", name)).toMatchObject({ mode: "wal" });
    expect(cli.json("checkpoint", "status", name)).toEqual({ in_progress: false });
    const late = cli.run("checkpoint", "release", name);
    expect([late.status, late.stderr]).toEqual([1, expect.stringMatching(/CHECKPOINT_NONE/)]);
  });

  test("E15 holds while a command runs, whose exit code it has", () => {
    const copied = cli.run("checkpoint", "run", name, "--", "cp", name, `${name}-wal`, "/dev/null");
    expect(copied.status).not.toBe(0); // two files do not go into one that is no folder
    expect(cli.run("checkpoint", "run", name, "--", "cp", name, `by-${name}`).status).toBe(0);
    expect(existsSync(path(`by-${name}`))).toBe(true);
    expect(cli.run("checkpoint", "run", name, "--lease", "20ms", "--", "sleep", "0.3").stderr).toMatch(
      /was held no more/,
    );
    expect(cli.run("checkpoint", "run", name, "--", "no-such-command").status).toBe(1);
  });

  test("in rollback mode keeps writers waiting", async () => {
    runSql(path("old.db"), "CREATE TABLE t (a)");
    const held = await checkpoint(path("old.db"));
    expect(held.status().mode).toBe("rollback");
    expect(() => runSql(path("old.db"), "INSERT INTO t VALUES (1)")).toThrow(/locked/);
    await held.release();
    runSql(path("old.db"), "INSERT INTO t VALUES (1)");
  });

  test("of a holder that was killed is gone", async () => {
    const child = spawn(process.execPath, [
      join(import.meta.dirname, "../../js/dist/bin/pagemark.js"),
      ...["checkpoint", "hold", path(name), "--lease", "60s"],
    ]);
    await new Promise((resolve) => child.stdout.once("data", resolve));
    child.kill("SIGKILL");
    await new Promise((resolve) => child.once("exit", resolve));
    expect(cli.json("checkpoint", "status", name)).toEqual({ in_progress: false });
    expect(cli.json("checkpoint", "create", name, "--lease", "60s")).toMatchObject({ mode: "wal" });
    expect(cli.run("checkpoint", "release", name).status).toBe(0);
  });
});
