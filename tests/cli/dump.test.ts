// `pagemark dump`, run as a user runs it, with the sqlite3 shell to load what it prints.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { dumpSource, file, memory, memoryStore, pagemark } from "pagemark";
import { beforeAll, describe, expect, test } from "vitest";
import { CommandLine, main } from "../support/cli.ts";
import { runSql, tableSql, tempFolder } from "../support/temp.ts";

const folder = tempFolder();
const cli = new CommandLine(folder);
const path = join(folder, "app.db");

beforeAll(() => {
  runSql(path, tableSql("orders", 300, 1000));
  runSql(
    path,
    "CREATE TABLE other (a, b REAL); INSERT INTO other VALUES (9007199254740993, 1.0), ('a', -0.0)",
  );
  runSql(path, "CREATE INDEX by_a ON other (a); CREATE VIEW v AS SELECT * FROM other");
});

/** What a shell says about the database that it makes of `sql`. */
function loaded(sql: string, query: string): string {
  const { stdout, stderr } = spawnSync("sqlite3", [], { input: `${sql}\n${query};\n`, encoding: "utf8" });
  expect(stderr).toBe("");
  return stdout.trim();
}

describe("dump", () => {
  test("C14 prints SQL that gives the same rows again, of the same types", () => {
    const { status, stdout, stderr } = cli.run("dump", "app.db");
    expect([status, stderr]).toEqual([0, ""]);
    expect(loaded(stdout, "SELECT count(*) FROM orders")).toBe("300");
    const query = "SELECT group_concat(typeof(a) || ':' || a || ':' || typeof(b), ' ') FROM other";
    expect(loaded(stdout, query)).toBe("integer:9007199254740993:real text:a:real");
  });

  test("B26 as the sqlite3 shell it prints the same bytes", () => {
    const { stdout } = cli.run("dump", "app.db", "--dialect", "sqlite3-cli-3.40");
    expect(stdout).toBe(spawnSync("sqlite3", [path, ".dump"], { encoding: "utf8" }).stdout);
  });

  test("D11 only the tables asked for, with what is on them; one that is not there is named", () => {
    const { stdout } = cli.run("dump", "app.db", "--table", "other");
    expect(stdout).toContain("CREATE INDEX by_a");
    expect(stdout).not.toContain("orders");
    const { status, stderr } = cli.run("dump", "app.db", "--table", "nothing", "other");
    expect(status).toBe(1);
    expect(stderr).toBe(
      'error: app: there is no table "nothing"; leave the names out for all tables [TABLE_UNKNOWN]\n',
    );
  });

  test("D10 without rows, without schema, without both", () => {
    const [noData, noSchema, neither] = [["--no-data"], ["--no-schema"], ["--no-data", "--no-schema"]].map(
      (args) => cli.run("dump", "app.db", ...args).stdout,
    );
    expect([noData?.includes("CREATE TABLE"), noData?.includes("INSERT")]).toEqual([true, false]);
    expect([noSchema?.includes("CREATE"), noSchema?.includes("INSERT")]).toEqual([false, true]);
    expect([neither?.includes("CREATE"), neither?.includes("INSERT")]).toEqual([false, false]);
  });

  test("a file is written whole or not at all, compressed if asked for, and none is replaced", () => {
    const { file: written, size } = cli.json<{ file: string; size: number }>(
      "dump",
      "app.db",
      "-o",
      "app.sql.gz",
      "--gzip",
    );
    const compressed = readFileSync(join(folder, written));
    expect(compressed.length).toBe(size);
    expect(gunzipSync(compressed).toString()).toBe(cli.run("dump", "app.db").stdout);
    expect(cli.failure("dump", "app.db", "-o", "app.sql.gz")).toEqual([1, "TARGET_EXISTS"]);
    expect(cli.failure("dump", "app.db", "-o", "bad.sql", "--table", "no")).toEqual([1, "TABLE_UNKNOWN"]);
    expect(existsSync(join(folder, "bad.sql"))).toBe(false);
    expect(readdirSync(folder).filter((name) => name.startsWith("."))).toEqual([]);
  });

  test("a reader that leaves early is no failure", () => {
    const { status, stderr } = spawnSync(
      "sh",
      ["-c", `"${process.execPath}" "${main}" dump app.db | head -c 10`],
      {
        cwd: folder,
        encoding: "utf8",
      },
    );
    expect([status, stderr]).toEqual([0, ""]);
  });

  test("a backup is dumped as it was, without restoring it", () => {
    const { id } = cli.json<{ id: string }>("backup", "app.db", "--to", "store");
    const before = cli.run("dump", "app.db").stdout;
    runSql(path, "INSERT INTO other VALUES ('later', 5)");
    expect(cli.run("dump", "app", "--from", "store", "--at", id).stdout).toBe(before);
    runSql(path, "DELETE FROM other WHERE a = 'later'");
  });

  test("what the SQL does not carry is a warning, and exit code 3", () => {
    runSql(join(folder, "nul.db"), "CREATE TABLE t (a); INSERT INTO t VALUES ('a' || char(0) || 'b')");
    expect(cli.run("dump", "nul.db").status).toBe(0);
    const { status, stderr } = cli.run("dump", "nul.db", "--dialect", "sqlite3-cli");
    expect(status).toBe(3);
    expect(stderr).toBe("warning: t: text after a NUL is cut off, as the sqlite3 shell does (1 times)\n");
  });

  test("rows that break a constraint are loaded with all others", () => {
    runSql(
      join(folder, "broken.db"),
      "CREATE TABLE t (id INTEGER PRIMARY KEY, a CHECK (a > 0), b); PRAGMA ignore_check_constraints = 1; INSERT INTO t VALUES (1, 1, 1), (2, -1, 2), (3, 3, NULL); PRAGMA writable_schema = 1; UPDATE sqlite_schema SET sql = replace(sql, 'b)', 'b NOT NULL)')",
    );
    const { status, stdout, stderr } = cli.run("dump", "broken.db");
    expect([status, stderr]).toEqual([0, ""]);
    expect(loaded(stdout, "SELECT group_concat(a || ':' || ifnull(b, 'NULL'), ' ') FROM t")).toBe(
      "1:1 -1:2 3:NULL",
    );
    writeFileSync(join(folder, "broken.sql"), stdout);
    expect(cli.run("import", "broken.sql", "-o", "imported.db").status).toBe(0);
    expect(cli.run("dump", "imported.db").stdout).toBe(stdout);
    const d1 = cli.run("dump", "broken.db", "--dialect", "d1");
    expect(d1.status).toBe(3);
    expect(d1.stderr).toContain("a row breaks NOT NULL or STRICT, so that D1 would refuse everything");
  });

  test("rows that repeat a key are loaded with all others", () => {
    runSql(
      join(folder, "repeats.db"),
      "CREATE TABLE t (a, b); CREATE INDEX i ON t (a); CREATE TABLE u (a, b, PRIMARY KEY (a, b)) WITHOUT ROWID; CREATE TABLE k (a); INSERT INTO k VALUES (1), (1), (2); INSERT INTO t VALUES (1, 1), (1, 2), (2, 3); INSERT INTO u VALUES (1, 1), (1, 2), (3, 3); PRAGMA writable_schema = 1; UPDATE sqlite_schema SET sql = replace(replace(replace(sql, 'E INDEX', 'E UNIQUE INDEX'), 'KEY (a, b)', 'KEY (a)'), 'k (a)', 'k (a UNIQUE)')",
    );
    const { status, stdout, stderr } = cli.run("dump", "repeats.db");
    expect([status, stderr]).toEqual([
      3,
      "warning: u: 1 rows have the PRIMARY KEY or a UNIQUE value of another; rows that repeat a key are left out, as others would be refused with them\n",
    ]);
    const query =
      "SELECT group_concat(b, ' ') FROM t; SELECT group_concat(b, ' ') FROM u; SELECT count(*) FROM k NOT INDEXED";
    expect(loaded(stdout, query)).toBe("1 2 3\n1 3\n3");
    writeFileSync(join(folder, "repeats.sql"), stdout);
    expect(cli.run("import", "repeats.sql", "-o", "repeats-2.db").status).toBe(0);
    const again = cli.run("dump", "repeats-2.db");
    expect(again.status).toBe(0);
    expect(loaded(again.stdout, query)).toBe("1 2 3\n1 3\n3");
    const d1 = cli.run("dump", "repeats.db", "--dialect", "d1");
    expect(d1.stderr.match(/^warning: [a-z]+: /gm)?.toSorted()).toEqual([
      "warning: i: ",
      "warning: k: ",
      "warning: u: ",
    ]);
    expect(loaded(d1.stdout, query)).toBe("1 2 3\n1 3\n2");
  });

  test("of two objects of one name the second is left out", () => {
    runSql(
      join(folder, "twice.db"),
      "CREATE VIEW v AS SELECT 1 AS a; CREATE TABLE t (a); INSERT INTO t VALUES (7); PRAGMA writable_schema = 1; UPDATE sqlite_schema SET name = 'T', sql = 'CREATE VIEW T AS SELECT 1 AS a' WHERE name = 'v'",
    );
    const { status, stdout, stderr } = cli.run("dump", "twice.db");
    expect([status, stderr]).toEqual([
      3,
      "warning: T: there are two of that name, of which the second is left out\n",
    ]);
    expect(loaded(stdout, "SELECT a FROM t")).toBe("7");
  });

  test("with --drop it is loaded over what is there, again and again", () => {
    for (const dialect of ["sqlite", "d1", "sqlite3-cli-3.40"]) {
      const { stdout } = cli.run("dump", "app.db", "--drop", "--dialect", dialect);
      const query = "SELECT count(*) FROM orders; SELECT count(*) FROM v";
      expect(loaded(stdout + stdout, query)).toBe("300\n2");
    }
    const { status, stderr } = cli.run("dump", "app.db", "--drop", "--no-schema");
    expect(status).toBe(2);
    expect(stderr).toContain("[USAGE]");
  });

  test("a view is dumped when it is asked for, and an index is no table", () => {
    const { stdout } = cli.run("dump", "app.db", "--table", "V");
    expect(stdout).toContain("CREATE VIEW v");
    expect(stdout).not.toContain("CREATE TABLE");
    expect(cli.run("dump", "app.db", "--table", "by_a").stderr).toContain(
      'there is no table "by_a" (an index, which comes with "other")',
    );
  });

  test("a damaged page is an error that names it, or with --salvage a warning", () => {
    const bytes = readFileSync(path);
    const size = bytes.readUInt16BE(16);
    bytes.fill(0xff, size * 20, size * 21);
    writeFileSync(join(folder, "damaged.db"), bytes);
    expect(cli.failure("dump", "damaged.db", "-o", "damaged.sql")).toEqual([1, "BTREE_PAGE"]);
    const { status, stdout, stderr } = cli.run("dump", "damaged.db", "--salvage");
    expect(status).toBe(3);
    expect(stderr).toBe(
      "warning: orders: page 21 is damaged, and what it held is left out: at least one row, of the rowids 69 to 72\n",
    );
    expect(stdout).toContain("-- WARNING: orders: page 21 is damaged");
    expect(Number(loaded(stdout, "SELECT count(*) FROM orders"))).toBeGreaterThan(250);
  });
});

describe("the library", () => {
  test("dumps a source, tells how far it is, and stops when asked to", async () => {
    const phases: number[] = [];
    const db = pagemark(file(path), { store: memoryStore() });
    const sql = await db.dump({ onProgress: ({ done }) => phases.push(done) });
    expect(await new Response(sql).text()).toBe(cli.run("dump", "app.db").stdout);
    expect(phases.at(-1)).toBeGreaterThan(50);
    const bytes = await dumpSource(memory(readFileSync(path)));
    expect((await new Response(bytes).text()).length).toBeGreaterThan(300_000);

    const aborted = new AbortController();
    const stream = await db.dump({ signal: aborted.signal });
    aborted.abort();
    await expect(new Response(stream).text()).rejects.toThrow(/abort/);
    await (await db.dump()).cancel();
  });
});
