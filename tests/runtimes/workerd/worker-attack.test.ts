// Whoever has a read token, or sends what no client would: nothing is written, nothing fills up, nothing takes long.
import { env, evictDurableObject, runDurableObjectAlarm, runInDurableObject, SELF } from "cloudflare:test";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { call, create, DATABASES, rows } from "./worker-api.ts";

const START = { output_format: "polling" };
/** In milliseconds, on a machine that does much else; the tests' setting lets a request take 20 million steps. */
const SOON = 10_000;

let uuid: string;
beforeAll(async () => {
  uuid = await create("attacked");
  await rows(uuid, "CREATE TABLE t (a, b); CREATE INDEX i ON t (a); CREATE VIRTUAL TABLE f USING fts5 (c)");
  await rows(uuid, "INSERT INTO t VALUES (1, 2), (3, 4); INSERT INTO f VALUES ('word')");
});

const object = (id = uuid) => env.DATABASES.get(env.DATABASES.idFromName(id));
const look = (sql: string) => call(`/${uuid}/query`, { sql }, { token: "look" });
const long = (letter: string, length: number) => `printf('%.*c', ${length}, '${letter}')`;

describe("a read token", () => {
  test("D13 writes by no function and no PRAGMA, and moves no bookmark", async () => {
    const before = await object().bookmark();
    const names = (await rows(uuid, "SELECT name FROM pragma_pragma_list")).map(({ name }) => String(name));
    expect(names.length).toBeGreaterThan(50);
    const tries = [
      "SELECT * FROM pragma_optimize(0x10002)",
      "INSERT INTO f (f) VALUES ('optimize')",
      "ANALYZE",
      "REINDEX",
      ...names.flatMap((name) => [`PRAGMA ${name}`, `PRAGMA ${name} = 1`, `PRAGMA ${name}(0x10002)`]),
      ...names.flatMap((name) => [`SELECT * FROM pragma_${name}`, `SELECT * FROM pragma_${name}(0x10002)`]),
    ];
    for (const sql of tries) await look(sql);
    expect(await object().bookmark()).toBe(before);
    expect(await rows(uuid, "SELECT name FROM sqlite_schema WHERE name LIKE 'sqlite_stat%'")).toEqual([]);
    expect(
      (await look("SELECT count(*) AS n FROM t JOIN f ON f MATCH 'word'")).body.result[0].results,
    ).toEqual([{ n: 2 }]);
    expect((await rows(uuid, "INSERT INTO t VALUES (5, 6) RETURNING a"))[0]).toEqual({ a: 5 });
  }, 120_000);

  test("holds the Worker for no longer than its budget, whatever it calls", async () => {
    const [hay, needle] = [long("a", 4_000_000), `${long("a", 2_000_000)} || 'b'`];
    const numbers = "WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)";
    const large = `l (x, y) AS MATERIALIZED (SELECT ${hay}, ${needle})`;
    const each = (call: string) =>
      `WITH ${large}, n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(${call}) FROM n CROSS JOIN l`;
    for (const sql of [
      ...[
        "instr(x, y)",
        "replace(x, y, '')",
        "trim(x, y)",
        "rtrim(x, y)",
        "length(x)",
        "substr(x, 3000000, 1)",
      ].map(each),
      ...["x LIKE '%b%c'", "x GLOB '*b*c'", "x + i", "CAST(x AS INTEGER)", "json_valid(x)", "x = y"].map(
        each,
      ),
      `${numbers} SELECT count(strftime('%Y-%m-%d %H:%M:%f %j %W', i, 'unixepoch', '+1 month', 'weekday 0')) FROM n`,
      `${numbers} SELECT sum(length(printf('%f %e %g %!.20f', i, i, i, i))) FROM n`,
      `${numbers} SELECT count(json_extract('{"a":[1,2,3,' || i || ']}', '$.a[3]')) FROM n`,
      `${numbers} SELECT count(*) FROM (SELECT i % 1000 FROM n UNION SELECT i FROM n)`,
    ]) {
      const start = performance.now();
      const { status } = await look(sql);
      expect([400, 413], sql).toContain(status);
      expect(performance.now() - start, sql).toBeLessThan(SOON);
    }
  }, 120_000);

  test("D11 fills nothing with exports: unknown tables are refused, and others have a bound", async () => {
    const kept = () =>
      runInDurableObject(object(), async (_, ctx) => {
        const sql =
          "SELECT count(*) AS n, coalesce(max(length(label)), 0) AS longest FROM pagemark_jobs WHERE kind = 'export'";
        return ctx.storage.sql.exec<{ n: number; longest: number }>(sql).one();
      });
    const names = Array.from({ length: 1000 }, (_, i) => `${i}${"x".repeat(200)}`);
    const told = await call(
      `/${uuid}/export`,
      { ...START, dump_options: { tables: names } },
      { token: "look" },
    );
    expect(told.body.result).toMatchObject({ status: "error", error: expect.stringContaining("no table") });
    expect((await kept()).n).toBe(0);
    for (let number = 0; number < 40; number++) {
      await rows(uuid, `INSERT INTO t VALUES (${number}, 'export')`);
      await call(`/${uuid}/export`, { ...START, dump_options: { tables: ["t"] } }, { token: "look" });
    }
    const { n, longest } = await kept();
    expect([n <= 32, longest < 100]).toEqual([true, true]);
    // Who may do everything still exports.
    const own = await call(`/${uuid}/export`, START);
    expect(own.body.result.status).toBe("active");
  }, 60_000);
});

