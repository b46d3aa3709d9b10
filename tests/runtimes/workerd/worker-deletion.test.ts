// Databases that are deleted while something is under way: all who wait hear of it at once, and nothing is left of it.
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject, SELF } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, test, vi } from "vitest";
import { type Answer, call, create, post, rows } from "./worker-api.ts";
import { during, holding, isRestoring } from "./worker-injection.ts";

/** In milliseconds: nobody waits for what the database was doing. */
const AT_ONCE = 3000;
const HOUR = 3_600_000;

const object = (uuid: string) => env.DATABASES.get(env.DATABASES.idFromName(uuid));
const remove = (uuid: string) => call(`/${uuid}`, undefined, { method: "DELETE" });
const keys = async () => (await env.BACKUPS.list()).objects.map(({ key }) => key);
/** Of a database that has no backups: all there may be. */
const keysOf = async (uuid: string, name: string) =>
  (await keys()).filter((key) => key.includes(uuid) || key.startsWith(`${name}-`) || key.startsWith("."));

async function large(name: string): Promise<string> {
  const uuid = await create(name);
  await rows(uuid, "CREATE TABLE t (a)");
  const numbers = "WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40)";
  for (let i = 0; i < 10; i++) await rows(uuid, `${numbers} INSERT INTO t SELECT randomblob(100000) FROM n`);
  return uuid;
}

const told = (answer: Promise<Answer>) =>
  answer.then(({ status, body }) => [status, body.errors?.[0]?.message?.match(/: ([A-Z_]+)$/)?.[1]]);
const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => "it went on",
    ({ code }: { code?: string }) => code,
  );
const GONE = [404, "DATABASE_UNKNOWN"];

async function under(uuid: string, kind: string) {
  const running = async () =>
    (await object(uuid).jobs()).some((job) => job.kind === kind && job.state === "running" && job.done > 0);
  await expect.poll(running, { timeout: 60_000, interval: 5 }).toBe(true);
}

/** Deletes, and looks that who waits hears of it at once. */
async function deleted(uuid: string, waiting: Promise<unknown>[], heard: unknown[]) {
  const start = performance.now();
  const all = Promise.all(waiting).then((said) => ({ said, ms: performance.now() - start }));
  const [answer, { said, ms }] = await Promise.all([remove(uuid), all]);
  expect([answer.status, answer.body.result]).toEqual([200, null]);
  expect(said).toEqual(heard);
  expect(ms).toBeLessThan(AT_ONCE);
  expect((await call(`/${uuid}`)).status).toBe(404);
}

