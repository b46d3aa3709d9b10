// `wrangler d1 export` and `d1 execute --file`: what is exported loads, and what is imported is all there.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { databaseOf } from "../peers/d1/golden.ts";
import { type Contents, contents, fileAt, type Place } from "../peers/d1/place.ts";
import type { TestApi } from "./api.ts";
import { contentsOf, expectSame, LIBRARY } from "./library.ts";
import { Wrangler, type WranglerVersion } from "./wrangler.ts";

/** SQLite's shell 3.54.1. */
const newestShell = join(import.meta.dirname, "../../.cache/bin/sqlite3_shell");

export function files(worker: TestApi, version: WranglerVersion): void {
  const wrangler = new Wrangler(worker, version);
  let expected: Contents;
  let loaded = 0;
  beforeAll(async () => {
    await worker.create("exported", LIBRARY);
    expected = await contentsOf(worker.folder, LIBRARY);
  });

  /** Exports to a file of this name. */
  async function exported(name: string, ...options: string[]): Promise<string> {
    await wrangler.d1("export", "exported", "--remote", "--output", name, ...options);
    return wrangler.path(name);
  }

  /** What the sqlite3 shell makes of these files, one after the other. */
  function shell(...paths: string[]): Place {
    const path = wrangler.path(`loaded-${loaded++}.db`);
    const input = paths.map((each) => readFileSync(each, "utf8")).join("\n");
    execFileSync("sqlite3", ["-bail", path], { input: `PRAGMA synchronous = OFF;\n${input}` });
    return fileAt(path);
  }

  const isRows = (name: string) => name.startsWith("rows of ");

  describe("export", () => {
    test("D15 all of a database loads in sqlite3, and is the same to the last cell", async () => {
      await expectSame(shell(await exported("all.sql")), expected);
    });

    test("D10 --no-data is the schema, --no-schema the rows, and both together all of it", async () => {
      const [schema, data] = await Promise.all([
        exported("schema.sql", "--no-data"),
        exported("data.sql", "--no-schema"),
      ]);
      const empty = await contents(shell(schema));
      const names = Object.keys(expected).filter((name) => name !== "rows of sqlite_sequence");
      expect(Object.keys(empty)).toEqual(expect.arrayContaining(names));
      expect(Object.entries(empty).filter(([name, rows]) => isRows(name) && rows.length > 0)).toEqual([]);
      expect(readFileSync(data, "utf8")).not.toMatch(/^CREATE/m);
      // Triggers fire at rows that come after them, as they did when the rows came first: the index has every title.
      const both = await contents(shell(schema, data));
      for (const name of ["authors", "books", "loans", "extremes"]) {
        expect(both[`rows of ${name}`], name).toEqual(expected[`rows of ${name}`]);
      }
    });

    test("D11 --table is that table, with its indexes and triggers", async () => {
      const path = await exported("tables.sql", "--table", "books", "--table", "loans");
      const found = await contents(shell(path));
      const wanted = Object.keys(expected).filter((name) => /(on|of) (books|loans)$/.test(name));
      expect(wanted.length).toBeGreaterThan(4);
      // SQLite's own table of numbers comes with every dump: rows that were there before are not to count.
      const names = Object.keys(found).filter((name) => !name.includes("sqlite_sequence"));
      expect(new Set(names)).toEqual(new Set(wanted));
      for (const name of wanted) expect(found[name], name).toEqual(expected[name]);

      const unknown = await wrangler.tryD1(
        ...["export", "exported", "--remote", "--output", "unknown.sql", "--table", "no such"],
      );
      expect(unknown).toMatchObject({ status: 1, output: expect.stringContaining("no such") });
    });

    if (version === "4") {
      test("--compatibility sqlite3_cli_only is for sqlite3, --compatibility d1 for D1", async () => {
        const cli = await exported("cli.sql", "--compatibility", "sqlite3_cli_only");
        const dumped = execFileSync(newestShell, [databaseOf(worker.folder, LIBRARY), ".dump"]);
        expect(readFileSync(cli).equals(dumped), "what the shell itself prints").toBe(true);
        const d1 = await exported("d1.sql", "--compatibility", "d1");
        expect(readFileSync(d1, "utf8")).not.toMatch(/^(BEGIN|COMMIT)/m);
        await expectSame(shell(d1), expected);
      });
    }
  });

  describe("execute --file", () => {
    test("D15 what was exported is imported, and is the same to the last cell", async () => {
      await exported("again.sql");
      const uuid = await worker.create("imported");
      const printed = await wrangler.d1("execute", "imported", "--remote", "-y", "--file", "again.sql");
      expect(printed).toMatch(/"Total queries executed": \d{2,}/);
      await expectSame(worker.database(uuid), expected);
    });

    test("is one transaction: what fails leaves the database as it was, and says why", async () => {
      const uuid = await worker.create("unchanged", "CREATE TABLE t (a); INSERT INTO t VALUES (1);");
      writeFileSync(
        wrangler.path("broken.sql"),
        "DELETE FROM t;\nCREATE TABLE u (b);\nINSERT INTO missing VALUES (1);\n",
      );
      const failed = await wrangler.tryD1("execute", "unchanged", "--remote", "-y", "--file", "broken.sql");
      expect(failed).toMatchObject({ status: 1, output: expect.stringContaining("no such table: missing") });
      const database = worker.database(uuid);
      expect(await database.rows("SELECT a FROM t")).toEqual([[1]]);
      expect(await database.rows("SELECT name FROM sqlite_schema WHERE name = 'u'")).toEqual([]);
    });

    test("a file of megabytes, and the same one a second time", async () => {
      const rows = Array.from(
        { length: 20_000 },
        (_, id) => `INSERT INTO big VALUES (${id}, '${"x".repeat(100)}');`,
      );
      const sql = `DROP TABLE IF EXISTS big;\nCREATE TABLE big (id INTEGER PRIMARY KEY, text);\n${rows.join("\n")}\n`;
      writeFileSync(wrangler.path("big.sql"), sql);
      const uuid = await worker.create("big");
      const execute = () => wrangler.d1("execute", "big", "--remote", "-y", "--file", "big.sql");
      await execute();
      const database = worker.database(uuid);
      expect(await database.rows("SELECT count(*), sum(length(text)) FROM big")).toEqual([
        [20_000, 2_000_000],
      ]);
      await database.run(["DELETE FROM big WHERE id > 10;"]);
      await execute();
      expect(await database.rows("SELECT count(*) FROM big"), "imported again").toEqual([[20_000]]);
    });
  });
}
