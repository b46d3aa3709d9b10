// Import jobs as clients see them, over HTTP, with the Worker's own objects.
import { evictDurableObject, SELF } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, test } from "vitest";
import { call, create, rows } from "./worker-api.ts";

const object = (uuid: string) => env.DATABASES.get(env.DATABASES.idFromName(uuid));
const uploads = async () => (await env.BACKUPS.list({ prefix: "imports/" })).objects.map(({ key }) => key);
const bytesOf = (sql: string) => new TextEncoder().encode(sql);

async function md5(bytes: Uint8Array): Promise<string> {
  const digest = await crypto.subtle.digest("MD5", bytes);
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

const step = async (uuid: string, body: object) => {
  const { status, body: answer } = await call(`/${uuid}/import`, body);
  return { status, ...answer, ...answer.result };
};

/** Uploads as wrangler does; gives what `ingest` takes. */
async function upload(uuid: string, sql: string) {
  const bytes = bytesOf(sql);
  const etag = await md5(bytes);
  const { upload_url, filename } = await step(uuid, { action: "init", etag });
  const put = await SELF.fetch(upload_url, { method: "PUT", body: bytes });
  expect([put.status, put.headers.get("etag")]).toEqual([200, `"${etag}"`]);
  return { filename, etag };
}

/** Polls as wrangler does, until it has ended. */
async function finish(uuid: string, told: Awaited<ReturnType<typeof step>>) {
  const messages: string[] = [...told.messages];
  let last = told;
  while (last.status === "active") {
    last = await step(uuid, { action: "poll", current_bookmark: told.at_bookmark });
    expect(last.at_bookmark).toBe(told.at_bookmark);
    messages.push(...last.messages);
  }
  return { ...last, messages };
}

async function importSql(uuid: string, sql: string) {
  return finish(uuid, await step(uuid, { action: "ingest", ...(await upload(uuid, sql)) }));
}

/** Some megabytes that take a while. */
function long(table: string): string {
  const lines = [`CREATE TABLE ${table} (id INTEGER PRIMARY KEY, a TEXT);`];
  for (let id = 1; id <= 20_000; id++)
    lines.push(`INSERT INTO ${table} VALUES (${id}, '${"x".repeat(200)}');`);
  return lines.join("\n");
}

let shop: string;
beforeAll(async () => {
  shop = await create("imports");
});

describe("an import", () => {
  test("goes from init over the upload to its end, in the shapes that clients read", async () => {
    const sql = "CREATE TABLE t (a);\nINSERT INTO t VALUES (1), (2);\nINSERT INTO t VALUES (3);\n";
    const etag = await md5(bytesOf(sql));
    const init = await call(`/${shop}/import`, { action: "init", etag });
    expect(init.body.result).toEqual({
      upload_url: expect.stringMatching(/^https:\/\/pagemark\/files\/imports\//),
      uploadUrl: init.body.result.upload_url,
      filename: `${shop}.${etag}.sql`,
    });
    const put = await SELF.fetch(init.body.result.upload_url, { method: "PUT", body: bytesOf(sql) });
    expect([put.status, put.headers.get("etag")]).toEqual([200, `"${etag}"`]);
    const { filename } = init.body.result;
    const ingest = await call(`/${shop}/import`, { action: "ingest", filename, etag });
    expect(ingest.status).toBe(202);
    const { at_bookmark } = ingest.body.result;
    expect(ingest.body.result).toEqual({
      success: true,
      type: "import",
      at_bookmark,
      status: "active",
      messages: expect.any(Array),
      errors: [],
    });
    const poll = await call(`/${shop}/import`, { action: "poll", current_bookmark: at_bookmark });
    const { result } = poll.body;
    expect(result).toEqual({
      success: true,
      type: "import",
      at_bookmark,
      status: "complete",
      messages: ["Starting import...", "Processed 3 queries."],
      errors: [],
      result: {
        final_bookmark: expect.not.stringMatching(at_bookmark),
        num_queries: 3,
        meta: {
          served_by: "pagemark",
          duration: expect.any(Number),
          changes: 3,
          last_row_id: 3,
          changed_db: true,
          size_after: 8192,
          rows_read: 0,
          rows_written: 3,
        },
      },
    });
    expect(await rows(shop, "SELECT sum(a) AS n FROM t")).toEqual([{ n: 6 }]);
    await expect.poll(uploads).toEqual([]);

    // The same again at once is done already; once something was written it is another import.
    const again = await step(shop, { action: "init", etag });
    expect(again).toMatchObject({ status: "complete", result: { num_queries: 3 } });
    await rows(shop, "DROP TABLE t");
    expect((await step(shop, { action: "init", etag })).upload_url).toBeDefined();
    expect((await importSql(shop, sql)).status).toBe("complete");
    expect(await rows(shop, "SELECT count(*) AS n FROM t")).toEqual([{ n: 3 }]);
  });

  test("that fails leaves the original state, and says why in both ways", async () => {
    const before = await rows(shop, "SELECT count(*) AS n FROM t");
    const failed = await importSql(shop, "INSERT INTO t VALUES (9);\nFOO;\n");
    expect(failed).toMatchObject({ status: "error", errors: [failed.error] });
    expect(failed.error).toContain('near "FOO": syntax error');
    expect(failed.at_bookmark).toMatch(/^[0-9a-f-]{59}$/);
    expect(await rows(shop, "SELECT count(*) AS n FROM t")).toEqual(before);
    // The file stays for another try, which needs no upload.
    await expect.poll(uploads).toHaveLength(1);
    const etag = await md5(bytesOf("INSERT INTO t VALUES (9);\nFOO;\n"));
    const retried = await finish(shop, await step(shop, { action: "init", etag }));
    expect(retried).toMatchObject({ status: "error", error: failed.error });
  });

  test("with no end in one statement is stopped", async () => {
    const endless =
      "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n;";
    const { status, error } = await importSql(shop, endless);
    expect([status, error]).toEqual(["error", expect.stringContaining("interrupted")]);
  });

  test("is alone: a second one is refused, exports go on, queries are told", async () => {
    const second = await create("second");
    await rows(second, "CREATE TABLE u (a)");
    const one = await upload(second, long("l"));
    const two = await upload(second, "CREATE TABLE v (a);");
    const told = await step(second, { action: "ingest", ...one });
    expect(told.status).toBe("active");
    const busy =
      "Currently processing a long-running import. Cannot start another import until that completes or times out.";
    for (const refused of [
      { action: "init", etag: two.etag },
      { action: "ingest", ...two },
    ]) {
      expect((await call(`/${second}/import`, refused)).body).toMatchObject({
        success: true,
        result: { success: false, error: busy },
      });
    }
    const elsewhere = await call(`/${second}/import`, { action: "poll", current_bookmark: "BM" });
    expect(elsewhere.body.result.error).toBe("Not currently import at bookmark BM.");
    const query = await call(`/${second}/query`, { sql: "SELECT 1" });
    expect([query.status, query.body.errors[0].message]).toEqual([429, expect.stringContaining("an import")]);
    const exported = await call(`/${second}/export`, { output_format: "polling" });
    expect(exported.body.result).toMatchObject({ status: "active", at_bookmark: told.at_bookmark });
    expect(await finish(second, told)).toMatchObject({ status: "complete", result: { num_queries: 20_001 } });
    expect((await step(second, { action: "ingest", ...two })).status).toBe("active");
  }, 60_000);

  test("of an object that is evicted on the way happens once, or not at all", async () => {
    for (const wait of [0, 5, 20, 60, 150, 300, 600]) {
      const uuid = await create(`evicted import ${wait}`);
      const told = await step(uuid, { action: "ingest", ...(await upload(uuid, long("l"))) });
      await new Promise((resolve) => setTimeout(resolve, wait));
      await evictDurableObject(object(uuid));
      const ended = await finish(uuid, told);
      expect(ended, `after ${wait} ms`).toMatchObject({
        status: "complete",
        result: { num_queries: 20_001 },
      });
      expect(await rows(uuid, "SELECT count(*) AS n FROM l")).toEqual([{ n: 20_000 }]);
    }
  }, 120_000);
});

describe("an import is refused", () => {
  test("without an upload, with another file, or with what is no MD5", async () => {
    const nothing = await step(shop, { action: "ingest", filename: `${shop}.${"0".repeat(32)}.sql` });
    expect([nothing.status, nothing.errors[0].message]).toEqual([
      400,
      expect.stringContaining("IMPORT_UPLOAD"),
    ]);
    const { filename } = await upload(shop, "SELECT 1;");
    for (const body of [
      { action: "ingest", filename, etag: "0".repeat(32) },
      { action: "ingest", filename: "../../backups/x.sql" },
      { action: "ingest", filename: `${crypto.randomUUID()}${filename.slice(36)}` },
      { action: "init", etag: "no MD5" },
      { action: "start" },
      {},
    ]) {
      expect((await call(`/${shop}/import`, body)).status, JSON.stringify(body)).toBe(400);
    }
    const gone = await call(`/${shop}/import`, { action: "poll", current_bookmark: "BM" });
    expect(gone.body.result).toEqual({ success: false, error: "Not currently importing anything." });
  });

  test("to who may only read", async () => {
    expect((await call(`/${shop}/import`, { action: "init" }, { token: "look" })).status).toBe(403);
  });

  test("when what is uploaded is not what was announced", async () => {
    const { upload_url } = await step(shop, { action: "init", etag: "0".repeat(32) });
    expect((await SELF.fetch(upload_url, { method: "PUT", body: "other" })).status).toBe(400);
    expect((await SELF.fetch(upload_url, { method: "PUT", body: "" })).status).toBe(400);
    expect((await SELF.fetch(upload_url)).status).toBe(404);
    expect((await SELF.fetch(upload_url.replace("imports", "exports"))).status).toBe(403);
  });
});
