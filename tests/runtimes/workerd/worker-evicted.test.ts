// The object is evicted at every call of R2 that a backup and a restore make.
import { env, runDurableObjectAlarm } from "cloudflare:test";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { call, create, nextHour, post, rows } from "./worker-api.ts";
import { during, evictedAt, isRestoring } from "./worker-injection.ts";

const object = (uuid: string) => env.DATABASES.get(env.DATABASES.idFromName(uuid));
const FOREVER = 24 * 3_600_000;

beforeAll(() => {
  vi.useFakeTimers({ toFake: ["Date"] });
});
afterAll(() => {
  vi.useRealTimers();
});

/** A minute later the alarm rings, and again until there is nothing left to do. */
async function goOn(uuid: string, ms = 60_000): Promise<void> {
  for (let round = 0; round < 10; round++) {
    vi.setSystemTime(Date.now() + ms);
    await runDurableObjectAlarm(object(uuid));
    const jobs = await object(uuid).jobs();
    if (jobs.every(({ state }) => state === "done" || state === "failed")) return;
  }
  expect(await object(uuid).jobs(), "jobs that never end").toEqual([]);
}

/** The keys of a database's folder that no backup of the list is made of, and what was put together. */
async function orphans(name: string, uuid: string): Promise<string[]> {
  const folder = `${name}-${uuid.slice(0, 8)}/`;
  const { objects } = await env.BACKUPS.list();
  const keys = objects.map(({ key }) => key).filter((key) => key.startsWith(folder) || key.startsWith("."));
  const known = (await object(uuid).backups()).map(({ txid }) => txid);
  return keys.filter((key) => !known.some((txid) => key.includes(txid)));
}

async function isSound(uuid: string): Promise<void> {
  const listed = await object(uuid).backups();
  expect(listed.map(({ state }) => state)).toEqual(listed.map(() => "done"));
  const { problems } = await object(uuid).verify();
  expect(problems).toEqual([]);
}

let count = 0;
async function made(size = 1000): Promise<{ uuid: string; name: string }> {
  const name = `evicted ${++count}`;
  const uuid = await create(name);
  await rows(uuid, `CREATE TABLE t (a, b); INSERT INTO t VALUES (1, randomblob(${size}))`);
  return { uuid, name };
}

const WHEN = ["before", "after"] as const;

describe.each(WHEN)("evicted %s R2 did it", (when) => {
  test("a backup goes on, nothing half-done is listed, and nothing is left over", async () => {
    for (let number = 1; ; number++) {
      const { uuid, name } = await made();
      await post(`/${uuid}/backup`);
      await rows(uuid, "INSERT INTO t VALUES (2, 2)");
      const calls = await during(evictedAt(number, when), () =>
        object(uuid)
          .backup()
          .catch(() => {}),
      );
      await isSound(uuid);
      await goOn(uuid);
      // Evicted at the first call it had not begun, which its caller was told. An hour may have passed besides.
      const states = (await object(uuid).jobs()).map(({ state }) => state);
      expect(new Set(states), `call ${number}`).toEqual(new Set(["done"]));
      if (number > 1) expect(states.length).toBeGreaterThan(1);
      expect(await rows(uuid, "SELECT a FROM t")).toEqual([{ a: 1 }, { a: 2 }]);
      // One more, of something new, sweeps what is left.
      await rows(uuid, "INSERT INTO t VALUES (3, 3)");
      expect((await post(`/${uuid}/backup`)).status).toBe(200);
      await isSound(uuid);
      expect(await orphans(name, uuid), `call ${number}`).toEqual([]);
      if (calls < number) break;
      expect(number).toBeLessThan(40);
    }
  }, 120_000);

  test("a restore goes on: the database is the old one or the restored one, and answers", async () => {
    for (let number = 1; ; number++) {
      const { uuid, name } = await made();
      const { id } = (await post(`/${uuid}/backup`)).body.result;
      await rows(uuid, "UPDATE t SET a = 2");
      let answer: { status: number } | undefined;
      const calls = await during(evictedAt(number, when), async () => {
        answer = await post(`/${uuid}/backup/${id}/restore`).catch(() => undefined);
      });
      await goOn(uuid);
      const jobs = await object(uuid).jobs();
      const states = jobs.filter(({ kind }) => kind === "restore").map(({ state }) => state);
      const [row] = await rows(uuid, "SELECT a FROM t");
      // It had begun when its job was there; what it replaces is backed up before.
      expect([row?.a, states], `call ${number}`).toEqual(states.length > 0 ? [1, ["done"]] : [2, []]);
      if (answer?.status === 200) expect(row?.a).toBe(1);
      await isSound(uuid);
      await rows(uuid, "INSERT INTO t VALUES (3, 3)");
      expect((await post(`/${uuid}/backup`)).status).toBe(200);
      expect(await orphans(name, uuid), `call ${number}`).toEqual([]);
      if (calls < number) break;
      expect(number).toBeLessThan(60);
    }
  }, 120_000);
});