test("of downloads that nobody reads there are few; a read token leaves room for others, and who is gone holds none", async () => {
  const id = await create("downloaded");
  await rows(id, "CREATE TABLE t (a); INSERT INTO t VALUES (zeroblob(8000000))");
  const open = (token: string, how: string) =>
    SELF.fetch(`${DATABASES}/${id}/download${how}`, { headers: { authorization: `Bearer ${token}` } });
  const begun: Response[] = [];
  const filling = async (token: string, how: string) => {
    for (let count = 0; ; count++) {
      const answer = await open(token, how);
      if (answer.status !== 200)
        return [count, answer.status, answer.headers.get("retry-after"), await answer.text()];
      begun.push(answer);
    }
  };
  expect(await filling("look", "")).toEqual([8, 429, "1", expect.stringContaining("8 downloads")]);
  expect(await filling("all", "?format=sql")).toEqual([8, 429, "1", expect.stringContaining("16 downloads")]);
  for (const answer of begun) await answer.body?.cancel();
  await expect
    .poll(async () => {
      const answer = await open("look", "");
      return [answer.status, (await answer.arrayBuffer()).byteLength > 8_000_000];
    })
    .toEqual([200, true]);
});

test("BACKUP and SHOW DATABASES know no thousand", async () => {
  const registry = env.REGISTRY.get(env.REGISTRY.idFromName("registry"));
  const count = () =>
    SELF.fetch("https://pagemark/exec?query=SHOW%20DATABASES", { headers: { authorization: "Bearer look" } })
      .then((answer) => answer.json() as Promise<{ count: number }>)
      .then((body) => body.count);
  const before = await count();
  await runInDurableObject(registry, async (_, ctx) => {
    const many = `WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500)
      INSERT INTO databases (uuid, name, created_at) SELECT 'many-' || i, 'many-' || i, '2026-01-01T00:00:00Z' FROM n`;
    ctx.storage.sql.exec(many);
  });
  expect(await count()).toBe(before + 2500);
  await runInDurableObject(registry, async (_, ctx) => {
    ctx.storage.sql.exec("DELETE FROM databases WHERE uuid LIKE 'many-%'");
  });
});

test("A1 a database that did not change is not backed up again by the schedule", async () => {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.UTC(2026, 10, 21, 10, 20) });
  try {
    const id = await create("unchanged");
    await rows(id, "CREATE TABLE t (a)");
    const counts: number[] = [];
    for (let hour = 1; hour <= 5; hour++) {
      vi.setSystemTime(Date.UTC(2026, 10, 21, 10 + hour, 20));
      if (hour === 4) await rows(id, "INSERT INTO t VALUES (1)");
      await runDurableObjectAlarm(object(id));
      counts.push((await object(id).backups()).length);
    }
    expect(counts).toEqual([1, 1, 1, 2, 2]);
  } finally {
    vi.useRealTimers();
  }
});

