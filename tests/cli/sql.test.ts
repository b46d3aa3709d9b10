// `pagemark sql`, as it is typed: at the command line, through a pipe, and what `pagemark run` makes of its schedules.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, onTestFinished, test } from "vitest";
import { CommandLine, main } from "../support/cli.ts";
import { runSql, tempFolder } from "../support/temp.ts";

const root = tempFolder();

function fresh() {
  const folder = mkdtempSync(join(root, "sql-"));
  runSql(
    join(folder, "app.db"),
    "CREATE TABLE orders (id INTEGER PRIMARY KEY); INSERT INTO orders VALUES (1), (2)",
  );
  const cli = new CommandLine(folder);
  const piped = (text: string, ...args: string[]) =>
    spawnSync(process.execPath, [main, "sql", ...args], { cwd: folder, encoding: "utf8", input: text });
  return { folder, cli, piped };
}

test("E1 E10 a statement is done when the command ends, and a restore lists tables with their rows", () => {
  const { cli } = fresh();
  const made = cli.run("sql", "BACKUP DATABASE app TO './full'");
  expect(made).toMatchObject({ status: 0, stderr: "" });
  expect(made.stdout).toMatch(/^database +id +createdAt +size +state +kind\napp +[0-9a-f]{8} /);
  const restored = cli.run("sql", "RESTORE DATABASE app FROM './full' WITH new_db_name = 'copy'");
  expect(restored.stdout).toMatch(/copy +orders +2 /);
  expect(JSON.parse(cli.run("sql", "SHOW BACKUPS IN './full'", "--json").stdout)).toMatchObject({
    columns: ["database", "id", "createdAt", "kind", "size", "state"],
    rows: [{ database: "app", kind: "full" }],
    notices: [],
  });
  // As a script for `cockroach sql` has it.
  const both = cli.run(
    "sql",
    "-e",
    "BACKUP DATABASE app TO './inc' INCREMENTAL FROM './full';",
    "-e",
    "SHOW BACKUPS IN './inc'",
  );
  expect(both).toMatchObject({ status: 0, stderr: "" });
  expect(both.stdout.match(/incremental/g)).toHaveLength(2);
});

test("B2 of several databases, one that is not there keeps no other from being backed up", () => {
  const { cli } = fresh();
  for (const what of ["DATABASE missing, app", "TABLE missing.orders, app.orders"]) {
    const { status, stderr } = cli.run("sql", `BACKUP ${what} TO './b'`);
    expect(status).toBe(1);
    expect(stderr).toMatch(/missing: not backed up, and 1 others are: .*\[DATABASE_UNKNOWN\]/);
  }
  expect(cli.json<unknown[]>("list", "app", "--from", "b")).toMatchObject([
    { partial: ["orders"] },
    { kind: "full" },
  ]);
});

test("E7 several statements of one text are carried out one by one, whatever is in quotes and comments", () => {
  const { cli, piped } = fresh();
  const text =
    "BACKUP DATABASE app TO './b' WITH note = 'a;\nb'; -- x; y\n/* a /* ; ' */ */ SHOW BACKUPS IN './b';;\nSHOW\nDATABASES -- end";
  for (const { status, stdout, stderr } of [piped(text, "--json"), cli.run("sql", text, "--json")]) {
    expect([status, stderr]).toEqual([0, ""]);
    const answers = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line).rows.length);
    expect(answers[0]).toBe(1);
    expect(answers).toHaveLength(3);
  }
  const wrong = cli.run("sql", "SHOW DATABASES; SHO BACKUPS", "--json");
  expect(wrong.status).toBe(2);
  expect(JSON.parse(wrong.stderr).error).toMatchObject({ code: "STATEMENT_SYNTAX", at: { position: 16 } });
  expect(piped("SHOW 'never closed;").stderr).toContain("this quote is never closed (position 5)");
  expect(cli.run("sql", " -- nothing").status).toBe(2);
});

