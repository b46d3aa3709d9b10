// What is larger than one alarm's share of work: the next alarms go on with it, none waits for another.
import { env, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { expect, test, vi } from "vitest";
import { call, create, nextHour, rows } from "./worker-api.ts";
import { during, evictedAt, holding, isRestoring } from "./worker-injection.ts";

const object = (uuid: string) => env.DATABASES.get(env.DATABASES.idFromName(uuid));

/** A database of some 40 MB, which is more than a slice of a backup or a turn of a restore. */
async function large(name: string): Promise<string> {
  const uuid = await create(name);
  await rows(uuid, "CREATE TABLE t (a)");
  for (let i = 0; i < 10; i++) {
    await rows(
      uuid,
      "WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40) INSERT INTO t SELECT randomblob(100000) FROM n",
    );
  }
  return uuid;
}

/** Whether every job has ended well. */
async function allDone(uuid: string): Promise<boolean> {
  const jobs = await object(uuid).jobs();
  return jobs.length > 0 && jobs.every(({ state }) => state === "done");
}

test("A1 an automatic backup of a large database takes several alarms, and is made", async () => {
  const uuid = await large("large and hourly");
  let rings = 0;
  vi.useFakeTimers({ toFake: ["Date"] });
  try {
    for (; !(await allDone(uuid)) && rings < 20; rings++) {
      vi.setSystemTime(rings === 0 ? nextHour() : Date.now() + 1_000);
      await runDurableObjectAlarm(object(uuid));
    }
  } finally {
    vi.useRealTimers();
  }
  expect(rings).toBeGreaterThan(1);
  const [backup] = await object(uuid).backups();
  expect(backup).toMatchObject({ state: "done", origin: "automatic" });
  expect((await object(uuid).verify(backup?.id)).problems).toEqual([]);
}, 180_000);

test("A11 a large restore that was evicted is ended by the alarms after it", async () => {
  const uuid = await large("large and evicted");
  const { id } = await object(uuid).backup();
  await rows(uuid, "DELETE FROM t WHERE rowid % 2 = 0");
  let calls = 0;
  const evicted = evictedAt(2, "after");
  await during(
    (call, _, ctx) => (isRestoring(ctx) ? evicted(call, ++calls, ctx) : undefined),
    () =>
      object(uuid)
        .restore({ at: id, safety: false })
        .catch(() => {}),
  );
  expect(calls).toBeGreaterThan(1);
  await expect.poll(() => allDone(uuid), { timeout: 120_000 }).toBe(true);
  expect(await rows(uuid, "SELECT count(*) AS n FROM t")).toEqual([{ n: 400 }]);
}, 180_000);

test("A11 an alarm for an export does not wait for the restore that waits for the next alarm", async () => {
  const uuid = await create("restored and exported");
  await rows(uuid, "CREATE TABLE t (a)");
  const { id } = await object(uuid).backup();
  const body = { output_format: "polling" };
  let { result } = (await call(`/${uuid}/export`, body)).body;
  while (result.status === "active") {
    result = (await call(`/${uuid}/export`, { ...body, current_bookmark: result.at_bookmark })).body.result;
  }
  let isHeld = true;
  await holding(
    () => isHeld,
    async () => {
      const restored = object(uuid).restore({ at: id, safety: false });
      const storage = <T>(work: (ctx: DurableObjectState) => T) =>
        runInDurableObject(object(uuid), (_, ctx) => work(ctx));
      await expect.poll(() => storage(isRestoring)).toBe(true);
      // As if the hour was over after which what the export left is deleted.
      await storage((ctx) =>
        ctx.storage.sql.exec("UPDATE pagemark_agenda SET due_ms = 0 WHERE task = 'polled'"),
      );
      const start = performance.now();
      await runDurableObjectAlarm(object(uuid));
      expect(performance.now() - start).toBeLessThan(10_000);
      isHeld = false;
      await restored;
    },
  );
}, 180_000);
