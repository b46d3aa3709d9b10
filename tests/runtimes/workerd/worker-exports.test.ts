// Export jobs as clients see them, over HTTP, with the Worker's own objects.
import { evictDurableObject, runInDurableObject, SELF } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { call, create } from "./worker-api.ts";

const OPTIONS = { no_schema: false, no_data: false, tables: [] };
const START = { output_format: "polling", dump_options: OPTIONS };

/** `env` is the objects' own, so a test can change what they are bound to. */
const bucket = env.BACKUPS;

const object = (uuid: string) => env.DATABASES.get(env.DATABASES.idFromName(uuid));
const query = (uuid: string, sql: string) => call(`/${uuid}/query`, { sql });
const exports = async (uuid: string, body: object) => {
  const { status, body: answer } = await call(`/${uuid}/export`, body);
  expect(answer.success, JSON.stringify(answer)).toBe(true);
  return { status, ...answer.result };
};

/** Polls as wrangler does, until it has ended. */
async function finish(uuid: string, start: object = START) {
  const messages: string[] = [];
  const statuses: number[] = [];
  let told = await exports(uuid, start);
  const bookmark = told.at_bookmark;
  for (;;) {
    statuses.push(told.status);
    messages.push(...told.messages);
    const { result } = (await call(`/${uuid}/export`, { ...start, current_bookmark: bookmark })).body;
    expect(result.at_bookmark).toBe(bookmark);
    told = { ...result, status: result.status };
    if (result.status !== "active") return { ...result, messages: [...messages, ...result.messages] };
  }
}

const textOf = async (url: string) => new TextDecoder().decode(await (await SELF.fetch(url)).arrayBuffer());
const outputs = async () => (await bucket.list({ prefix: "exports/" })).objects.map(({ key }) => key);
const holds = (uuid: string) =>
  runInDurableObject(object(uuid), (_, { storage }) => {
    const [{ pins } = { pins: "[]" }] = storage.sql
      .exec<{ pins: string }>("SELECT pins FROM pagemark_meta")
      .toArray();
    return JSON.parse(pins) as number[];
  });

/** A bucket that takes 30 s for a part of an object. */
function slow(bucket: R2Bucket): R2Bucket {
  const upload = (real: R2MultipartUpload) => ({
    uploadId: real.uploadId,
    abort: () => real.abort(),
    uploadPart: async (...part: Parameters<R2MultipartUpload["uploadPart"]>) => {
      await new Promise((resolve) => setTimeout(resolve, 30_000));
      return real.uploadPart(...part);
    },
  });
  return {
    head: (key: string) => bucket.head(key),
    put: (...put: Parameters<R2Bucket["put"]>) => bucket.put(...put),
    delete: (key: string) => bucket.delete(key),
    createMultipartUpload: async (key: string) => upload(await bucket.createMultipartUpload(key)),
    resumeMultipartUpload: (key: string, id: string) => upload(bucket.resumeMultipartUpload(key, id)),
  } as unknown as R2Bucket;
}

/** Enough for several parts of 5 MiB, in text that does not repeat. */
async function fill(uuid: string, megabytes: number): Promise<void> {
  await query(uuid, "CREATE TABLE big (id INTEGER PRIMARY KEY, a TEXT)");
  for (let n = 0; n < megabytes; n++) {
    await query(
      uuid,
      `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100)
        INSERT INTO big (a) SELECT hex(randomblob(5000)) FROM n`,
    );
  }
}

let shop: string;
beforeAll(async () => {
  shop = await create("exports");
  await query(
    shop,
    "CREATE TABLE t (a, b); CREATE TABLE u (c); INSERT INTO t VALUES (1, 'it''s'); INSERT INTO u VALUES (2)",
  );
});

