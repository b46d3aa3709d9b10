// Backups and restores that somebody ends while they are under way.
import { env } from "cloudflare:test";
import { expect, test } from "vitest";
import { call, create, rows } from "./worker-api.ts";

const object = (uuid: string) => env.DATABASES.get(env.DATABASES.idFromName(uuid));

/** Some 40 MB, which take several slices. */
async function large(name: string): Promise<string> {
  const uuid = await create(name);
  await rows(uuid, "CREATE TABLE t (a)");
  const numbers = "WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40)";
  for (let i = 0; i < 10; i++) await rows(uuid, `${numbers} INSERT INTO t SELECT randomblob(100000) FROM n`);
  return uuid;
}

/** Ends what is under way once it has got on; gives its id. */
async function cancelSoon(uuid: string, kind: string): Promise<string> {
  const running = async () =>
    (await object(uuid).jobs()).find((job) => job.kind === kind && job.state === "running" && job.done > 0);
  await expect.poll(running, { timeout: 60_000, interval: 5 }).toBeDefined();
  const id = (await running())?.id ?? "it has ended";
  const { status, body } = await call(`/${uuid}/jobs/${id}`, undefined, { method: "DELETE" });
  expect([status, body.result]).toEqual([200, null]);
  return id;
}

const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => "it went on",
    ({ code }: { code?: string }) => code,
  );

test("A8 a backup that is canceled leaves nothing in the bucket, and the next one is made", async () => {
  const uuid = await large("canceled backup");
  const keys = async () => (await env.BACKUPS.list()).objects.map(({ key }) => key);
  const before = await keys();
  const [code, id] = await Promise.all([codeOf(object(uuid).backup()), cancelSoon(uuid, "backup")]);
  expect(code).toBe("CANCELED");
  expect(await object(uuid).jobs()).toMatchObject([{ id, state: "canceled", error: { code: "CANCELED" } }]);
  expect(await object(uuid).backups()).toEqual([]);
  expect(await keys()).toEqual(before);
  const made = await object(uuid).backup();
  expect((await object(uuid).verify(made.id)).problems).toEqual([]);
  await object(uuid).cancelJob(id);
  expect((await object(uuid).jobs()).map(({ state }) => state)).toEqual(["done", "canceled"]);
}, 180_000);

test("A11 a restore that is canceled leaves the database as it was, and lets requests in again", async () => {
  const uuid = await large("canceled restore");
  const { id } = await object(uuid).backup();
  await rows(uuid, "DELETE FROM t WHERE rowid % 2 = 0; CREATE TABLE later (b)");
  const bookmark = await object(uuid).bookmark();
  const restoring = codeOf(object(uuid).restore({ at: id, safety: false }));
  const [code] = await Promise.all([restoring, cancelSoon(uuid, "restore")]);
  expect(code).toBe("CANCELED");
  expect(await object(uuid).bookmark()).toBe(bookmark);
  expect(await rows(uuid, "SELECT count(*) AS n FROM t")).toEqual([{ n: 200 }]);
  await object(uuid).restore({ at: id, safety: false });
  expect(await rows(uuid, "SELECT count(*) AS n FROM t")).toEqual([{ n: 400 }]);
}, 180_000);

test("a job that nobody knows is a 404, and who may only read cancels nothing", async () => {
  const uuid = await create("nothing to cancel");
  const path = `/${uuid}/jobs/${crypto.randomUUID()}`;
  const unknown = await call(path, undefined, { method: "DELETE" });
  expect([unknown.status, unknown.body.errors[0].message]).toEqual([
    404,
    expect.stringContaining("JOB_UNKNOWN"),
  ]);
  expect((await call(path, undefined, { method: "DELETE", token: "look" })).status).toBe(403);
});
