// Lists for people: what is there, and that it fits the terminal.
import { createHash } from "node:crypto";
import { copyFileSync, cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { CommandLine } from "../support/cli.ts";
import { runSql, tableSql, tempFolder } from "../support/temp.ts";

const folder = tempFolder();
const cli = new CommandLine(folder);
const WIDE = "とても長いデータベースの名前";

beforeAll(() => {
  runSql(join(folder, "app.db"), tableSql("orders", 3));
  copyFileSync(join(folder, "app.db"), join(folder, `${WIDE}.db`));
  mkdirSync(join(folder, "empty"));
  for (const name of ["app.db", "app.db", `${WIDE}.db`]) cli.run("backup", name, "--to", "store");
  cli.run("restore", "app", "--from", "store", "-o", "app.db", "--force");
});

/** In columns; the texts here have no others that are wide. */
const widthOf = (line: string) => [...line].reduce((sum, char) => sum + (char > "\u2e80" ? 2 : 1), 0);

test.each([40, 80])("tables fit %i columns, in any script", (columns) => {
  for (const args of [["list"], ["list", "app"], ["list", WIDE], ["show", "app"]]) {
    const { status, stdout } = cli.runWith({ COLUMNS: String(columns) }, ...args, "--from", "store");
    expect(status).toBe(0);
    // The first line of `show` has the whole id.
    const table = stdout.slice(stdout.indexOf("\n"));
    expect(Math.max(...table.split("\n").map(widthOf))).toBeLessThanOrEqual(columns);
    // Nothing is cut off.
    if (args.length === 1) expect(stdout.replace(/[\s]|name|backups|last|[ -~]/g, "")).toBe(WIDE);
  }
});

test("a list tells when, of which kind and how large, and in UTC on request", () => {
  const at = (...args: string[]) =>
    cli.runWith({ TZ: "Asia/Kolkata" }, "list", "app", "--from", "store", ...args);
  const [head, ...rows] = at().stdout.split("\n");
  expect(head).toMatch(/^created_at +id +kind +num_tables +size +stored$/);
  expect(rows[0]).toMatch(
    /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+05:30 {2}[0-9a-f]{8} {2}safety +1 +[\d.]+ kB +[\d.]+ k?B$/,
  );
  expect(rows.slice(1, 3).map((row) => row.split(/ {2,}/)[2])).toEqual(["incremental", "full"]);
  const [, utc] = at("--utc").stdout.split("\n");
  const [newest] = cli.json<{ created_at: string }[]>("list", "app", "--from", "store");
  expect(utc).toContain(newest?.created_at.slice(0, 19).replace("T", " "));
});

test("without a name the databases of a store are listed", () => {
  const listed = cli.json<{ name: string; backups: number }[]>("list", "--from", "store");
  expect(listed).toMatchObject([
    { name: "app", backups: 3, newest: { safety: true } },
    { name: WIDE, backups: 1, newest: { kind: "full" } },
  ]);
  expect(cli.run("list", "--from", "empty")).toMatchObject({ status: 0, stdout: "empty has no backups\n" });
});

test("E3 partial backups are listed with the whole ones, and say what they hold", () => {
  const other = ["--to", "partly", "--name", "app"];
  for (const args of [[], ["--table", "orders"]]) cli.run("backup", "app.db", ...other, ...args);
  const { stdout } = cli.run("list", "app", "--from", "partly");
  expect(stdout.split("\n").map((row) => row.split(/ {2,}/)[2])).toEqual(
    expect.arrayContaining(["partial", "full"]),
  );
  expect(stdout).toContain(
    "partial: only orders, kept as app.orders; no database can be restored from these",
  );
  expect(cli.json("list", "app", "--from", "partly")).toMatchObject([
    { partial: ["orders"] },
    { kind: "full" },
  ]);
  expect(cli.run("list", "--from", "partly").stdout).toMatch(/app\.orders +1 partial/);
  // A database of such a name is another one.
  cli.run("backup", "app.db", "--to", "partly", "--name", "app.db");
  expect(cli.json("list", "app", "--from", "partly")).toHaveLength(2);
});

test("a wrong name or folder is an error that says what there is", () => {
  const commands = [["list"], ["show"], ["verify"], ["download"], ["restore"], ["dump"]];
  for (const [command = ""] of commands) {
    const output = command === "dump" ? ["-o", "dump.sql"] : [];
    const wrongName = cli.run(command, "ap", "--from", "store");
    expect([command, wrongName.status, wrongName.stderr]).toEqual([
      command,
      1,
      expect.stringMatching(/^error: ap: .* backups of "app", "と.*\[BACKUP_NONE\]\n$/),
    ]);
    expect([command, ...cli.failure(command, "ap", "--from", "stor", ...output)]).toEqual([
      command,
      1,
      "STORE_MISSING",
    ]);
  }
  expect(cli.run("list", "app", "--from", "empty").stderr).toContain("it has no backups at all");
});

test("a backup whose record has something else for a time is listed and shown", () => {
  const [record = ""] = readdirSync(join(folder, "store/app/pagemark")).filter((name) =>
    /^\d+\.json$/.test(name),
  );
  cpSync(join(folder, "store"), join(folder, "timeless"), { recursive: true });
  const path = join(folder, "timeless/app/pagemark", record);
  const { backup } = JSON.parse(readFileSync(path, "utf8"));
  const text = JSON.stringify({ ...backup, createdAt: "soon" });
  const sha256 = createHash("sha256").update(text).digest("hex");
  writeFileSync(path, `{"backup":${text},"sha256":"${sha256}"}\n`);
  for (const args of [["list", "app"], ["list"], ["show", "app", backup.id]]) {
    const { stdout, stderr } = cli.run(...args, "--from", "timeless");
    expect(stdout + stderr).not.toContain("INTERNAL");
    if (args.length !== 1) expect(stdout).toContain("no time");
  }
});
