// What restores and downloads say, run as a user runs them.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { CommandLine } from "../support/cli.ts";
import { runSql, tableSql, tempFolder } from "../support/temp.ts";

const folder = tempFolder();
const cli = new CommandLine(folder);
const path = (name: string) => join(folder, name);

interface Told {
  undo?: string;
  tables: { name: string; rows?: number; damaged_page?: number }[];
  warnings: string[];
}

describe("a backup of a database with a damaged page", () => {
  beforeAll(() => {
    const many = "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) INSERT INTO";
    runSql(
      path("hurt.db"),
      `PRAGMA page_size = 1024; CREATE TABLE big (id INTEGER PRIMARY KEY, a); CREATE TABLE after (a);
       ${many} big SELECT i, hex(zeroblob(25)) FROM n; ${many} after SELECT i FROM n`,
    );
    const bytes = readFileSync(path("hurt.db"));
    writeFileSync(path("hurt.db"), bytes.fill(0, 9 * 1024, 10 * 1024));
    expect(cli.run("backup", "hurt.db", "--to", "store").status).toBe(0);
  });

  const asWarned = (told: Told) => {
    expect(told.tables).toEqual([
      { name: "big", damaged_page: 10 },
      { name: "after", rows: 2000 },
    ]);
    expect(told.warnings).toEqual([expect.stringMatching(/^table "big" has a damaged page \(page 10\)/)]);
  };
  const json = (...args: string[]): Told => {
    const { status, stdout } = cli.run("--json", ...args);
    expect(status).toBe(3);
    return JSON.parse(stdout);
  };

  test("is restored as it was, with the table named and exit 3", () => {
    asWarned(json("restore", "hurt", "--from", "store", "-o", "whole.db"));
    expect(readFileSync(path("whole.db")).equals(readFileSync(path("hurt.db")))).toBe(true);
    const { status, stdout, stderr } = cli.run("restore", "hurt", "--from", "store", "-o", "again.db");
    expect([status, stderr]).toEqual([
      3,
      expect.stringMatching(/^warning: table "big" .*pagemark check again.db/),
    ]);
    expect(stdout).toMatch(/^big +\?$/m);
  });

  test("is restored in place with the bookmark that undoes it", () => {
    runSql(path("target.db"), tableSql("orders", 5));
    const before = readFileSync(path("target.db"));
    const told = json("restore", "hurt", "--from", "store", "-o", "target.db", "--force");
    asWarned(told);
    cli.json("restore", "hurt", "--from", "store", "-o", "target.db", "--force", "--at", told.undo ?? "");
    expect(readFileSync(path("target.db")).equals(before)).toBe(true);
  });

  test("is downloaded", () => {
    asWarned(json("download", "hurt", "--from", "store", "-o", "down.db"));
    expect(readFileSync(path("down.db")).equals(readFileSync(path("hurt.db")))).toBe(true);
  });
});

describe("--at", () => {
  let times: string[];

  beforeAll(async () => {
    runSql(path("app.db"), tableSql("orders", 3));
    cli.run("backup", "app.db", "--to", "times");
    await new Promise((resolve) => setTimeout(resolve, 1100));
    runSql(path("app.db"), "DELETE FROM orders WHERE id = 1");
    cli.run("backup", "app.db", "--to", "times");
    const backups = cli.json<{ created_at: string }[]>("list", "app", "--from", "times");
    times = backups.map(({ created_at }) => created_at).reverse();
  });

  const rowsAt = (at: string, env: NodeJS.ProcessEnv = {}) => {
    const args = ["--json", "restore", "app", "--from", "times", "-o", "at.db", "--force", "--no-safety"];
    const { status, stdout, stderr } = cli.runWith({ TZ: "UTC", ...env }, ...args, `--at=${at}`);
    if (status !== 0) throw new Error(stderr);
    return (JSON.parse(stdout) as Told).tables[0]?.rows;
  };

  test("B11 takes the newest backup at or before a time, also one to come, in seconds and in milliseconds", () => {
    const first = Math.ceil(Date.parse(times[0] ?? "") / 1000) * 1000;
    expect(first).toBeLessThan(Date.parse(times[1] ?? ""));
    const forms = [String(first), String(first / 1000), new Date(first).toISOString()];
    expect(forms.map((at) => rowsAt(at))).toEqual([3, 3, 3]);
    expect([rowsAt(String(first + 60_000)), rowsAt("2101-01-01"), rowsAt("-0s")]).toEqual([2, 2, 2]);
  });

  test("takes a time as this machine's clock shows it, and as any other does that is named", () => {
    const second = new Date(Math.ceil(Date.parse(times[1] ?? "") / 1000) * 1000);
    const clock = (zone: string) =>
      new Intl.DateTimeFormat("sv-SE", { timeZone: zone, dateStyle: "short", timeStyle: "medium" }).format(
        second,
      );
    const [tokyo, york] = [clock("Asia/Tokyo"), clock("America/New_York")];
    expect(rowsAt(tokyo, { TZ: "Asia/Tokyo" })).toBe(2);
    expect(rowsAt(york, { TZ: "America/New_York" })).toBe(2);
    expect(rowsAt(`${tokyo} +09:00`)).toBe(2);
    expect(rowsAt(`${york} America/New_York`)).toBe(2);
    expect(() => rowsAt(york)).toThrow(/the oldest is of/);
  });

  test("says which backup it took, the zone of the time, and the oldest where there is none", () => {
    const args = [
      "restore",
      "app",
      "--from",
      "times",
      "-o",
      "said.db",
      "--force",
      "--at",
      "2101-01-01 10:00",
    ];
    const { stdout } = cli.runWith({ TZ: "Asia/Tokyo" }, ...args);
    expect(stdout).toMatch(/the backup of \d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+09:00 \([0-9a-f]{8}, /);
    expect(stdout).toContain("the newest at or before 2101-01-01 10:00 (2101-01-01 10:00:00 +09:00)");
    const { stderr } = cli.run("restore", "app", "--from", "times", "-o", "no.db", "--at", "2001-01-01");
    expect(stderr).toContain(`before the first backup; the oldest is of ${times[0]} [TIME_BEFORE_FIRST]`);
  });
});
