// A hostile client that has a read token, and tries every route, function, table and PRAGMA that there is.
import { env, runDurableObjectAlarm, runInDurableObject, SELF } from "cloudflare:test";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { app } from "../../../js/dist/api/app.js";
import { endlessCalls, endlessReads, OTHERS, pragmas, SINGLE, type SqlFunction } from "./hostile-sql.ts";
import { call, create, post, rows } from "./worker-api.ts";

/** Of the environment: with it everything is tried, in so many steps; a Worker has 300 million unless told otherwise. */
const { HOSTILE_STEPS } = env;
const FEW_STEPS = HOSTILE_STEPS || "1000000";
/** In milliseconds, on a machine that does much else. */
const SOON = 5000 + Number(FEW_STEPS) / 30_000;
/** For texts of megabytes, which are made before what takes long. */
const ENOUGH_STEPS = "8000000";
const HOUR = 3_600_000;
const LONG = HOSTILE_STEPS ? 12 * HOUR : 180_000;

let uuid: string;
let backup: string;
let steps: string | undefined;
beforeAll(async () => {
  uuid = await create("looked at");
  await rows(uuid, "CREATE TABLE t (a, b); CREATE INDEX i ON t (a); CREATE VIRTUAL TABLE f USING fts5 (c)");
  await rows(uuid, "INSERT INTO t VALUES (1, 2), (3, 4); INSERT INTO f VALUES ('word')");
  backup = (await post(`/${uuid}/backup`)).body.result.id;
  steps = env.PAGEMARK_QUERY_STEPS;
  allow(FEW_STEPS);
});
afterAll(() => allow(steps));

const allow = (steps: string | undefined) => void Object.assign(env, { PAGEMARK_QUERY_STEPS: steps });
const object = () => env.DATABASES.get(env.DATABASES.idFromName(uuid));
const look = (sql: string) => call(`/${uuid}/query`, { sql }, { token: "look" });

/** All that a read token might change. */
async function state() {
  const { objects } = await env.BACKUPS.list();
  const registry = env.REGISTRY.get(env.REGISTRY.idFromName("registry"));
  const { databases } = await registry.list({ page: 1, perPage: 1000 });
  return {
    bookmark: await object().bookmark(),
    storage: await runInDurableObject(object(), async (_, { storage }) => storage.sql.databaseSize),
    objects: objects.map(({ key, etag }) => `${key} ${etag}`),
    databases: databases.map(({ uuid, name }) => `${uuid} ${name}`),
    jobs: (await object().jobs()).map(({ id, state }) => `${id} ${state}`),
    checkpoint: await object().checkpoint(),
  };
}

/** Each of them is answered soon, and nothing is changed by any. */
async function tried(statements: readonly string[]) {
  const before = await state();
  const statuses = new Set<number>();
  for (const sql of statements) {
    const start = performance.now();
    const { status } = await look(sql);
    statuses.add(status);
    expect(performance.now() - start, sql).toBeLessThan(SOON);
  }
  expect([...statuses].filter((status) => ![200, 400, 403, 413].includes(status))).toEqual([]);
  expect(await state()).toEqual(before);
}

