import { expect, test } from "vitest";
import { call, create, post } from "./worker-api.ts";

const query = async (uuid: string, sql: string) => {
  const { body } = await call(`/${uuid}/query`, { sql });
  expect(body.errors).toEqual([]);
};

test("A12 a preview tells which tables will vanish or come back, and the rows now and then", async () => {
  const uuid = await create("previewed");
  await query(
    uuid,
    `CREATE TABLE stays (a); INSERT INTO stays VALUES (1), (2), (3);
     CREATE TABLE comes (a); INSERT INTO comes VALUES (1);
     CREATE VIRTUAL TABLE words USING fts5(body)`,
  );
  const { id, bookmark, created_at } = (await post(`/${uuid}/backup`)).body.result;
  await query(
    uuid,
    "DELETE FROM stays WHERE a = 1; DROP TABLE comes; CREATE TABLE vanishes (a); INSERT INTO vanishes VALUES (1)",
  );
  const { body, status } = await call(`/${uuid}/backup/${id}/preview`, undefined, { token: "look" });
  expect(status).toBe(200);
  const { tables, ...rest } = body.result;
  expect(rest).toEqual({ id, bookmark, created_at, counted: true });
  const own = tables.filter(({ name }: { name: string }) => !name.startsWith("words_"));
  expect(own).toEqual([
    { name: "vanishes", change: "vanish", rows_now: 1, rows_then: null },
    { name: "comes", change: "come", rows_now: null, rows_then: 1 },
    { name: "stays", change: "stay", rows_now: 2, rows_then: 3 },
    { name: "words", change: "stay", rows_now: null, rows_then: null },
  ]);
  // Nothing was restored for it.
  const now = await call(`/${uuid}/query`, { sql: "SELECT count(*) AS n FROM stays" });
  expect(now.body.result[0].results).toEqual([{ n: 2 }]);
});

test("A preview of a backup that is not there says so", async () => {
  const uuid = await create("previewless");
  const { body, status } = await call(`/${uuid}/backup/${crypto.randomUUID()}/preview`);
  expect([status, body.errors[0].code]).toEqual([404, 7404]);
  expect((await call(`/${uuid}/backup/x/preview`)).status).toBe(400);
});

test("A8 jobs are listed with their state and progress, newest first, also to who may only read", async () => {
  const uuid = await create("busy");
  await query(uuid, "CREATE TABLE t (a)");
  const { id } = (await post(`/${uuid}/backup`)).body.result;
  await post(`/${uuid}/backup/${id}/restore`);
  const { body } = await call(`/${uuid}/jobs`, undefined, { token: "look" });
  const [restore] = body.result;
  expect(body.result.map(({ kind, state }: { kind: string; state: string }) => [kind, state])).toEqual([
    ["restore", "done"],
    ["backup", "done"],
    ["backup", "done"],
  ]);
  expect(restore.done).toBe(restore.total);
  expect(Date.parse(restore.updated_at)).toBeGreaterThanOrEqual(Date.parse(restore.started_at));
});