test("of a large backup no parts are left a day later", async () => {
  const { uuid, name } = await made(11 << 20);
  const total = await during(
    () => undefined,
    () => post(`/${uuid}/backup`),
  );
  expect(total).toBeGreaterThan(8);
  for (let number = 5; number <= total; number += 3) {
    await rows(uuid, `UPDATE t SET a = a + 1, b = randomblob(${11 << 20})`);
    await during(evictedAt(number, "after"), () => post(`/${uuid}/backup`).catch(() => {}));
    await goOn(uuid);
  }
  vi.setSystemTime(Date.now() + FOREVER + 1000);
  await rows(uuid, `UPDATE t SET a = a + 1, b = randomblob(${11 << 20})`);
  expect((await post(`/${uuid}/backup`)).status).toBe(200);
  await isSound(uuid);
  expect(await orphans(name, uuid)).toEqual([]);
}, 120_000);

test("a restore that is evicted again and again is given up by name, and the database is open", async () => {
  const { uuid } = await made();
  const { id } = (await post(`/${uuid}/backup`)).body.result;
  await rows(uuid, "UPDATE t SET a = 2");
  const getting = (name: string, _: number, ctx: DurableObjectState) => {
    if (name === "get" && isRestoring(ctx)) ctx.abort("evicted");
    return undefined;
  };
  await during(getting, async () => {
    await post(`/${uuid}/backup/${id}/restore`).catch(() => {});
    for (let round = 0; round < 8; round++) {
      vi.setSystemTime(Date.now() + 60_000);
      await runDurableObjectAlarm(object(uuid)).catch(() => {});
    }
  });
  const [job] = (await object(uuid).jobs()).filter(({ kind }) => kind === "restore");
  expect(job).toMatchObject({ state: "failed", error: { code: "RESTORE_EVICTED" } });
  expect(await rows(uuid, "SELECT a FROM t")).toEqual([{ a: 2 }]);
  expect((await post(`/${uuid}/backup/${id}/restore`)).status).toBe(200);
  expect(await rows(uuid, "SELECT a FROM t")).toEqual([{ a: 1 }]);
}, 60_000);

test("tasks that are due at once are all done, though the object is evicted at the first", async () => {
  const { uuid } = await made();
  await post(`/${uuid}/backup`);
  await rows(uuid, "INSERT INTO t VALUES (2, 2)");
  await during(evictedAt(2, "before"), () => post(`/${uuid}/backup`).catch(() => {}));
  // The backup that goes on, and that of the hour.
  vi.setSystemTime(Date.now() + 2 * 3_600_000);
  await during(evictedAt(2, "before"), () => runDurableObjectAlarm(object(uuid)).catch(() => {}));
  await goOn(uuid);
  const before = (await call(`/${uuid}/backup`)).body.result.length;
  for (let hour = 1; hour <= 3; hour++) {
    await rows(uuid, "INSERT INTO t VALUES (3, 3)");
    vi.setSystemTime(nextHour());
    await runDurableObjectAlarm(object(uuid));
  }
  expect((await call(`/${uuid}/backup`)).body.result.length).toBe(before + 3);
}, 60_000);
