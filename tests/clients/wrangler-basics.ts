// What every wrangler can do: databases, SQL, and migrations.
import { mkdirSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { READ_TOKEN, type TestApi, TOKEN } from "./api.ts";
import { Wrangler, type WranglerVersion } from "./wrangler.ts";

interface Listed {
  uuid: string;
  name: string;
  num_tables: number;
  file_size: number;
}

export function basics(worker: TestApi, version: WranglerVersion): void {
  const wrangler = new Wrangler(worker, version);
  const remote = version === "3.20" ? [] : ["--remote"];

  describe("databases", () => {
    test("D13 are created, listed by the page, looked at, and deleted", async () => {
      // A page has ten of them.
      for (let index = 0; index < 10; index++) await worker.create(`filler-${index}`);
      await wrangler.d1("create", "made");
      const listed = await wrangler.json<Listed[]>("list");
      expect(listed.length).toBeGreaterThan(10);
      const [made] = listed.filter(({ name }) => name === "made");
      expect(made).toMatchObject({ num_tables: 0, uuid: expect.stringMatching(/^[0-9a-f-]{36}$/) });

      const database = worker.database(made?.uuid ?? "");
      await database.run(["CREATE TABLE a (x);", "CREATE TABLE b (x);"]);
      const info = await wrangler.json<Record<string, unknown>>("info", "made");
      const [[pages]] = (await database.rows("PRAGMA page_count")) as [[number]];
      expect(info).toMatchObject({ uuid: made?.uuid, num_tables: 2, database_size: pages * 4096 });

      expect(await wrangler.d1("delete", "made", "-y")).toContain("Deleted 'made' successfully");
      const left = await wrangler.json<Listed[]>("list");
      expect(left.map(({ name }) => name)).not.toContain("made");
      expect(await wrangler.tryD1("info", "made")).toMatchObject({
        status: 1,
        output: expect.stringContaining("Couldn't find"),
      });
      expect(await wrangler.tryD1("create", "filler-0")).toMatchObject({
        status: 1,
        output: expect.stringContaining("already exists"),
      });
    });
  });

  describe("credentials", () => {
    test("D13 a key with an address serves, and the account's id is found out", async () => {
      await worker.create("found");
      const [withKey, withoutId] = await Promise.all([
        wrangler.run(["d1", "list", "--json"], {
          CLOUDFLARE_API_TOKEN: undefined,
          CLOUDFLARE_API_KEY: TOKEN,
          CLOUDFLARE_EMAIL: "me@example.com",
        }),
        wrangler.run(["d1", "list", "--json"], { CLOUDFLARE_ACCOUNT_ID: undefined }),
      ]);
      for (const ran of [withKey, withoutId]) {
        expect(ran).toMatchObject({ status: 0, stdout: expect.stringContaining('"found"') });
      }
    });
  });

  describe("execute --command", () => {
    test("gives the rows of every statement, and says what SQLite has against one", async () => {
      const uuid = await worker.create("queried");
      const execute = ["execute", "queried", ...remote, "--command"];
      const made = await wrangler.json<{ results: unknown[]; meta: { changes: number } }[]>(
        ...execute,
        "CREATE TABLE t (a, b TEXT); INSERT INTO t VALUES (1, 'one;'), (2.5, NULL); SELECT * FROM t",
      );
      expect(made.at(-1)?.results).toEqual([
        { a: 1, b: "one;" },
        { a: 2.5, b: null },
      ]);
      expect(await wrangler.d1(...execute, "SELECT count(*) AS many FROM t")).toMatch(/many[^0-9]+2\b/);

      const failed = await wrangler.tryD1(...execute, "INSERT INTO t VALUES (3, 'x'); SELECT * FROM missing");
      expect(failed).toMatchObject({ status: 1, output: expect.stringContaining("no such table: missing") });
      expect(await worker.database(uuid).rows("SELECT count(*) FROM t"), "nothing of it").toEqual([[2]]);
    });

    test("D13 a token that may only read does, and does not write; a wrong one does nothing", async () => {
      const uuid = await worker.create("read", "CREATE TABLE t (a); INSERT INTO t VALUES (7);");
      const execute = (sql: string, token: string) =>
        wrangler.run(["d1", "execute", "read", ...remote, "--command", sql], { CLOUDFLARE_API_TOKEN: token });
      const [read, written, wrong] = await Promise.all([
        execute("SELECT a AS found FROM t", READ_TOKEN),
        execute("DELETE FROM t", READ_TOKEN),
        execute("SELECT 1", "wrong"),
      ]);
      expect(read).toMatchObject({ status: 0, stdout: expect.stringMatching(/found[^0-9]+7\b/) });
      expect(written).toMatchObject({ status: 1, output: expect.stringContaining("only read") });
      expect(wrong).toMatchObject({ status: 1, output: expect.stringContaining("Authentication error") });
      expect(`${wrong.output}${written.output}`).not.toContain(READ_TOKEN);
      expect(await worker.database(uuid).rows("SELECT a FROM t")).toEqual([[7]]);
    });
  });

  describe("migrations apply", () => {
    test("runs each once and whole; one that fails leaves nothing behind", async () => {
      const uuid = await worker.create("migrated");
      const project = new Wrangler(worker, version, "project");
      project.configure("migrated", uuid);
      const write = (name: string, sql: string) => writeFileSync(project.path(`migrations/${name}.sql`), sql);
      mkdirSync(project.path("migrations"));
      write("0001_tables", "CREATE TABLE a (x); CREATE TABLE log (x);");
      write(
        "0002_trigger",
        `CREATE TRIGGER a_log AFTER INSERT ON a BEGIN INSERT INTO log VALUES (new.x || ';'); UPDATE log SET x = x; END;
         INSERT INTO a VALUES ('first');`,
      );
      await project.d1("migrations", "apply", "migrated", ...remote);
      const database = worker.database(uuid);
      expect(await database.rows("SELECT x FROM log")).toEqual([["first;"]]);
      expect(await database.rows("SELECT name FROM d1_migrations ORDER BY id")).toEqual([
        ["0001_tables.sql"],
        ["0002_trigger.sql"],
      ]);

      write("0003_broken", "CREATE TABLE b (x); INSERT INTO missing VALUES (1);");
      expect(await project.tryD1("migrations", "apply", "migrated", ...remote)).toMatchObject({
        output: expect.stringContaining("no such table: missing"),
      });
      const [tables] = await database.rows(
        "SELECT group_concat(name) FROM sqlite_schema WHERE type = 'table'",
      );
      expect(String(tables)).not.toMatch(/\bb\b/);
      expect(await database.rows("SELECT count(*) FROM d1_migrations")).toEqual([[2]]);

      write("0003_broken", "CREATE TABLE b (x);");
      await project.d1("migrations", "apply", "migrated", ...remote);
      expect(await database.rows("SELECT count(*) FROM d1_migrations")).toEqual([[3]]);
      expect(await project.d1("migrations", "apply", "migrated", ...remote)).toContain(
        "No migrations to apply",
      );

      const marks = await worker.migrations(uuid);
      expect(marks.map(({ migration }) => migration)).toEqual([
        "0003_broken.sql",
        "0002_trigger.sql",
        "0001_tables.sql",
      ]);
      if (version === "4") {
        const info = await project.json<{ migrations: unknown }>("time-travel", "info", "migrated");
        expect(info.migrations).toEqual(marks);
      }
      await worker.goBack(uuid, marks[1]?.bookmark ?? "");
      expect(await database.rows("SELECT name FROM sqlite_schema WHERE name IN ('a', 'a_log', 'b')")).toEqual(
        [["a"]],
      );
    });
  });
}
