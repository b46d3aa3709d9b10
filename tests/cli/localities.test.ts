// Several stores, as an operator types them: `--to` and `--from` given more than once, and an audit of what lies where.
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { generateX25519Identity } from "age-encryption";
import { expect, test } from "vitest";
import { type BackupJson, CommandLine } from "../support/cli.ts";
import { runSql, tempFolder } from "../support/temp.ts";

const folder = tempFolder();
const cli = new CommandLine(folder);
const MARK = "a row that stays in Europe";
runSql(
  join(folder, "clinic.db"),
  `CREATE TABLE patients (name TEXT); INSERT INTO patients VALUES ('${MARK}')`,
);

const HOME = "home?COCKROACH_LOCALITY=default";
const EU = "eu?COCKROACH_LOCALITY=region%3Deu";
const US = "us?PAGEMARK_LOCALITY=region%3Dus";
const to = (...places: string[]) => places.flatMap((place) => ["--to", place]);
const from = (...places: string[]) => places.flatMap((place) => ["--from", place]);

function bytesIn(path: string): string {
  const files = readdirSync(join(folder, path), { recursive: true, withFileTypes: true });
  const each = files.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return [...each, ...each.map((name) => readFileSync(name, "latin1"))].join("\n");
}

test("B13 B23 a database's name, rows and keys are in its locality's store alone, and the audit proves it", async () => {
  const plain = [HOME, EU, US];
  const encrypted = plain.map((place) => `age-${place}`);
  for (const [env, places] of [
    [{}, plain],
    [{ PAGEMARK_AGE_IDENTITY: await generateX25519Identity() }, encrypted],
  ] as const) {
    const run = (...args: string[]) => cli.runWith(env, ...args);
    const [home = "", eu = ""] = places.map((place) => place.split("?")[0] ?? "");
    expect(run("backup", "clinic.db", ...to(...places), "--locality", "region=eu,az=1").status).toBe(0);
    runSql(join(folder, "clinic.db"), "INSERT INTO patients VALUES ('one more')");
    expect(run("backup", "clinic.db", ...to(...places)).status).toBe(0);
    const there = readdirSync(join(folder, home), { recursive: true, withFileTypes: true });
    const names = there
      .filter((entry) => entry.isFile() && entry.name !== "first.age")
      .map(({ name }) => name);
    expect(names.length).toBe(2);
    for (const name of names)
      expect(name).toMatch(/^[0-9a-f]{16}-[0-9a-f]{16}-(full|incremental)-region%3Deu$/);
    for (const text of ["clinic", "patients", MARK]) {
      expect(bytesIn(home)).not.toContain(text);
      expect(existsSync(join(folder, home.replace("home", "us")))).toBe(false);
    }
    if (env === undefined || places === encrypted) {
      const [key, other] = [home, eu].map((path) => readFileSync(join(folder, path, "%keys/first.age")));
      expect(key?.equals(other ?? new Uint8Array())).toBe(false);
    }
    const audited = run(
      "audit",
      "--json",
      ...from(home + HOME.slice(4), eu + EU.slice(2)),
      "--forbid",
      "default",
    );
    expect([audited.status, audited.stderr]).toEqual([0, ""]);
    expect(JSON.parse(audited.stdout)).toMatchObject({
      ok: true,
      stores: [
        { locality: "default", databases: [], objects: 0, accounts: 2 },
        { locality: "region=eu", databases: ["clinic"], objects: 6, accounts: 0 },
      ],
      problems: [],
    });
  }
  cli.json<BackupJson>("backup", "clinic.db", ...to(HOME), "--name", "leaked");
  const { status, stdout } = cli.run("audit", ...from(HOME, EU), "--forbid", "default");
  expect([status, stdout]).toEqual([1, expect.stringMatching(/forbidden: more than ids.*leaked/s)]);
});

