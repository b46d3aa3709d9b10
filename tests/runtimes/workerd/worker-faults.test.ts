// R2 fails: each request ends in success or in an error with a name, soon, and nothing is lost.
import { env, runDurableObjectAlarm, SELF } from "cloudflare:test";
import { Database as Engine } from "pagemark/engine";
import { describe, expect, test, vi } from "vitest";
import type { CallName, Fault } from "../../stores/r2-faults.ts";
import { internal, lost, tooMany } from "../../stores/r2-faults.ts";
import { call, create, DATABASES, nextHour, post, rows } from "./worker-api.ts";
import { during } from "./worker-injection.ts";

const object = (uuid: string) => env.DATABASES.get(env.DATABASES.idFromName(uuid));
/** In milliseconds: five attempts, and the pauses between them. */
const SOON = 25_000;

const FAULTS: Record<string, Fault> = {
  "500": { how: "before", error: internal() },
  "an answer that is lost": { how: "after", error: lost() },
  slowness: { how: "slow", time: 100 },
  "torn bodies": { how: "torn" },
  "short bodies": { how: "short" },
  "lists that lag": { how: "stale" },
};

let count = 0;
async function made() {
  const uuid = await create(`faults ${++count}`);
  await rows(uuid, "CREATE TABLE t (a, b); INSERT INTO t VALUES (1, randomblob(50000))");
  const first = (await post(`/${uuid}/backup`)).body.result.id as string;
  await rows(uuid, "UPDATE t SET a = 2");
  return { uuid, first };
}

const ACTIONS: Record<string, (uuid: string, first: string) => Promise<{ status: number; text: string }>> = {
  backup: (uuid) => answer(`/${uuid}/backup`, "POST"),
  list: (uuid) => answer(`/${uuid}/backup`, "GET"),
  download: (uuid, first) => answer(`/${uuid}/backup/${first}/download`, "GET"),
  dump: (uuid, first) => answer(`/${uuid}/backup/${first}/download?format=sql`, "GET"),
  restore: (uuid, first) => answer(`/${uuid}/backup/${first}/restore`, "POST"),
  delete: (uuid, first) => answer(`/${uuid}/backup/${first}`, "DELETE"),
};

async function answer(path: string, method: string): Promise<{ status: number; text: string }> {
  const response = await SELF.fetch(`${DATABASES}${path}`, {
    method,
    headers: { authorization: "Bearer all" },
  });
  const { status } = response;
  // A download that breaks off has begun with 200.
  return { status, text: await response.text().catch((error: unknown) => `broken: ${error}`) };
}

/** What must hold whatever happened: old backups are there and prove right, a failed one is a job and no backup. */
async function isAllThere(uuid: string, first: string, isDeleted: boolean): Promise<void> {
  const listed = (await call(`/${uuid}/backup`)).body.result as { id: string }[];
  if (!isDeleted) expect(listed.map(({ id }) => id)).toContain(first);
  const jobs = await object(uuid).jobs();
  expect(jobs.filter(({ state }) => state === "pending" || state === "running")).toEqual([]);
  for (const { error } of jobs.filter(({ state }) => state === "failed")) {
    expect(error?.code).toMatch(/^[A-Z0-9]+(_[A-Z0-9]+)*$/);
    expect(error?.code).not.toBe("INTERNAL");
  }
  const made = jobs.filter(({ kind, state }) => kind === "backup" && state === "done").length;
  expect(listed.length).toBe(isDeleted ? made - 1 : made);
  expect((await object(uuid).verify()).problems).toEqual([]);
  // The next one works, and the schedule goes on.
  await rows(uuid, "INSERT INTO t VALUES (3, 3)");
  const { status, body } = await post(`/${uuid}/backup`);
  expect(status, JSON.stringify(body)).toBe(200);
  const file = await SELF.fetch(`${DATABASES}/${uuid}/backup/${body.result.id}/download`, {
    headers: { authorization: "Bearer all" },
  });
  using db = await Engine.open();
  await db.load(new Uint8Array(await file.arrayBuffer()));
  expect(db.prepare("SELECT max(a) AS a FROM t").get()).toEqual({ a: 3 });
}

