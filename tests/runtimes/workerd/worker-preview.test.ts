import { expect, test } from "vitest";
import { call, create, post } from "./worker-api.ts";

const query = async (uuid: string, sql: string) => {
  const { body } = await call(`/${uuid}/query`, { sql });
  expect(body.errors).toEqual([]);
};

test("A12 a preview tells which tables will vanish, come back, change and stay, by their contents", async () => {
  const uuid = await create("previewed");
  await query(
    uuid,
    `CREATE TABLE stays (a); INSERT INTO stays VALUES (1), (2), (3);
     CREATE TABLE comes (a); INSERT INTO comes VALUES (1);
     CREATE TABLE same (a); INSERT INTO same VALUES (1), (2);
     CREATE TABLE equal_count (a); INSERT INTO equal_count VALUES (1), (2);
     CREATE VIRTUAL TABLE words USING fts5(body)`,
  );
  const { id, bookmark, created_at } = (await post(`/${uuid}/backup`)).body.result;
  await query(
    uuid,
    "DELETE FROM stays WHERE a = 1; UPDATE equal_count SET a = 3 WHERE a = 1; INSERT INTO words VALUES ('new'); DROP TABLE comes; CREATE TABLE vanishes (a); INSERT INTO vanishes VALUES (1)",
  );
  const { body, status } = await call(`/${uuid}/backup/${id}/preview`, undefined, { token: "look" });
  expect(status).toBe(200);
  const { tables, ...rest } = body.result;
  expect(rest).toEqual({ id, bookmark, created_at, compared: true });
  const own = tables.filter(({ name }: { name: string }) => !name.startsWith("words_"));
  const rows = (back: number, gone: number, updated: number) => ({ back, gone, updated });
  const whole = (change: string) => ({ change, redefined: false });
  expect(own).toEqual([
    { name: "vanishes", ...whole("vanish"), rows_now: 1, rows_then: null, rows: null },
    { name: "comes", ...whole("come"), rows_now: null, rows_then: 1, rows: null },
    { name: "stays", ...whole("changed"), rows_now: 2, rows_then: 3, rows: rows(1, 0, 0) },
    { name: "equal_count", ...whole("changed"), rows_now: 2, rows_then: 2, rows: rows(0, 0, 1) },
    { name: "words", ...whole("changed"), rows_now: null, rows_then: null, rows: null },
    { name: "same", ...whole("unchanged"), rows_now: 2, rows_then: 2, rows: rows(0, 0, 0) },
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
  const [, restore] = body.result;
  // The safety backup begins after the restore that wants it.
  expect(body.result.map(({ kind, state }: { kind: string; state: string }) => [kind, state])).toEqual([
    ["backup", "done"],
    ["restore", "done"],
    ["backup", "done"],
  ]);
  expect(restore.done).toBe(restore.total);
  expect(Date.parse(restore.updated_at)).toBeGreaterThanOrEqual(Date.parse(restore.started_at));
});

test("A list of databases tells the newest backup of each, and who wanted it", async () => {
  const uuid = await create("listed");
  await query(uuid, "CREATE TABLE t (a)");
  const listed = async () => {
    const { body } = await call("?name=listed");
    const [{ last_backup_at, last_backup_origin }] = body.result;
    return [last_backup_at, last_backup_origin];
  };
  expect(await listed()).toEqual([undefined, undefined]);
  const { id, created_at } = (await post(`/${uuid}/backup`)).body.result;
  await expect.poll(listed).toEqual([created_at, "manual"]);
  await post(`/${uuid}/backup/${id}/restore`);
  await expect.poll(async () => (await listed())[1]).toBe("restore");
});
