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
  test("B25 D15 of an export of D1 puts right what can be, and tells what was lost", async () => {
    const uuid = await create("from-d1");
    const sql = `PRAGMA defer_foreign_keys=TRUE;
CREATE TABLE t (a, b);
INSERT INTO "t" VALUES(Infinity,9007199254740993);
CREATE TRIGGER r INSTEAD OF INSERT ON v BEGIN DELETE FROM t; END;
CREATE VIEW v AS SELECT a FROM t;`;
    const { status, messages } = await importSql(uuid, sql);
    expect([status, messages.at(-1)]).toEqual([
      "complete",
      expect.stringMatching(/^Warning: 1 row has integers/),
    ]);
    const there = await rows(
      uuid,
      "SELECT (SELECT a = 9e999 FROM t) AS large, group_concat(name) AS names FROM sqlite_schema",
    );
    expect(there).toEqual([{ large: 1, names: "t,v,r" }]);
  });

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

    // A client that asks again hears what came of it; one that begins again imports again.
    const retried = await step(shop, { action: "ingest", filename, etag });
    expect(retried).toMatchObject({ status: "complete", at_bookmark, result: { num_queries: 3 } });
    await rows(shop, "DROP TABLE t");
    expect((await importSql(shop, sql)).status).toBe("complete");
    expect(await rows(shop, "SELECT count(*) AS n FROM t")).toEqual([{ n: 3 }]);
  });

  test("of the same file twice in a row happens twice, and each only once", async () => {
    const uuid = await create("twice");
    await rows(uuid, "CREATE TABLE n (a)");
    const sql = "INSERT INTO n VALUES (1);";
    for (const times of [1, 2, 3]) {
      const file = await upload(uuid, sql);
      // A client that asks twice for where to upload to, and twice for the import.
      await upload(uuid, sql);
      const told = await Promise.all([1, 2].map(() => step(uuid, { action: "ingest", ...file })));
      expect(new Set(told.map(({ at_bookmark }) => at_bookmark)).size).toBe(1);
      for (const each of told) expect((await finish(uuid, each)).status).toBe("complete");
      expect((await step(uuid, { action: "ingest", ...file })).status).toBe("complete");
      expect(await rows(uuid, "SELECT count(*) AS n FROM n")).toEqual([{ n: times }]);
    }
  });

  test("leaves no setting of its connection behind, nor does one that fails", async () => {
    const uuid = await create("settings");
    const settings = [
      ...[
        "ignore_check_constraints=1",
        "recursive_triggers=1",
        "case_sensitive_like=1",
        "legacy_alter_table=1",
      ],
      ...["reverse_unordered_selects=1", "full_column_names=1", "short_column_names=0", "max_page_count=9"],
      ...["foreign_keys=0", "defer_foreign_keys=1", "writable_schema=1", "hard_heap_limit=100000"],
      ...["soft_heap_limit=100000", "cache_size=1", "temp_store_directory='/x'"],
    ].map((setting) => `PRAGMA ${setting};`);
    const tables =
      "CREATE TABLE c (a CHECK (a > 0), p REFERENCES q); CREATE TABLE q (id INTEGER PRIMARY KEY);";
    const look = async () => [
      await rows(uuid, "SELECT 'a' LIKE 'A' AS x, 1 AS y UNION ALL SELECT 0, 2"),
      (await call(`/${uuid}/query`, { sql: "INSERT INTO c VALUES (-1, NULL)" })).status,
      (await call(`/${uuid}/query`, { sql: "INSERT INTO c VALUES (1, 7)" })).status,
      await rows(uuid, "INSERT INTO big SELECT zeroblob(50000) RETURNING 1 AS ok"),
    ];
    await importSql(uuid, `${tables} CREATE TABLE big (a);`);
    const before = await look();
    expect(before.slice(1)).toEqual([400, 400, [{ ok: 1 }]]);
    expect((await importSql(uuid, `${settings.join("\n")} PRAGMA query_only=1;`)).error).toBeUndefined();
    expect(await look()).toEqual(before);
    expect((await importSql(uuid, `${settings.join("\n")} FOO; PRAGMA query_only=1;`)).status).toBe("error");
    expect(await look()).toEqual(before);
  });

  test("enforces foreign keys as D1 does, unless it is a dump, and names the row that breaks them", async () => {
    const setup = `CREATE TABLE p (id INTEGER PRIMARY KEY, v);
      CREATE TABLE c (p REFERENCES p ON DELETE CASCADE ON UPDATE CASCADE);
      INSERT INTO p VALUES (1, 'a'), (2, 'b'); INSERT INTO c VALUES (1), (2);`;
    for (const [sql, left] of [
      ["DELETE FROM p WHERE id = 1;", [2]],
      ["INSERT OR REPLACE INTO p VALUES (1, 'z');", [2]],
      ["UPDATE p SET id = 7 WHERE id = 1;", [7, 2]],
    ] as const) {
      const uuid = await create(`keys ${sql.length}`);
      await importSql(uuid, setup);
      expect((await importSql(uuid, sql)).status).toBe("complete");
      const found = await rows(uuid, "SELECT p FROM c ORDER BY rowid");
      expect(found.map(({ p }) => p)).toEqual(left);
    }
    const uuid = await create("keys");
    for (const dump of ["PRAGMA foreign_keys=OFF; BEGIN;", "PRAGMA defer_foreign_keys=TRUE;"]) {
      const end = dump.includes("BEGIN") ? "COMMIT;" : "";
      const children = `${dump} CREATE TABLE c (a REFERENCES p); INSERT INTO c VALUES (3);`;
      const parents = "CREATE TABLE p (id INTEGER PRIMARY KEY);";
      const broken = await importSql(uuid, `${children} ${parents} ${end}`);
      expect(broken.error).toContain("row 1 of c refers to no row of p");
      expect((await importSql(uuid, `${children} ${parents} INSERT INTO p VALUES (3); ${end}`)).status).toBe(
        "complete",
      );
      await rows(uuid, "DROP TABLE c; DROP TABLE p");
    }
  });

  test("of a full-text table as .dump writes it is imported, and no other writing of the schema", async () => {
    const uuid = await create("full text");
    const head = "PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\nPRAGMA writable_schema=ON;\n";
    const entry = (type: string, root: number, sql: string) =>
      `INSERT INTO sqlite_schema(type,name,tbl_name,rootpage,sql)VALUES('${type}','f','f',${root},'${sql}');\n`;
    const shadows = [
      "CREATE TABLE IF NOT EXISTS 'f_data'(id INTEGER PRIMARY KEY, block BLOB);",
      "INSERT INTO f_data VALUES(1,X'0101');",
      "INSERT INTO f_data VALUES(10,X'000000000101010001010101');",
      "INSERT INTO f_data VALUES(137438953473,X'0000000b0330686901020204');",
      "CREATE TABLE IF NOT EXISTS 'f_idx'(segid, term, pgno, PRIMARY KEY(segid, term)) WITHOUT ROWID;",
      "INSERT INTO f_idx VALUES(1,X'',2);",
      "CREATE TABLE IF NOT EXISTS 'f_content'(id INTEGER PRIMARY KEY, c0);",
      "INSERT INTO f_content VALUES(1,'hi');",
      "CREATE TABLE IF NOT EXISTS 'f_docsize'(id INTEGER PRIMARY KEY, sz BLOB);",
      "INSERT INTO f_docsize VALUES(1,X'01');",
      "CREATE TABLE IF NOT EXISTS 'f_config'(k PRIMARY KEY, v) WITHOUT ROWID;",
      "INSERT INTO f_config VALUES('version',4);",
    ].join("\n");
    const end = "\nPRAGMA writable_schema=OFF;\nCOMMIT;\n";
    for (const wrong of [
      entry("table", 2, "CREATE VIRTUAL TABLE f USING fts5(a)"),
      entry("table", 0, "CREATE TABLE f (a)"),
      entry("index", 0, "CREATE VIRTUAL TABLE f USING fts5(a)"),
      "UPDATE sqlite_schema SET rootpage = 1;",
      "DELETE FROM sqlite_schema;",
      "INSERT INTO sqlite_schema SELECT * FROM sqlite_schema;",
    ]) {
      const { error } = await importSql(uuid, `CREATE TABLE t (a);\n${wrong}`);
      expect(error, wrong).toContain("--dialect d1");
    }
    const right = entry("table", 0, "CREATE VIRTUAL TABLE f USING fts5(a)");
    const { status, error } = await importSql(uuid, head + right + shadows + end);
    expect([status, error]).toEqual(["complete", undefined]);
    expect(await rows(uuid, "SELECT a FROM f")).toEqual([{ a: "hi" }]);
    await rows(uuid, "INSERT INTO f VALUES ('there')");
    expect(await rows(uuid, "SELECT a FROM f WHERE f MATCH 'there'")).toEqual([{ a: "there" }]);
  });

  test("that fails leaves the original state, and says why in both ways", async () => {
    const before = await rows(shop, "SELECT count(*) AS n FROM t");
    const failed = await importSql(shop, "INSERT INTO t VALUES (9);\nFOO;\n");
    expect(failed).toMatchObject({ status: "error", errors: [failed.error] });
    expect(failed.error).toContain('near "FOO": syntax error');
    expect(failed.at_bookmark).toMatch(/^[0-9a-f-]{59}$/);
    expect(await rows(shop, "SELECT count(*) AS n FROM t")).toEqual(before);
    const again = await importSql(shop, "INSERT INTO t VALUES (9);\nFOO;\n");
    expect(again).toMatchObject({ status: "error", error: failed.error });
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