describe.each(Object.entries(FAULTS))("R2 with %s", (name, fault) => {
  test.each(Object.keys(ACTIONS))(
    "once, at each call: %s succeeds",
    async (action) => {
      const run = ACTIONS[action];
      // The newest one stays till there is another.
      const prepare = async (uuid: string) => action === "delete" && (await post(`/${uuid}/backup`));
      for (const call of ["head", "get", "put", "delete", "list"] as CallName[]) {
        const { uuid, first } = await made();
        await prepare(uuid);
        let isDone = false;
        let result = { status: 0, text: "" };
        const once = (each: CallName) => {
          if (isDone || each !== call) return undefined;
          isDone = true;
          return fault;
        };
        const start = performance.now();
        await during(once, async () => {
          result = (await run?.(uuid, first)) ?? result;
        });
        expect(performance.now() - start).toBeLessThan(SOON);
        if (!isDone) continue;
        const isFine = result.status === 200 && !result.text.startsWith("broken");
        // Of what a list does not show yet nobody can know; and then it says so.
        if (name !== "lists that lag")
          expect(isFine, `${call}: ${result.status} ${result.text.slice(0, 300)}`).toBe(true);
        else if (!isFine) expect(JSON.parse(result.text).errors[0].message, call).toMatch(/: [A-Z_]+$/);
        await isAllThere(uuid, first, action === "delete" && isFine);
      }
    },
    180_000,
  );
});

describe("R2 that is down", () => {
  const down: Record<string, Fault> = {
    "500": { how: "before", error: internal() },
    "429": { how: "before", error: tooMany() },
  };

  test.each(Object.entries(down))(
    "%s: every request is refused by name, in time, after few attempts",
    async (_, fault) => {
      const { uuid, first } = await made();
      const results: Record<string, number> = {};
      for (const [action, run] of Object.entries(ACTIONS)) {
        const start = performance.now();
        const calls = await during(
          () => fault,
          async () => {
            const { status, text } = await run(uuid, first);
            results[action] = status;
            expect(JSON.parse(text), action).toMatchObject({
              success: false,
              errors: [{ message: expect.stringMatching(/: STORE_UNAVAILABLE$/) }],
            });
          },
        );
        expect(performance.now() - start, action).toBeLessThan(SOON);
        expect(calls, action).toBeLessThanOrEqual(20);
        // Queries go on without it.
        expect(await rows(uuid, "SELECT a FROM t")).toEqual([{ a: 2 }]);
      }
      expect(results).toEqual(Object.fromEntries(Object.keys(ACTIONS).map((action) => [action, 503])));
      const jobs = await object(uuid).jobs();
      expect(jobs.filter(({ state }) => state === "failed").map(({ error }) => error?.code)).toEqual(
        jobs.filter(({ state }) => state === "failed").map(() => "STORE_UNAVAILABLE"),
      );
      await isAllThere(uuid, first, false);
    },
    180_000,
  );

  test("the backup of an hour fails as a job; the next hour's is made, and says that one is missing", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    try {
      const { uuid } = await made();
      const hour = async () => {
        await rows(uuid, "INSERT INTO t VALUES (4, 4)");
        vi.setSystemTime(nextHour());
        await runDurableObjectAlarm(object(uuid));
        return (await call(`/${uuid}/backup`)).body.result.length;
      };
      expect(await hour()).toBe(2);
      await during(
        () => down["500"],
        async () => void (await hour().catch(() => {})),
      );
      expect((await object(uuid).jobs())[0]).toMatchObject({
        state: "failed",
        error: { code: "STORE_UNAVAILABLE" },
      });
      const missed = async () =>
        (await call(`/${uuid}/backup`)).body.result.map((each: { missed: number }) => each.missed);
      expect(await hour()).toBe(3);
      expect(await missed()).toEqual([1, 0, 0]);
      expect(await hour()).toBe(4);
      expect(await missed()).toEqual([0, 1, 0, 0]);
    } finally {
      vi.useRealTimers();
    }
  }, 120_000);

  test("a database that is deleted then is gone, and comes back for nothing", async () => {
    const { uuid, first } = await made();
    await post(`/${uuid}/backup`);
    await call(`/${uuid}/backup/${first}`, undefined, { method: "DELETE" });
    let status = 0;
    await during(
      () => down["500"],
      async () => {
        ({ status } = await call(`/${uuid}`, undefined, { method: "DELETE" }));
      },
    );
    expect(status).toBe(200);
    expect((await call(`/${uuid}`)).status).toBe(404);
    await runDurableObjectAlarm(object(uuid));
    const code = await object(uuid)
      .info()
      .then(
        () => "there",
        (error: unknown) => (error as { code?: string }).code,
      );
    expect(code).toBe("DATABASE_UNKNOWN");
  }, 60_000);
});