test("B14 B16 wrong localities are told before anything is done", () => {
  const failure = (...places: string[]) =>
    cli.failure("backup", "clinic.db", ...to(...places), "--name", "never");
  expect(failure(EU, US)).toEqual([2, "LOCALITY_DEFAULT"]);
  expect(failure(HOME, HOME)).toEqual([2, "LOCALITY_TWICE"]);
  expect(failure(HOME, "eu?COCKROACH_LOCALITY=region=eu")).toEqual([2, "LOCALITY_ENCODING"]);
  expect(failure(HOME, "eu?COCKROACH_LOCALITY=region%253Deu")).toEqual([2, "LOCALITY_ENCODING"]);
  expect(failure(HOME, "eu?COCKROACH_LOCALITY=region%3Deu%2Caz%3D1")).toEqual([2, "LOCALITY_SYNTAX"]);
  expect(failure("home", "eu")).toEqual([2, "USAGE"]);
  const { stderr } = cli.run("backup", "clinic.db", ...to(HOME, "eu?COCKROACH_LOCALITY=region=eu"));
  expect(stderr).toContain("region%3Deu for region=eu");
  expect(bytesIn("home")).not.toContain("never");
});

test("B17 B19 B20 a restore takes all stores in any order, and names what is missing", () => {
  cli.json<BackupJson>("backup", "clinic.db", ...to(HOME, EU), "--locality", "region=eu", "--name", "app");
  const ok = cli.run("restore", "app", ...from(EU, HOME), "-o", "one.db");
  expect([ok.status, ok.stderr]).toEqual([0, expect.stringContaining("note: home is the default store")]);
  const alone = cli.run("restore", "app", ...from(HOME), "-o", "none.db");
  expect([alone.status, alone.stderr]).toEqual([1, expect.stringContaining("region=eu")]);
  const records = readdirSync(join(folder, "eu/app/pagemark")).filter((name) => name.endsWith(".pages"));
  rmSync(join(folder, "eu/app/pagemark", records[0] ?? ""));
  const lost = cli.run("restore", "app", ...from(HOME, EU), "-o", "two.db");
  expect([lost.status, lost.stderr]).toEqual([1, expect.stringContaining(`app/pagemark/${records[0]}`)]);
  expect(cli.failure("restore", "app", ...from(HOME, EU), "--from-locality", "eu", "-o", "two.db")).toEqual([
    1,
    "LOCALITY_LOST",
  ]);
  expect(cli.failure("restore", "app", "--from", "eu", "--from-locality", "eu", "-o", "two.db")).toEqual([
    2,
    "USAGE",
  ]);
  expect(readdirSync(folder).filter((name) => /^(none|two)\.db/.test(name))).toEqual([]);
});

test("B19 B21 statements take lists of stores, on top of a plain one, and miss what is not given", () => {
  const sql = (statement: string) => cli.run("sql", statement, "--locality", "region=eu");
  const list = "('s-home?COCKROACH_LOCALITY=default', 's-eu?COCKROACH_LOCALITY=region%3Deu')";
  expect(sql("BACKUP DATABASE clinic TO './plain'").status).toBe(0);
  runSql(join(folder, "clinic.db"), "INSERT INTO patients VALUES ('after the plain one')");
  const { status, stdout } = sql(`BACKUP DATABASE clinic TO ${list} INCREMENTAL FROM './plain'`);
  expect([status, stdout]).toEqual([0, expect.stringContaining("incremental")]);
  const where = "('s-home?COCKROACH_LOCALITY=default')";
  const lost = sql(`RESTORE DATABASE clinic FROM './plain', ${where} WITH new_db_name = 'again'`);
  expect([lost.status, lost.stderr]).toEqual([1, expect.stringContaining("LOCALITY_LOST")]);
  expect(sql(`RESTORE DATABASE clinic FROM './plain', ${list} WITH new_db_name = 'again'`).status).toBe(0);
  expect(cli.run("dump", "again.db").stdout).toContain("after the plain one");
});
