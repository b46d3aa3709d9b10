import { SELF } from "cloudflare:test";
import { beforeAll, describe, expect, test } from "vitest";
import { call, create, DATABASES } from "./worker-api.ts";

test("GET /healthz says that it runs, to anyone", async () => {
  expect(await (await SELF.fetch("https://pagemark/healthz")).json()).toEqual({ ok: true });
});

describe("databases", () => {
  test("are created, found by id and by name, listed a page at a time, and deleted", async () => {
    const uuid = await create("shop");
    await create("blog");
    const { result } = (await call(`/${uuid}`)).body;
    expect(result).toMatchObject({ uuid, name: "shop", version: "production", num_tables: 0 });
    expect((await call("/shop?fields=uuid%2Cname")).body.result).toEqual({ uuid, name: "shop" });
    expect((await call("/shop?fields=uuid&fields=name")).body.result).toEqual({ uuid, name: "shop" });
    const names = async (query: string) =>
      (await call(query)).body.result.map(({ name }: { name: string }) => name);
    expect(await names("?per_page=1&page=2")).toEqual(["blog"]);
    expect(await names("?per_page=1&page=3")).toEqual([]);
    expect((await call("", { name: "shop" })).body.errors[0].code).toBe(7502);
    expect((await call(`/${uuid}`, undefined, { method: "DELETE" })).body).toMatchObject({
      result: null,
      success: true,
    });
    expect((await call(`/${uuid}`)).body.errors[0].code).toBe(7404);
    expect(await names("")).toEqual(["blog"]);
  });
});

describe("queries", () => {
  let uuid: string;
  beforeAll(async () => {
    uuid = await create("queries");
  });
  const query = (sql: string, params?: unknown[]) => call(`/${uuid}/query`, { sql, params });

  test("run in one transaction, and give a result for each statement", async () => {
    const { body } = await query(
      "CREATE TABLE t (a, b); INSERT INTO t VALUES (1, 'x'), (2, x'00ff'); SELECT * FROM t",
    );
    expect(body.result.map((each: { results: unknown }) => each.results)).toEqual([
      [],
      [],
      [
        { a: 1, b: "x" },
        { a: 2, b: [0, 255] },
      ],
    ]);
    expect(body.result[1].meta).toMatchObject({
      changes: 2,
      rows_written: 2,
      changed_db: true,
      size_after: 8192,
    });
    const failed = await query("INSERT INTO t VALUES (3, 3); nonsense");
    expect([failed.status, failed.body.errors[0].code]).toEqual([400, 7500]);
    expect((await query("SELECT count(*) AS n FROM t")).body.result[0].results).toEqual([{ n: 2 }]);
  });

  test("give 64-bit integers digit by digit", async () => {
    const answer = await SELF.fetch(`${DATABASES}/${uuid}/raw`, {
      method: "POST",
      body: JSON.stringify({ sql: "SELECT 9223372036854775807 AS a, ? AS b", params: ["é"] }),
      headers: { authorization: "Bearer all", "content-type": "application/json" },
    });
    expect(await answer.text()).toContain('"rows":[[9223372036854775807,"é"]]');
  });

  test("refuse transactions of their own, files, and settings of the connection", async () => {
    for (const sql of [
      "BEGIN",
      " /* */ COMMIT",
      "-- x\nSAVEPOINT s",
      "VACUUM",
      "ATTACH 'x' AS y",
      "PRAGMA query_only = 1",
      "SELECT 1; EXPLAIN PRAGMA main.query_only = 1",
    ]) {
      const { body, status } = await query(sql);
      expect([status, body.errors[0].message], sql).toEqual([
        400,
        expect.stringContaining("STATEMENT_REFUSED"),
      ]);
    }
    // It names nothing that those who come over HTTP do not have.
    for (const sql of ["VACUUM", "vacuum main", "/* */ VACUUM INTO 'x'"]) {
      expect((await query(sql)).body.errors).toEqual([
        {
          code: 7500,
          message: "VACUUM is not for requests: space that is freed is used again: STATEMENT_REFUSED",
        },
      ]);
    }
    for (const sql of ["PRAGMA table_info(t)", "PRAGMA foreign_keys = OFF", "PRAGMA main.user_version"]) {
      expect((await query(sql)).status, sql).toBe(200);
    }
  });

  test("are stopped when they have no end", async () => {
    const { body } = await query(
      "WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
    );
    expect(body.errors[0].message).toContain("interrupted");
  });
});

describe("D13 access", () => {
  const statusWith = async (headers: Record<string, string>) =>
    (await SELF.fetch(DATABASES, { headers })).status;

  test("needs a token, which may come as a key with an email", async () => {
    expect(await statusWith({})).toBe(401);
    expect(await statusWith({ authorization: "Bearer wrong" })).toBe(403);
    expect(await statusWith({ authorization: "Bearer " })).toBe(401);
    expect(await statusWith({ authorization: "bearer all" })).toBe(200);
    expect(await statusWith({ "x-auth-email": "a@b.c", "x-auth-key": "all" })).toBe(200);
    expect(await statusWith({ "x-auth-key": "all" })).toBe(401);
  });

  test("that only reads writes nothing", async () => {
    const uuid = await create("guarded");
    const reading = { token: "look" };
    expect((await call("", { name: "more" }, reading)).status).toBe(403);
    expect((await call(`/${uuid}`, undefined, { ...reading, method: "DELETE" })).status).toBe(403);
    expect((await call(`/${uuid}/query`, { sql: "CREATE TABLE t (a)" }, reading)).status).toBe(403);
    expect((await call(`/${uuid}/query`, { sql: "SELECT 1" }, reading)).status).toBe(200);
  });
});