describe("D1 an export", () => {
  test("begins at once, is polled, and ends with a link to the SQL", async () => {
    const started = await call(`/${shop}/export`, START);
    expect(started.status).toBe(202);
    const { at_bookmark } = started.body.result;
    expect(started.body).toMatchObject({ success: true, errors: [], messages: [] });
    expect(started.body.result).toEqual({
      success: true,
      type: "export",
      at_bookmark: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{32}$/),
      status: "active",
      messages: expect.any(Array),
    });
    const polled = await call(`/${shop}/export`, { ...START, current_bookmark: at_bookmark });
    expect(polled.status).toBe(200);
    const filename = `${shop}-${at_bookmark}.sql`;
    const link = { filename, signed_url: expect.stringContaining(`${shop}-${at_bookmark}`) };
    expect(polled.body.result).toMatchObject({ status: "complete", at_bookmark, result: link, ...link });
    expect(polled.body.result.error).toBeUndefined();
    const file = await SELF.fetch(polled.body.result.result.signed_url);
    expect(file.headers.get("content-disposition")).toBe(`attachment; filename="${filename}"`);
    const sql = new TextDecoder().decode(await file.arrayBuffer());
    expect(sql).toMatch(/^-- .*\nPRAGMA defer_foreign_keys=TRUE;\n/);
    expect(sql).toContain("'it''s'");

    // D4: the same answer again, also without options and without output_format.
    const again = await call(`/${shop}/export`, { current_bookmark: at_bookmark });
    expect(again.body.result).toMatchObject({ status: "complete", at_bookmark, messages: [] });
    expect(await textOf(again.body.result.signed_url)).toBe(sql);
  });

  test("D7 tells each message once", async () => {
    await query(shop, "INSERT INTO u VALUES (3)");
    const { messages, at_bookmark } = await finish(shop);
    expect(messages).toEqual([`Generating ${shop}-${at_bookmark}.sql`]);
  });

  test("D10 D11 takes tables, no_data, no_schema and compatibility; several at one bookmark", async () => {
    const sqlOf = async (dump_options: object) =>
      textOf((await finish(shop, { output_format: "polling", dump_options })).signed_url);
    const [data, schema, one, shell, neither] = await Promise.all([
      sqlOf({ no_schema: true }),
      sqlOf({ no_data: true }),
      sqlOf({ tables: ["t"] }),
      sqlOf({ compatibility: "sqlite3_cli_only" }),
      sqlOf({ no_data: true, no_schema: true }),
    ]);
    expect([data.includes("CREATE"), data.includes("INSERT")]).toEqual([false, true]);
    expect([schema.includes("CREATE"), schema.includes("INSERT")]).toEqual([true, false]);
    expect([one.includes('"t"') || one.includes(" t "), /\bu\b/.test(one)]).toEqual([true, false]);
    expect(shell).toMatch(/^PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;/);
    expect(neither).not.toMatch(/CREATE|INSERT/);
    const unknown = await finish(shop, {
      output_format: "polling",
      dump_options: { tables: ["t", 'no"ne'] },
    });
    expect(unknown).toMatchObject({ status: "error", error: expect.stringContaining('"no\\"ne"') });
    expect(unknown.result).toBeUndefined();
  });

  test("D3 D2 what is not right is refused", async () => {
    for (const body of [
      {},
      { output_format: "file" },
      { output_format: "polling", dump_options: { tables: "t" } },
      { output_format: "polling", dump_options: { compatibility: "mysql" } },
      { output_format: "polling", dump_options: { compatibility: "sqlite3_cli_only", no_data: true } },
    ]) {
      const { status, body: answer } = await call(`/${shop}/export`, body);
      expect([status, answer.success, answer.errors[0].code], JSON.stringify(body)).toEqual([
        400,
        false,
        7400,
      ]);
    }
    expect((await call(`/${crypto.randomUUID()}/export`, START)).status).toBe(404);
  });

  test("D4 an unknown bookmark is answered as D1 does", async () => {
    for (const current_bookmark of ["nonsense", `00000000-00000001-00005037-${"0".repeat(32)}`]) {
      const { status, body } = await call(`/${shop}/export`, { ...START, current_bookmark });
      expect([status, body.result]).toEqual([
        200,
        { success: false, error: "Not currently exporting anything." },
      ]);
    }
  });

  test("old clients are understood: camelCase, and the whole file in one request", async () => {
    const dumpOptions = { noSchema: true, noData: false, tables: [] };
    const old = await call(`/${shop}/export`, { outputFormat: "file", dumpOptions });
    expect(await textOf(old.body.result.signedUrl)).not.toContain("CREATE");
    const start = { outputFormat: "polling", dumpOptions };
    const { at_bookmark } = (await call(`/${shop}/export`, start)).body.result;
    const { result } = (await call(`/${shop}/export`, { ...start, currentBookmark: at_bookmark })).body;
    expect(await textOf(result.result.signedUrl)).not.toContain("CREATE");
  });
});

