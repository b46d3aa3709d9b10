// Statements are compiled once for the requests that have the same text: nobody notices.
import { expect, test } from "vitest";
import { call, create, rows } from "./worker-api.ts";

async function metaOf(uuid: string, sql: string, params: unknown[] = []) {
  const { body } = await call(`/${uuid}/query`, { sql, params });
  return body.result[0].meta;
}

test("each run counts its own rows, whatever ran before", async () => {
  const uuid = await create("kept-counts");
  await rows(uuid, "CREATE TABLE t (id INTEGER PRIMARY KEY, a)");
  const insert = "INSERT INTO t (a) VALUES (?), (?)";
  for (let n = 0; n < 3; n++) {
    expect(await metaOf(uuid, insert, [n, n])).toMatchObject({ rows_written: 2, changes: 2 });
    expect((await metaOf(uuid, "SELECT * FROM t")).rows_read).toBe(2 * n + 2);
  }
  await rows(uuid, "CREATE INDEX i ON t (a)");
  expect(await metaOf(uuid, insert, [3, 3])).toMatchObject({ rows_written: 4 });
  const batch = ["SELECT * FROM t", "DROP INDEX i", "SELECT * FROM t"].map((sql) => ({ sql }));
  const { body } = await call(`/${uuid}/query`, { batch });
  expect(body.result[0].meta.rows_read).toBe(8);
  expect(body.result[2].meta.rows_read).toBe(8);
});

test("a changed schema is seen, and so is a failure", async () => {
  const uuid = await create("kept-schema");
  await rows(uuid, "CREATE TABLE t (a UNIQUE)");
  await rows(uuid, "INSERT INTO t VALUES (1)");
  for (let n = 0; n < 2; n++) {
    const { status, body } = await call(`/${uuid}/query`, { sql: "INSERT INTO t VALUES (1)" });
    expect([status, body.errors[0].message]).toEqual([400, expect.stringContaining("UNIQUE")]);
  }
  expect(await rows(uuid, "SELECT * FROM t")).toEqual([{ a: 1 }]);
  await rows(uuid, "ALTER TABLE t ADD COLUMN b DEFAULT 2");
  expect(await rows(uuid, "SELECT * FROM t")).toEqual([{ a: 1, b: 2 }]);
  await rows(uuid, "DROP TABLE t");
  expect((await call(`/${uuid}/query`, { sql: "SELECT * FROM t" })).body.errors[0].message).toContain(
    "no such table",
  );
});

test("what who may write compiled is not for who may only read", async () => {
  const uuid = await create("kept-scope");
  await rows(uuid, "CREATE TABLE t (a)");
  const sql = "INSERT INTO t VALUES (1)";
  for (let n = 0; n < 3; n++) {
    expect((await call(`/${uuid}/query`, { sql })).status).toBe(200);
    expect((await call(`/${uuid}/query`, { sql }, { token: "look" })).status).toBe(403);
    expect(
      (await call(`/${uuid}/query`, { sql: "SELECT a FROM t" }, { token: "look" })).body.result[0].results
        .length,
    ).toBe(n + 1);
  }
});

test("a database that was deleted is not found, however often it was asked before", async () => {
  const uuid = await create("kept-deleted");
  await rows(uuid, "CREATE TABLE t (a)");
  await call(`/${uuid}`, undefined, { method: "DELETE" });
  for (let n = 0; n < 2; n++) expect((await call(`/${uuid}/query`, { sql: "SELECT 1" })).status).toBe(404);
  const other = await create("kept-deleted");
  expect(await rows(other, "SELECT count(*) AS n FROM sqlite_schema")).toEqual([{ n: 0 }]);
});
