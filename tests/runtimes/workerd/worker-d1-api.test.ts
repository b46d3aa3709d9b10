// What clients of D1's API over HTTP rely on.
import { createExecutionContext, env, SELF } from "cloudflare:test";
import Entrypoint from "pagemark/worker";
import { beforeAll, describe, expect, test } from "vitest";
import { call, create, DATABASES, post, rows } from "./worker-api.ts";

let uuid: string;
beforeAll(async () => {
  uuid = await create("d1 api");
});

const query = (sql: string, params?: unknown[], how = "query") => call(`/${uuid}/${how}`, { sql, params });
const bodyOf = (path: string, text: string, method = "POST") => call(path, undefined, { method, body: text });

describe("SQL", () => {
  test.each(["", "  ", ";", "-- x", "/* x */", "\n-- x\n;;", "\ufeff"])(
    "%j has no statement: 400 with code 7500, alone and in a batch",
    async (sql) => {
      for (const how of ["query", "raw"]) {
        for (const body of [{ sql }, { batch: [{ sql: "SELECT 1" }, { sql }] }]) {
          const { status, body: answer } = await call(`/${uuid}/${how}`, body);
          expect(status).toBe(400);
          expect(answer.errors).toEqual([
            { code: 7500, message: "SQL code did not contain a statement: STATEMENT_NONE" },
          ]);
        }
      }
    },
  );

  test("integers of 64 bits are exact as parameters; larger ones are refused, with their place", async () => {
    const sent = (value: string) =>
      bodyOf(`/${uuid}/raw`, `{"sql": "SELECT typeof(?1), CAST(?1 AS TEXT)", "params": [${value}]}`);
    for (const value of [
      "9007199254740993",
      "-9007199254740993",
      "9223372036854775807",
      "-9223372036854775808",
      "5",
    ]) {
      const { body } = await sent(value);
      expect(body.result[0].results.rows).toEqual([["integer", value]]);
    }
    expect((await sent("1e3")).body.result[0].results.rows[0][1]).toBe("1000");
    expect((await sent("9007199254740993.0")).body.result[0].results.rows[0][0]).toMatch(/real|integer/);
    for (const value of ["9223372036854775808", "-9223372036854775809", "1".repeat(400)]) {
      const { status, body } = await sent(value);
      expect(status, value).toBe(400);
      expect(body.errors[0]).toMatchObject({ code: 7400, source: { pointer: "/params/0" } });
      expect(body.errors[0].message).toMatch(/64 bits/);
    }
  });

  test("D1's PRAGMAs are taken, and what they switch ends with the request, also with one that fails", async () => {
    const made = await create("pragmas");
    const run = (sql: string) => call(`/${made}/query`, { sql });
    await run("CREATE TABLE t (id INTEGER PRIMARY KEY, a CHECK (a > 0)); CREATE INDEX i ON t (a)");
    await run("INSERT INTO t VALUES (1, 1), (2, 2)");
    for (const look of [
      ...[
        "table_list",
        "table_info('t')",
        "table_xinfo(t)",
        'index_list("t")',
        "index_info(i)",
        "index_xinfo('i')",
      ],
      ...["quick_check", "foreign_key_check", "foreign_key_list(t)", "foreign_keys = on", "optimize"],
      ...["defer_foreign_keys = off"],
    ]) {
      expect((await run(`PRAGMA ${look}`)).status, look).toBe(200);
    }
    const states = async () => [
      await rows(made, "SELECT 'a' LIKE 'A' AS same"),
      await rows(made, "SELECT id FROM t"),
      (await run("INSERT INTO t VALUES (9, -1)")).status,
      await rows(made, "PRAGMA foreign_keys"),
    ];
    const before = await states();
    const switches = `PRAGMA case_sensitive_like = on; PRAGMA ignore_check_constraints(1); PRAGMA "legacy_alter_table" = on;
      PRAGMA main.recursive_triggers = 1; PRAGMA reverse_unordered_selects = on;`;
    const { body } = await run(`${switches} SELECT 'a' LIKE 'A' AS same; SELECT id FROM t`);
    expect(body.result.slice(-2).map(({ results }: { results: unknown }) => results)).toEqual([
      [{ same: 0 }],
      [{ id: 2 }, { id: 1 }],
    ]);
    expect(await states()).toEqual(before);
    expect((await run(`${switches} SELECT nonsense`)).status).toBe(400);
    expect(await states()).toEqual(before);
    expect((await run(`${switches} INSERT INTO t VALUES (3, -3)`)).status).toBe(200);
    await run("DELETE FROM t WHERE id = 3");
    expect(await states()).toEqual(before);
  });

  test("messages say what a table's rebuild does to those that refer to it", async () => {
    await query("CREATE TABLE p (id INTEGER PRIMARY KEY, x); INSERT INTO p VALUES (1, 1), (2, 2)");
    await query(
      `CREATE TABLE c (p REFERENCES p ON DELETE CASCADE, id INTEGER PRIMARY KEY); INSERT INTO c VALUES (1, 1), (2, 2);
       CREATE TABLE g (c REFERENCES "c" ON DELETE CASCADE); INSERT INTO g VALUES (1)`,
    );
    const { body } = await query(
      `PRAGMA foreign_keys = OFF; CREATE TABLE np (id INTEGER PRIMARY KEY, x, y); INSERT INTO np (id, x) SELECT id, x FROM p;
       DROP TABLE IF EXISTS main."p"; ALTER TABLE np RENAME TO p`,
    );
    expect(body.success).toBe(true);
    expect(body.messages).toEqual([
      expect.stringMatching(/^PRAGMA foreign_keys = OFF has no effect/),
      expect.stringMatching(/^DROP TABLE p deleted 2 rows of c, which refers to it with ON DELETE CASCADE/),
      expect.stringMatching(
        /^DROP TABLE p deleted 1 row of g.*; bookmark [0-9a-f-]{59} is the state before$/,
      ),
    ]);
    expect(await rows(uuid, "SELECT count(*) AS n FROM c")).toEqual([{ n: 0 }]);
    expect((await query("DROP TABLE g")).body.messages).toEqual([]);
    expect((await query("PRAGMA foreign_keys")).body.messages).toEqual([]);
  });

  test("the states before migrations are kept by their names; what a migration lost is said there, too", async () => {
    const other = await create("migrations");
    const run = (sql: string, params?: unknown[]) => call(`/${other}/query`, { sql, params });
    const marks = async () => (await call(`/${other}/time_travel/bookmark`)).body.result.migrations;
    await run("CREATE TABLE migrations_of_birds (name); INSERT INTO migrations_of_birds VALUES ('swift')");
    await run("INSERT INTO migrations_of_birds VALUES ('stork')");
    await run("CREATE TABLE d1_migrations (id INTEGER PRIMARY KEY, name)");
    await run(
      "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (p REFERENCES p ON DELETE CASCADE); INSERT INTO p VALUES (1); INSERT INTO c VALUES (1)",
    );
    await run("DROP TABLE p; INSERT INTO d1_migrations (name) VALUES ('0002_it''s.sql')");
    await run('INSERT INTO "d1_migrations" (name) VALUES (?)', ["0003_rows"]);
    const [rows3, second, ...others] = await marks();
    expect([
      rows3.migration,
      second.migration,
      ...others.map((each: { migration: string }) => each.migration),
    ]).toEqual(["0003_rows", "0002_it's.sql", "swift"]);
    expect(second.messages).toEqual([expect.stringMatching(/^DROP TABLE p deleted 1 row of c/)]);
    await call(`/${other}/time_travel/restore?bookmark=${second.bookmark}`, {});
    expect(await rows(other, "SELECT count(*) AS n FROM c")).toEqual([{ n: 1 }]);
  });

  test("meta has all that D1's has", async () => {
    await query("CREATE TABLE m (a INTEGER PRIMARY KEY, b); CREATE INDEX mb ON m (b)");
    const { body } = await query("INSERT INTO m (b) VALUES ('x'), ('y')");
    expect(body.result[0].meta).toEqual({
      served_by: "pagemark",
      served_by_primary: true,
      total_attempts: 1,
      timings: { sql_duration_ms: 0 },
      duration: 0,
      changes: 2,
      last_row_id: 2,
      changed_db: true,
      size_after: expect.any(Number),
      rows_read: expect.any(Number),
      rows_written: 4,
    });
  });
});