describe("a read token", () => {
  test(
    "is held to the budget by each function, and writes by none",
    async () => {
      const functions = (await rows(
        uuid,
        "SELECT DISTINCT name, type, narg FROM pragma_function_list",
      )) as unknown as SqlFunction[];
      expect(functions.length).toBeGreaterThan(150);
      // Each kind of arguments with every second function, for the time that it takes.
      const some = (given: SqlFunction, at: number) =>
        endlessCalls(given).filter((_, kind) => HOSTILE_STEPS || (at + kind) % 2);
      await tried(functions.flatMap(some));
    },
    LONG,
  );

  test(
    "by each table that is a function, and by statements of every kind",
    async () => {
      const modules = (await rows(uuid, "SELECT name FROM pragma_module_list")).map(({ name }) =>
        String(name),
      );
      expect(modules).toEqual(expect.arrayContaining(["fts5", "rtree"]));
      // SQLite lists these only once they were used.
      await tried(["json_each", "json_tree", ...modules].flatMap(endlessReads).concat(OTHERS));
    },
    LONG,
  );

  test("is held to the budget within a call and an instruction, and by what it compiles", async () => {
    const large = await create("looked into");
    allow(steps);
    await rows(
      large,
      "CREATE TABLE t (a, b); CREATE INDEX i ON t (a); CREATE VIRTUAL TABLE f USING fts5 (c)",
    );
    const numbers = "WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 2000)";
    await rows(
      large,
      `${numbers} INSERT INTO t SELECT i, zeroblob(4500) FROM n; INSERT INTO f VALUES ('word')`,
    );
    allow(ENOUGH_STEPS);
    const slow: string[] = [];
    for (const [name, sql] of Object.entries(SINGLE)) {
      const start = performance.now();
      const { status, body } = await call(`/${large}/query`, { sql }, { token: "look" });
      const ms = performance.now() - start;
      if (status !== 400 || ms > SOON / 2)
        slow.push(`${name}: ${status}, ${ms} ms ${body.errors?.[0]?.message}`);
    }
    allow(FEW_STEPS);
    expect(slow).toEqual([]);
  }, 120_000);

  test(
    "writes by no PRAGMA",
    async () => {
      const names = (await rows(uuid, "SELECT name FROM pragma_pragma_list")).map(({ name }) => String(name));
      expect(names.length).toBeGreaterThan(50);
      await tried(names.flatMap(pragmas));
    },
    LONG,
  );

  test("writes by no route, with no method and no body", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    try {
      const before = await state();
      // What ended exports leave is bounded, and goes after an hour: it is looked at when that is over.
      const { storage: _, ...steady } = before;
      const routes = [...new Set(app.routes.map(({ path }) => path))].filter((path) => !path.endsWith("*"));
      expect(routes.length).toBeGreaterThan(20);
      const statuses: Record<number, number> = {};
      for (const route of routes) {
        for (const method of ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"]) {
          for (const [path, body] of requestsOf(route)) {
            const hasBody = !["GET", "HEAD"].includes(method);
            if (!hasBody && body !== undefined) continue;
            const start = performance.now();
            const answer = await SELF.fetch(`https://pagemark${path}`, {
              method,
              headers: { authorization: "Bearer look", "content-type": "application/json" },
              ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
            });
            await answer.arrayBuffer();
            const said = `${method} ${path.slice(0, 200)}: ${answer.status}`;
            expect(answer.status, said).toBeLessThan(500);
            expect(performance.now() - start, said).toBeLessThan(2 * SOON);
            statuses[answer.status] = (statuses[answer.status] ?? 0) + 1;
          }
        }
      }
      // Something was read, and something was refused because of the token.
      expect(statuses[200]).toBeGreaterThan(20);
      expect(statuses[403]).toBeGreaterThan(20);
      for (let round = 0; round < 4; round++) {
        vi.setSystemTime(Date.now() + HOUR);
        await runDurableObjectAlarm(object());
      }
      expect(await state()).toMatchObject(steady);
      expect(await object().export({ bookmark: before.bookmark })).toMatchObject({
        answer: { success: false },
      });
    } finally {
      vi.useRealTimers();
    }
  }, 180_000);
});

/** A route with values in its path and after it, and bodies, by which somebody may want to write. */
function requestsOf(route: string): [path: string, body?: unknown][] {
  const filled = route
    .replace(":account_id", "acct")
    .replace(":database_id", uuid)
    .replace(":backup_id", backup)
    .replace(":job_id", crypto.randomUUID())
    .replace(":name", `${uuid}.${"0".repeat(32)}.sql`)
    .replace(/:\w+(\{.*?\})?/g, "x");
  const queries = [
    "",
    `?bookmark=${"0".repeat(8)}-00000001-00000000-${"0".repeat(32)}`,
    "?timestamp=2001-01-01T00:00:00Z",
    "?to=stolen&full=true",
    "?orphaned&page=1000000000&per_page=100",
    "?format=sql&at=1&dialect=d1",
    ...["BACKUP DATABASE", "CHECKPOINT CREATE", "CHECKPOINT RELEASE", "SHOW BACKUPS", "SNAPSHOT PREPARE"].map(
      (query) => `?query=${encodeURIComponent(query)}`,
    ),
    "?expires=99999999999999&signature=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
  ];
  const sql = "INSERT INTO t VALUES (9, 9)";
  const bodies = [
    { sql },
    { sql: `SELECT 1; ${sql}` },
    { batch: [{ sql: "SELECT 1" }, { sql }] },
    [{ sql }],
    { name: "stolen" },
    { read_replication: { mode: "disabled" } },
    { action: "init", etag: "0".repeat(32) },
    { action: "ingest", filename: `${uuid}.${"0".repeat(32)}.sql` },
    { action: "poll", current_bookmark: "x" },
    { output_format: "polling" },
    { output_format: "polling", dump_options: { tables: ["t"], no_data: true } },
    "{",
    `${"[".repeat(100_000)}`,
  ];
  return [
    ...queries.map((query): [string] => [filled + query]),
    ...bodies.map((body): [string, unknown] => [filled, body]),
  ];
}
