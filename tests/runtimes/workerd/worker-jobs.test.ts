// The one list of all that is under way, whatever kind it is, and objects that were deployed with two tables of it.
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject, SELF } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { call, create, nextHour, post, rows } from "./worker-api.ts";
import { during } from "./worker-injection.ts";

const object = (uuid: string) => env.DATABASES.get(env.DATABASES.idFromName(uuid));
const START = { output_format: "polling" };
const bucket = env.BACKUPS;
const keysOf = async (uuid: string) =>
  (await bucket.list()).objects.map(({ key }) => key).filter((key) => key.includes(uuid));
const jobsOf = async (uuid: string) =>
  (await call(`/${uuid}/jobs`)).body.result as {
    id: string;
    kind: string;
    state: string;
    done: number;
    total: number;
    error?: { code: string; message: string };
  }[];
const poll = async (uuid: string, path: "export" | "import", bookmark: string) =>
  (await call(`/${uuid}/${path}`, { ...START, action: "poll", current_bookmark: bookmark })).body.result;

// No automatic backup in between, whatever the time is.
beforeEach(() => void Object.assign(env, { PAGEMARK_SCHEDULE: "off" }));
afterEach(() => {
  Object.assign(env, { PAGEMARK_SCHEDULE: undefined });
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** Some 24 MB of SQL. */
async function filled(name: string): Promise<string> {
  const uuid = await create(name);
  await rows(uuid, "CREATE TABLE t (a)");
  const numbers = "WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30)";
  for (let i = 0; i < 4; i++) await rows(uuid, `${numbers} INSERT INTO t SELECT randomblob(100000) FROM n`);
  return uuid;
}

/** Polls until it has ended. */
async function ended(uuid: string, path: "export" | "import", bookmark: string) {
  for (;;) {
    const told = await poll(uuid, path, bookmark);
    if (told.status !== "active") return told;
  }
}

/** Uploads SQL and begins to import it. */
async function importing(uuid: string, sql: string) {
  const { upload_url, filename } = (await call(`/${uuid}/import`, { action: "init" })).body.result;
  await SELF.fetch(upload_url, { method: "PUT", body: sql });
  return (await call(`/${uuid}/import`, { action: "ingest", filename })).body.result;
}

describe("the list of jobs", () => {
  test("shows backups, restores, exports and imports, newest first, with how far they are", async () => {
    const uuid = await filled("all kinds");
    const { id } = (await post(`/${uuid}/backup`)).body.result;
    await rows(uuid, "DELETE FROM t WHERE rowid > 100");
    const exporting = (await call(`/${uuid}/export`, START)).body.result;
    await ended(uuid, "export", exporting.at_bookmark);
    const insert = `INSERT INTO t VALUES ('${"x".repeat(1000)}');\n`;
    const started = await importing(uuid, insert.repeat(3000));
    await ended(uuid, "import", started.at_bookmark);
    expect((await post(`/${uuid}/backup/${id}/restore`)).status).toBe(200);
    const jobs = await jobsOf(uuid);
    expect(jobs.map(({ kind, state }) => `${kind} ${state}`)).toEqual([
      "backup done",
      "restore done",
      "import done",
      "export done",
      "backup done",
    ]);
    expect(jobs.filter(({ done }) => done === 0)).toEqual([]);
    const [, restore, imported, exported] = jobs;
    for (const each of [restore, imported, exported]) expect(each?.done).toBe(each?.total);
    expect(imported?.total).toBe(insert.length * 3000);
  }, 120_000);

  test("an export and an import that are canceled there end at once, and leave nothing", async () => {
    const uuid = await filled("canceled kinds");
    const begun = (await call(`/${uuid}/export`, START)).body.result;
    const [exporting] = await jobsOf(uuid);
    expect(exporting).toMatchObject({ kind: "export", state: expect.stringMatching(/^(pending|running)$/) });
    const cancel = (id?: string) => call(`/${uuid}/jobs/${id}`, undefined, { method: "DELETE" });
    expect((await cancel(exporting?.id)).status).toBe(200);
    expect(await poll(uuid, "export", begun.at_bookmark)).toMatchObject({
      status: "error",
      error: "it was canceled; nothing half-done is left",
    });

    const started = await importing(uuid, `INSERT INTO t VALUES ('${"x".repeat(100)}');\n`.repeat(100_000));
    const [imported] = await jobsOf(uuid);
    await cancel(imported?.id);
    expect(await poll(uuid, "import", started.at_bookmark)).toMatchObject({ status: "error" });
    // Soon: until what it has done is undone, queries are refused as those of a busy database.
    const imports = () =>
      rows(uuid, "SELECT count(*) AS n FROM t WHERE typeof(a) = 'text'").catch(() => "busy");
    await expect.poll(imports, { timeout: 20_000 }).toEqual([{ n: 0 }]);
    expect((await jobsOf(uuid)).map(({ kind, state, error }) => [kind, state, error?.code])).toEqual([
      ["import", "canceled", "CANCELED"],
      ["export", "canceled", "CANCELED"],
    ]);
    // One that has ended stays as it is.
    await cancel(imported?.id);
    expect((await jobsOf(uuid))[0]?.state).toBe("canceled");
    await runDurableObjectAlarm(object(uuid));
    await expect.poll(() => keysOf(uuid), { timeout: 20_000 }).toEqual([]);
    // And the next one is made.
    const next = (await call(`/${uuid}/export`, START)).body.result;
    expect(await ended(uuid, "export", next.at_bookmark)).toMatchObject({ status: "complete" });
  }, 120_000);

  test("an export that is canceled when its object was evicted ends, too", async () => {
    const uuid = await filled("canceled later");
    const begun = (await call(`/${uuid}/export`, START)).body.result;
    await evictDurableObject(object(uuid));
    const [job] = await jobsOf(uuid);
    await call(`/${uuid}/jobs/${job?.id}`, undefined, { method: "DELETE" });
    expect(await poll(uuid, "export", begun.at_bookmark)).toMatchObject({ status: "error" });
    expect(await jobsOf(uuid)).toMatchObject([{ state: "canceled" }]);
  }, 60_000);

  test("an export that nobody polls for is shown as canceled", async () => {
    const uuid = await filled("unpolled");
    await call(`/${uuid}/export`, START);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 16_000 });
    await runDurableObjectAlarm(object(uuid));
    expect(await jobsOf(uuid)).toMatchObject([{ kind: "export", state: "canceled" }]);
  }, 60_000);
});