describe("databases", () => {
  test("PUT and PATCH answer the database; what is not offered is refused by name", async () => {
    for (const method of ["PUT", "PATCH"]) {
      const { status, body } = await bodyOf(`/${uuid}`, '{"read_replication": {"mode": "disabled"}}', method);
      expect(status).toBe(200);
      expect(body.result).toMatchObject({ uuid, name: "d1 api", read_replication: { mode: "disabled" } });
      const auto = await bodyOf(`/${uuid}`, '{"read_replication": {"mode": "auto"}}', method);
      expect(auto).toMatchObject({
        status: 400,
        body: { errors: [{ message: expect.stringMatching(/read_replication/) }] },
      });
      const other = await bodyOf(`/${uuid}`, '{"name": "x"}', method);
      expect(other).toMatchObject({
        status: 400,
        body: { errors: [{ message: expect.stringMatching(/"name"/) }] },
      });
    }
    expect((await bodyOf(`/${crypto.randomUUID()}`, "{}", "PATCH")).status).toBe(404);
  });

  test("a location is honoured and shown; a jurisdiction that is not there is refused, and leaves the name free", async () => {
    const { body } = await call("", { name: "near", primary_location_hint: "weur" });
    expect(body.result).toMatchObject({ running_in_region: "WEUR", jurisdiction: null });
    expect((await call(`/${body.result.uuid}`)).body.result).toMatchObject({ running_in_region: "WEUR" });
    expect((await call(`/${uuid}`)).body.result).not.toHaveProperty("running_in_region");
    const there = await call("", { name: "there", jurisdiction: "eu" });
    expect(there).toMatchObject({
      status: 400,
      body: { errors: [{ message: expect.stringMatching(/^jurisdiction: .*eu/) }] },
    });
    expect((await call("", { name: "there" })).status).toBe(200);
    for (const wrong of [{ jurisdiction: "mars" }, { primary_location_hint: "moon" }, { replicas: 3 }]) {
      const refused = await call("", { name: "wrong", ...wrong });
      expect(refused.status).toBe(400);
      expect(JSON.stringify(refused.body.errors)).toContain(Object.keys(wrong)[0]);
    }
  });

  test("a slash at the end of a path is taken", async () => {
    const headers = { authorization: "Bearer all" };
    expect((await SELF.fetch(`${DATABASES}/`, { headers })).status).toBe(200);
    expect((await SELF.fetch(`${DATABASES}/${uuid}/`, { headers })).status).toBe(200);
    const made = await SELF.fetch(`${DATABASES}/${uuid}/query/`, {
      method: "POST",
      body: '{"sql": "SELECT 1"}',
      headers: { ...headers, "content-type": "application/json" },
    });
    expect(made.status).toBe(200);
  });
});