test("E7 a wrong word is pointed at, with exit code 2, and no secret is shown", () => {
  const { cli } = fresh();
  const { status, stderr } = cli.run("sql", "BACKUP DATABSE app");
  expect(status).toBe(2);
  expect(stderr).toBe(
    "BACKUP DATABSE app\n       ^\nerror: DATABSE cannot stand here; expected DATABASE, TABLE, TO or INTO (position 7) [STATEMENT_SYNTAX]\n",
  );
  const secret = cli.run("sql", "BACKUP DATABASE app TO 's3://key:topsecret@bucket' WIT");
  expect(secret.stderr).not.toContain("topsecret");
  const { error } = JSON.parse(cli.run("sql", "SHOW TABLES", "--json").stderr);
  expect(error).toMatchObject({ code: "STATEMENT_SYNTAX", at: { position: 5 } });
});

test("E8 a checkpoint outlives the command that made it, until it is released", () => {
  const { folder, cli, piped } = fresh();
  using writer = new DatabaseSync(join(folder, "app.db"));
  writer.exec("PRAGMA journal_mode = wal; INSERT INTO orders VALUES (3)");
  const shown = (result: { stdout: string }) =>
    result.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line).rows[0]);
  const [made] = shown(cli.run("sql", "SNAPSHOT PREPARE app", "--json"));
  expect(made).toMatchObject({ in_progress: true, files: expect.stringMatching(/app\.db, .*app\.db-wal$/) });
  onTestFinished(() => void cli.run("sql", "CHECKPOINT RELEASE app"));
  expect(cli.run("sql", "CHECKPOINT CREATE app").stderr).toContain("CHECKPOINT_EXISTS");
  writer.exec("INSERT INTO orders VALUES (4)");
  const text = "SHOW\n  CHECKPOINTS;\nCHECKPOINT RELEASE app;\nSHOW CHECKPOINTS";
  const answers = shown(piped(text, "--json"));
  expect(answers.map((row) => row.in_progress)).toEqual([true, false, false]);
  // The first that fails ends a pipe.
  const text2 = "SHOW DATABASES;\nCHECKPOINT RELEASE app;\nBACKUP DATABASE app TO 'never';";
  expect(piped(text2)).toMatchObject({ status: 1, stderr: expect.stringContaining("CHECKPOINT_NONE") });
  expect(readdirSync(folder)).not.toContain("never");
});

test("B6 pagemark run goes by the schedules that statements made, but not by those that are paused", () => {
  const { folder, cli } = fresh();
  runSql(join(folder, "shop.db"), "CREATE TABLE t (a)");
  cli.run(
    "sql",
    "CREATE SCHEDULE nightly FOR BACKUP DATABASE app INTO './nightly' RECURRING '@daily' FULL BACKUP 'Sunday'",
  );
  cli.run("sql", "CREATE SCHEDULE all_of_them FOR BACKUP RECURRING '@hourly'");
  cli.run("sql", "PAUSE SCHEDULE all_of_them");
  expect(statSync(join(folder, "pagemark.schedules.json")).mode & 0o777).toBe(0o600);
  expect(cli.run("run", "--data", ".", "--once").status).toBe(0);
  const stores = () => readdirSync(folder).filter((name) => !/\./.test(name));
  expect(stores()).toEqual(["nightly"]);
  cli.run("sql", "RESUME SCHEDULE all_of_them");
  expect(cli.run("run", "--data", ".", "--once").stderr).toContain("--to");
  expect(cli.run("run", "--data", ".", "--once", "--to", "usual").status).toBe(0);
  expect(readdirSync(join(folder, "usual"))).toEqual(expect.arrayContaining(["app", "shop"]));
  const wrong = cli.run("sql", "CREATE SCHEDULE x FOR BACKUP RECURRING '61 * * * *'");
  expect([wrong.status, wrong.stderr]).toEqual([2, expect.stringContaining("is no schedule")]);
});