/** Evicts an object, and makes of its tables those that objects had before there was one for all kinds. */
async function asBefore(uuid: string): Promise<void> {
  await evictDurableObject(object(uuid));
  // It has not opened its database yet, so nothing is under way.
  await runInDurableObject(object(uuid), async (_, { storage: { sql } }) => {
    for (const statement of [
      `CREATE TABLE pagemark_polled_jobs (id TEXT PRIMARY KEY, kind TEXT NOT NULL, bookmark TEXT NOT NULL,
        label TEXT NOT NULL, state TEXT NOT NULL, task TEXT NOT NULL, active INTEGER NOT NULL, alarm_ms INTEGER NOT NULL)`,
      // With a longer lease: a machine may have much else to do.
      `INSERT INTO pagemark_polled_jobs SELECT id, kind, bookmark, label,
        json_set(lease, '$.until_ms', json_extract(lease, '$.until_ms') + 600000), request,
        state IN ('pending', 'running'), alarm_ms + 600000 FROM pagemark_jobs WHERE lease IS NOT NULL ORDER BY started_ms`,
      "DELETE FROM pagemark_jobs WHERE lease IS NOT NULL",
      ...["bookmark", "label", "lease", "alarm_ms"].map(
        (name) => `ALTER TABLE pagemark_jobs DROP COLUMN ${name}`,
      ),
      "CREATE TABLE pagemark_polled_trash (key TEXT PRIMARY KEY, upload_id TEXT, due_ms INTEGER NOT NULL)",
      "INSERT INTO pagemark_polled_trash SELECT key, upload_id, due_ms FROM pagemark_removals WHERE NOT in_order",
      "DELETE FROM pagemark_removals",
      ...["upload_id", "due_ms", "in_order"].map(
        (name) => `ALTER TABLE pagemark_removals DROP COLUMN ${name}`,
      ),
    ]) {
      sql.exec(statement);
    }
  });
  await evictDurableObject(object(uuid));
}

describe("an object that was deployed when there were two tables of jobs", () => {
  test("goes on with what was under way, and knows what had ended", async () => {
    const uuid = await filled("deployed before");
    await post(`/${uuid}/backup`);
    const first = (await call(`/${uuid}/export`, START)).body.result;
    await ended(uuid, "export", first.at_bookmark);
    await rows(uuid, "INSERT INTO t VALUES ('later')");
    const second = (await call(`/${uuid}/export`, START)).body.result;
    await asBefore(uuid);
    await rows(uuid, "INSERT INTO t VALUES ('latest')");

    expect((await jobsOf(uuid)).map(({ kind, state }) => `${kind} ${state}`)).toEqual([
      "export running",
      "export done",
      "backup done",
    ]);
    const again = await poll(uuid, "export", first.at_bookmark);
    expect(again).toMatchObject({ status: "complete", at_bookmark: first.at_bookmark });
    expect((await SELF.fetch(again.signed_url)).status).toBe(200);
    const told = await ended(uuid, "export", second.at_bookmark);
    expect(told.status).toBe("complete");
    const sql = await (await SELF.fetch(told.signed_url)).text();
    expect([sql.includes("'later'"), sql.includes("'latest'")]).toEqual([true, false]);
    const tables = await runInDurableObject(object(uuid), async (_, ctx) => [
      ...ctx.storage.sql.exec("SELECT name FROM sqlite_master WHERE name LIKE 'pagemark_polled%'").raw(),
    ]);
    expect(tables.flat()).toEqual(["pagemark_polled_parts"]);
  }, 120_000);

  test("deletes what was noted down to go", async () => {
    const uuid = await create("trash of before");
    const { upload_url } = (await call(`/${uuid}/import`, { action: "init" })).body.result;
    await SELF.fetch(upload_url, { method: "PUT", body: "SELECT 1;" });
    expect(await keysOf(uuid)).toHaveLength(1);
    await asBefore(uuid);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 2 * 3_600_000 });
    await runDurableObjectAlarm(object(uuid));
    expect(await keysOf(uuid)).toEqual([]);
  }, 60_000);
});

test("the log says which database's automatic backup failed, and with which code", async () => {
  Object.assign(env, { PAGEMARK_SCHEDULE: "hourly" });
  const uuid = await create("logged");
  await rows(uuid, "CREATE TABLE t (a); INSERT INTO t VALUES ('a secret')");
  const log = vi.spyOn(console, "error").mockImplementation(() => {});
  vi.useFakeTimers({ toFake: ["Date"], now: nextHour() });
  const down = { how: "before", error: new Error("put: Unspecified error (0): (10001)") } as const;
  await during(
    () => down,
    () => runDurableObjectAlarm(object(uuid)),
  );
  const said = log.mock.calls.map((words) => words.join(" "));
  expect(said.filter((line) => line.includes('"logged"'))).toEqual([
    expect.stringMatching(/^database "logged": a backup failed: STORE_UNAVAILABLE: /),
  ]);
  expect(said.join()).not.toContain("secret");
}, 60_000);