test("A1 the schedule backs up what changed, whatever came between: reads, restarts, backups, restores, deletions", async () => {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.UTC(2026, 10, 21, 10, 20) });
  try {
    const id = await create("changed or not");
    const made: string[] = [];
    const hour = async (what: string, work: () => Promise<unknown>) => {
      await work();
      const before = new Set((await object(id).backups()).map((each) => each.id));
      vi.setSystemTime(Date.now() + 3_600_000);
      await runDurableObjectAlarm(object(id));
      const after = (await object(id).backups()).filter((each) => !before.has(each.id));
      made.push(`${what}: ${after.map(({ origin }) => origin).join() || "none"}`);
    };
    await hour("new", async () => rows(id, "CREATE TABLE t (a)"));
    await hour("reads", async () => rows(id, "SELECT * FROM t; PRAGMA table_info(t)"));
    await hour("nothing is changed", () =>
      rows(id, "CREATE TABLE IF NOT EXISTS t (a); DELETE FROM t WHERE a = 9"),
    );
    await hour("what failed", () => call(`/${id}/query`, { sql: "INSERT INTO t VALUES (1); SELECT nope" }));
    await hour("a restart", () => evictDurableObject(object(id)));
    await hour("a change and a manual backup", async () => {
      await rows(id, "INSERT INTO t VALUES (2)");
      await object(id).backup();
    });
    await hour("a restart after it", () => evictDurableObject(object(id)));
    await hour("a restore", async () => object(id).restore({ at: (await object(id).backups())[1]?.id }));
    await hour("after the restore", async () => {});
    await hour("the newest deleted", async () =>
      object(id).deleteBackup((await object(id).backups())[0]?.id ?? ""),
    );
    await hour("after that", async () => {});
    expect(made).toEqual([
      "new: automatic",
      "reads: none",
      "nothing is changed: none",
      "what failed: none",
      "a restart: none",
      "a change and a manual backup: none",
      "a restart after it: none",
      "a restore: automatic",
      "after the restore: none",
      "the newest deleted: automatic",
      "after that: none",
    ]);
  } finally {
    vi.useRealTimers();
  }
});

describe("what is wrong is said in short", () => {
  test("of an error as long as what was sent, the start", async () => {
    const { status, body } = await call(`/${uuid}/query`, {
      sql: `SELECT * FROM "${"x".repeat(3_000_000)}"`,
    });
    expect([status, body.errors[0].message.length < 2000]).toEqual([400, true]);
  });

  test("of a key that is not known, the start; of too many parameters, how many there may be", async () => {
    const patch = { method: "PATCH", body: JSON.stringify({ ["x".repeat(1_000_000)]: 1 }) };
    const unknown = await call(`/${uuid}`, undefined, patch);
    expect([unknown.status, unknown.body.errors[0].message.length < 1100]).toEqual([400, true]);
    const params = Array.from({ length: 200_000 }, (_, value) => value);
    const many = await call(`/${uuid}/query`, { sql: "SELECT 1", params });
    expect([many.status, many.body.errors[0].message]).toEqual([
      400,
      expect.stringContaining("at most 32766"),
    ]);
  });

  test("over a binding, too", async () => {
    const failed = object().query([{ sql: `SELECT * FROM "${"x".repeat(100_000)}"` }]);
    const message = await failed.then(String, (error: Error) => error.message);
    expect([message.startsWith("no such table: xxx"), message.length < 1100]).toEqual([true, true]);
  });

  test("of a batch that is too long, its bound", async () => {
    const batch = Array.from({ length: 1001 }, () => ({ sql: "SELECT 1" }));
    const { status, body } = await call(`/${uuid}/query`, { batch });
    expect([status, body.errors[0].message]).toEqual([400, expect.stringContaining("at most 1,000")]);
  });

  test.each(["a\u200bb", "\u2060", " a", "a ", "\u00a0a", "a\u2800", "x".repeat(65), "😀".repeat(40)])(
    "the name %j, what a name may be",
    async (name) => {
      const { status, body } = await call("", { name });
      expect([status, body.errors[0].message]).toEqual([400, expect.stringContaining("1 to 64 characters")]);
    },
  );

  test("10 MB of semicolons, 50,000 statements and deep parameters are answered soon", async () => {
    for (const body of [
      { sql: ";".repeat(10_000_000) },
      { sql: "SELECT 1;".repeat(50_001) },
      { sql: "SELECT ?", params: JSON.parse(`${"[".repeat(5000)}1${"]".repeat(5000)}`) },
    ]) {
      const start = performance.now();
      const answer = await SELF.fetch(`${DATABASES}/${uuid}/query`, {
        method: "POST",
        headers: { authorization: "Bearer look", "content-type": "application/json" },
        body: JSON.stringify(body),
      });
      await answer.text();
      expect(answer.status).toBeGreaterThanOrEqual(400);
      expect(performance.now() - start).toBeLessThan(SOON);
    }
  }, 60_000);
});