describe("over the binding", () => {
  const binding = () => new Entrypoint(createExecutionContext(), env).database("d1 api");

  test("a session's bookmark grows, and begins another session; that of another database is refused", async () => {
    const session = binding().withSession("first-primary");
    expect(session.getBookmark()).toBeNull();
    await session.prepare("CREATE TABLE s (a)").run();
    const before = session.getBookmark() ?? "";
    await session.batch([session.prepare("INSERT INTO s VALUES (?)").bind(1), { sql: "SELECT 1" }]);
    expect((session.getBookmark() ?? "") > before).toBe(true);
    const next = binding().withSession(session.getBookmark() ?? "");
    expect(await next.prepare("SELECT a FROM s").first("a")).toBe(1);
    await expect(binding().withSession("nonsense").prepare("SELECT 1").all()).rejects.toMatchObject({
      code: "BOOKMARK_SYNTAX",
    });
    const ahead = before.replace(/^.{17}/, "00000000-7fffffff");
    await expect(binding().withSession(ahead).prepare("SELECT 1").all()).rejects.toMatchObject({
      code: expect.stringMatching(/^(HISTORY_UNKNOWN|BOOKMARK_)/),
    });
    await create("d1 api other");
    const other = await new Entrypoint(createExecutionContext(), env).database("d1 api other").bookmark();
    const lineage = expect.stringContaining("belongs to another database");
    await expect(binding().withSession(other).prepare("SELECT 1").all()).rejects.toMatchObject({
      code: "BOOKMARK_LINEAGE",
      message: lineage,
    });
    // Over HTTP, too.
    const { uuid: own } = (await call("/d1 api other")).body.result;
    for (const [id, foreign] of [
      [uuid, other],
      [own, before],
    ]) {
      for (const answer of [
        await post(`/${id}/time_travel/restore?bookmark=${foreign}`),
        await call(`/${id}/download?at=${foreign}`),
      ]) {
        expect([answer.status, answer.body.errors[0].message]).toEqual([400, lineage]);
      }
    }
  });

  test("a session goes on after a restore in place", async () => {
    const session = binding().withSession();
    await session.prepare("CREATE TABLE r (a)").run();
    const { id } = await binding().backup();
    await session.prepare("INSERT INTO r VALUES (1)").run();
    await binding().restore({ at: id });
    expect(await session.prepare("SELECT count(*) AS n FROM r").first("n")).toBe(0);
  });
});

test("the backup after a restore in place is incremental; the one before it is labelled", async () => {
  const name = "restored";
  const id = await create(name);
  await call(`/${id}/query`, {
    sql: `CREATE TABLE t (a, b);
      WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) INSERT INTO t SELECT i, zeroblob(400) FROM n`,
  });
  const first = (await call(`/${id}/backup`, undefined, { method: "POST" })).body.result;
  await call(`/${id}/query`, { sql: "UPDATE t SET a = -1 WHERE a = 7" });
  const restored = (await call(`/${id}/backup/${first.id}/restore`, undefined, { method: "POST" })).body
    .result;
  await call(`/${id}/query`, { sql: "UPDATE t SET a = -2 WHERE a = 9" });
  const last = (await call(`/${id}/backup`, undefined, { method: "POST" })).body.result;
  expect(last).toMatchObject({ kind: "incremental", origin: "manual" });
  expect(last.stored_size).toBeLessThan(first.stored_size / 4);
  const listed = (await call(`/${id}/backup`)).body.result;
  const safety = listed.find((each: { id: string }) => each.id === restored.safety_backup);
  expect(safety.origin).toBe("restore");
  expect(listed.map(({ origin }: { origin: string }) => origin)).toEqual(["manual", "restore", "manual"]);
});