describe("D5 the lease", () => {
  afterEach(() => void Object.assign(env, { BACKUPS: bucket, PAGEMARK_HISTORY_HOURS: undefined }));

  test("a client that stops polling: the job is gone within 20 s and its pin released", async () => {
    const uuid = await create("abandoned");
    // No history but what is pinned, and a bucket that takes long.
    Object.assign(env, { BACKUPS: slow(bucket), PAGEMARK_HISTORY_HOURS: "0" });
    await evictDurableObject(object(uuid));
    await fill(uuid, 6);
    const { at_bookmark } = await exports(uuid, START);
    await query(uuid, "INSERT INTO big (a) VALUES ('later')");
    expect(await holds(uuid)).toHaveLength(1);
    // Its own alarm does it: nobody asks the object for anything meanwhile.
    await new Promise((resolve) => setTimeout(resolve, 14_000));
    expect(await holds(uuid)).toHaveLength(1);
    await new Promise((resolve) => setTimeout(resolve, 5_000));
    expect(await holds(uuid)).toEqual([]);
    const { status, error } = await exports(uuid, { ...START, current_bookmark: at_bookmark });
    expect([status, error]).toEqual(["error", "Cancelled due to no poll() received in 15000ms."]);
    expect((await outputs()).filter((key) => key.includes(uuid))).toEqual([]);
  }, 40_000);
});

describe("an export and others", () => {
  test("D12 queries go on; polls at 1 ms intervals do not starve them", async () => {
    const uuid = await create("busy");
    await fill(uuid, 20);
    const { at_bookmark } = await exports(uuid, START);
    let isDone = false;
    const polls: Promise<unknown>[] = [];
    const polling = (async () => {
      while (!isDone && polls.length < 500) {
        polls.push(call(`/${uuid}/export`, { ...START, current_bookmark: at_bookmark }));
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    })();
    const times: number[] = [];
    for (let n = 0; n < 20; n++) {
      const began = performance.now();
      expect((await query(uuid, "INSERT INTO big (a) VALUES ('meanwhile')")).status).toBe(200);
      times.push(performance.now() - began);
    }
    isDone = true;
    await polling;
    await Promise.all(polls);
    expect(Math.max(...times)).toBeLessThan(1000);
    const { signed_url } = await finish(uuid, { current_bookmark: at_bookmark });
    expect(await textOf(signed_url)).not.toContain("meanwhile");
  }, 60_000);

  test("an object that is evicted in the middle goes on with the same state, and sends no part twice", async () => {
    const uuid = await create("evicted");
    await fill(uuid, 30);
    const whole = await textOf(
      (await finish(uuid, { ...START, dump_options: { tables: ["big"] } })).signed_url,
    );
    const { at_bookmark } = await exports(uuid, START);
    const messages: string[] = [];
    let told: { status: string; messages: string[]; signed_url?: string } | undefined;
    for (let evictions = 0; told?.status !== "complete"; evictions++) {
      if (evictions < 6) {
        await new Promise((resolve) => setTimeout(resolve, 50 * evictions));
        await evictDurableObject(object(uuid));
      }
      await query(uuid, "INSERT INTO big (a) VALUES ('after')");
      told = (await call(`/${uuid}/export`, { ...START, current_bookmark: at_bookmark })).body.result;
      expect(told).toMatchObject({ success: true, at_bookmark });
      messages.push(...(told?.messages ?? []));
    }
    const uploaded = messages.filter((message) => message.startsWith("Uploaded part"));
    expect(new Set(uploaded).size).toBe(uploaded.length);
    expect(uploaded.length).toBeGreaterThan(2);
    const sql = await textOf(told.signed_url ?? "");
    expect(sql.length).toBe(whole.length);
    expect(sql === whole).toBe(true);
    expect(await holds(uuid)).toEqual([]);
  }, 60_000);

  test("a deleted database takes its exports with it", async () => {
    const uuid = await create("deleted");
    await finish(uuid);
    expect((await outputs()).some((key) => key.includes(uuid))).toBe(true);
    await call(`/${uuid}`, undefined, { method: "DELETE" });
    expect((await outputs()).some((key) => key.includes(uuid))).toBe(false);
  });
});