/** R2's names for the uploads that are under way. */
function watchUploads() {
  const begun: { key: string; uploadId: string }[] = [];
  const real = env.BACKUPS;
  const watched = new Proxy(real, {
    get(target, name) {
      const value = Reflect.get(target, name, target);
      if (name === "createMultipartUpload") {
        return async (...args: Parameters<R2Bucket["createMultipartUpload"]>) => {
          const upload = await real.createMultipartUpload(...args);
          begun.push({ key: upload.key, uploadId: upload.uploadId });
          return upload;
        };
      }
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  Object.assign(env, { BACKUPS: watched });
  return { begun, end: () => Object.assign(env, { BACKUPS: real }) };
}

const bucket = env.BACKUPS;
afterEach(() => {
  Object.assign(env, { BACKUPS: bucket });
  vi.useRealTimers();
});

/** None of them takes a part any more. */
async function expectAborted(uploads: { key: string; uploadId: string }[]) {
  expect(uploads.length).toBeGreaterThan(0);
  for (const { key, uploadId } of uploads) {
    const upload = bucket.resumeMultipartUpload(key, uploadId);
    await expect(upload.uploadPart(1, new Uint8Array(10)), key).rejects.toThrow(/10024/);
  }
}

describe("a database is deleted", () => {
  test("during its backup: who waits gets 404, and no part of it stays", async () => {
    const uploads = watchUploads();
    const uuid = await large("gone backup");
    const waiting = [told(post(`/${uuid}/backup`)), codeOf(object(uuid).backup())];
    await under(uuid, "backup");
    await deleted(uuid, waiting, [GONE, "DATABASE_UNKNOWN"]);
    expect(await keysOf(uuid, "gone backup")).toEqual([]);
    await expectAborted(uploads.begun);
  }, 120_000);

  test("when its object was evicted in mid-backup: no part of it stays", async () => {
    const uploads = watchUploads();
    const uuid = await large("gone later");
    object(uuid)
      .backup()
      .catch(() => {});
    await under(uuid, "backup");
    await runInDurableObject(object(uuid), async (_, ctx) => ctx.abort("evicted")).catch(() => {});
    await deleted(uuid, [], []);
    expect(await keysOf(uuid, "gone later")).toEqual([]);
    await expectAborted(uploads.begun);
  }, 120_000);

  test("during a restore: those that wait for it get 404, too, and its backup stays", async () => {
    const uuid = await large("gone restore");
    const { id } = (await post(`/${uuid}/backup`)).body.result;
    await rows(uuid, "DELETE FROM t");
    let isHeld = true;
    await holding(
      () => isHeld,
      async () => {
        const restoring = told(post(`/${uuid}/backup/${id}/restore`));
        const bound = codeOf(object(uuid).restore({ at: id }));
        const isLoading = () => runInDurableObject(object(uuid), async (_, ctx) => isRestoring(ctx));
        await expect.poll(isLoading, { timeout: 30_000 }).toBe(true);
        const query = told(call(`/${uuid}/query`, { sql: "SELECT 1" }));
        await deleted(uuid, [restoring, bound, query], [GONE, "DATABASE_UNKNOWN", GONE]);
        isHeld = false;
      },
    );
    const listed = (await call(`/${uuid}/backup`)).body.result;
    expect(listed.map((backup: { id: string }) => backup.id)).toContain(id);
  }, 120_000);

  test("during an export: the poll gets 404, and no part of it stays", async () => {
    const uploads = watchUploads();
    const uuid = await large("gone export");
    const started = (await call(`/${uuid}/export`, { output_format: "polling" })).body.result;
    await expect.poll(() => uploads.begun.length, { timeout: 30_000, interval: 5 }).toBeGreaterThan(0);
    const poll = call(`/${uuid}/export`, {
      output_format: "polling",
      current_bookmark: started.at_bookmark,
    });
    await deleted(uuid, [told(poll)], [GONE]);
    expect(await keysOf(uuid, "gone export")).toEqual([]);
    await expectAborted(uploads.begun);
  }, 120_000);

  test("during an import: the poll gets 404, and the upload is gone", async () => {
    const uuid = await create("gone import");
    const sql = `CREATE TABLE t (a);\n${`INSERT INTO t VALUES ('${"x".repeat(200)}');\n`.repeat(20_000)}`;
    const { upload_url, filename } = (await call(`/${uuid}/import`, { action: "init" })).body.result;
    expect((await SELF.fetch(upload_url, { method: "PUT", body: sql })).status).toBe(200);
    const started = (await call(`/${uuid}/import`, { action: "ingest", filename })).body.result;
    expect(started.status).toBe("active");
    const poll = call(`/${uuid}/import`, { action: "poll", current_bookmark: started.at_bookmark });
    await deleted(uuid, [told(poll)], [GONE]);
    expect(await keysOf(uuid, "gone import")).toEqual([]);
  }, 60_000);

  test("while R2 takes its time: who waits hears of it at once, and the rest goes by an alarm", async () => {
    const uuid = await create("gone slowly");
    await rows(uuid, "CREATE TABLE t (a); INSERT INTO t VALUES (randomblob(100000))");
    let isSlow = true;
    const start = performance.now();
    await during(
      () => (isSlow ? { how: "slow", time: 8000 } : undefined),
      async () => {
        const backup = told(post(`/${uuid}/backup`)).then((said) => ({ said, at: performance.now() }));
        await expect.poll(async () => (await object(uuid).jobs()).length).toBe(1);
        const asked = performance.now();
        const removed = remove(uuid);
        const { said, at } = await backup;
        expect(said).toEqual(GONE);
        expect(at - asked).toBeLessThan(AT_ONCE);
        expect((await removed).status).toBe(200);
        isSlow = false;
      },
    );
    expect(performance.now() - start).toBeLessThan(25_000);
    await expect
      .poll(() => runInDurableObject(object(uuid), async (_, ctx) => ctx.storage.kv.get("ended")), {
        timeout: 60_000,
        interval: 500,
      })
      .toMatchObject({ isCleared: true });
    expect(await keysOf(uuid, "gone slowly")).toEqual([]);
  }, 120_000);

  test("and an alarm of it that comes late does nothing", async () => {
    const uuid = await create("gone alarm");
    await remove(uuid);
    await runDurableObjectAlarm(object(uuid));
    expect((await call(`/${uuid}`)).status).toBe(404);
    expect(await keysOf(uuid, "gone alarm")).toEqual([]);
  });
});

describe("what is uploaded for a database that is deleted", () => {
  const init = async (uuid: string) => (await call(`/${uuid}/import`, { action: "init" })).body.result;

  test("before, also many files: is deleted with it", async () => {
    const uuid = await create("uploads before");
    for (let i = 0; i < 120; i++) {
      const { upload_url } = await init(uuid);
      await SELF.fetch(upload_url, { method: "PUT", body: "SELECT 1;" });
    }
    expect((await keysOf(uuid, "uploads before")).length).toBe(120);
    await remove(uuid);
    expect(await keysOf(uuid, "uploads before")).toEqual([]);
  }, 60_000);

  test("meanwhile: is not kept", async () => {
    const uuid = await create("uploads during");
    const { upload_url } = await init(uuid);
    const { readable, writable } = new FixedLengthStream(2_000_000);
    const writer = writable.getWriter();
    const put = SELF.fetch(upload_url, {
      method: "PUT",
      body: readable,
      headers: { "content-length": "2000000" },
    });
    await writer.write(new Uint8Array(1_000_000).fill(32));
    await remove(uuid);
    await writer.write(new Uint8Array(1_000_000).fill(32));
    await writer.close();
    const answer = await put;
    expect([answer.status, await answer.text()]).toEqual([404, expect.stringContaining("deleted")]);
    expect(await keysOf(uuid, "uploads during")).toEqual([]);
  });

  test("after: is refused, and what got there all the same goes within some 70 minutes, with the object", async () => {
    const uuid = await create("uploads after");
    const { upload_url, filename } = await init(uuid);
    await remove(uuid);
    const answer = await SELF.fetch(upload_url, { method: "PUT", body: "SELECT 1;" });
    expect(answer.status).toBe(404);
    await env.BACKUPS.put(`imports/${filename}`, "SELECT 1;");
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 1.2 * HOUR });
    await runDurableObjectAlarm(object(uuid));
    expect(await keysOf(uuid, "uploads after")).toEqual([]);
    const left = await runInDurableObject(object(uuid), async (_, ctx) => ctx.storage.kv.get("ended"));
    expect(left).toBeUndefined();
  });

  test("another database does not take it", async () => {
    const [own, other] = [await create("takes no other's"), await create("the other")];
    const { upload_url, filename } = await init(other);
    await SELF.fetch(upload_url, { method: "PUT", body: "CREATE TABLE secret (a);" });
    const names = [
      filename,
      `${filename}/`,
      `x${filename.slice(1)}`,
      filename.toUpperCase(),
      `../${filename}`,
    ];
    for (const name of names) {
      const { status, body } = await call(`/${own}/import`, { action: "ingest", filename: name });
      expect([status, body.errors[0].message], name).toEqual([
        400,
        expect.stringMatching(/^nothing was uploaded as /),
      ]);
    }
    expect(await rows(own, "SELECT name FROM sqlite_schema")).toEqual([]);
  });
});

test("an object that is evicted while its database is deleted goes on with that", async () => {
  const uuid = await create("gone twice");
  await rows(uuid, "CREATE TABLE t (a)");
  await runInDurableObject(object(uuid), async (_, ctx) => {
    // As the first steps of a deletion leave it.
    const { name, createdAt } = ctx.storage.kv.get<{ name: string; createdAt: string }>("identity") ?? {};
    ctx.storage.kv.put("ended", { uuid, name, createdAt, endedMs: Date.now() });
    ctx.storage.kv.delete("identity");
  });
  await evictDurableObject(object(uuid));
  expect((await call(`/${uuid}`)).status).toBe(404);
  expect((await remove(uuid)).status).toBe(200);
  const tables = await runInDurableObject(object(uuid), async (_, ctx) => [
    ...ctx.storage.sql.exec("SELECT name FROM sqlite_master WHERE name LIKE 'pagemark%' ORDER BY 1").raw(),
  ]);
  expect(tables.flat()).toEqual(["pagemark_backups", "pagemark_removals"]);
});
