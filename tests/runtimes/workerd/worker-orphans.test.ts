// Backups of databases that were deleted: they are listed, become new databases, and can be deleted.
import { createExecutionContext, runDurableObjectAlarm, runInDurableObject, SELF } from "cloudflare:test";
import { env } from "cloudflare:workers";
import Entrypoint from "pagemark/worker";
import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { type Answer, call, create, post, rows } from "./worker-api.ts";

const ACCOUNT = "https://pagemark/client/v4/accounts/acct/d1";
const object = (uuid: string) => env.DATABASES.get(env.DATABASES.idFromName(uuid));
const remove = (path: string) => call(path, undefined, { method: "DELETE" });
const read = async (url: string, token = "look") => {
  const answer = await SELF.fetch(url, { headers: { authorization: `Bearer ${token}` } });
  return { status: answer.status, body: await answer.json() } as Answer;
};
const orphans = async (query = "orphaned") => (await read(`${ACCOUNT}/backups?${query}`)).body;
const exec = async (query: string) =>
  (await read(`https://pagemark/exec?query=${encodeURIComponent(query)}`)).body;

let uuid: string;
let ids: string[];
beforeAll(async () => {
  uuid = await create("shop");
  await rows(uuid, "CREATE TABLE t (a)");
  ids = [];
  for (let a = 1; a <= 3; a++) {
    await rows(uuid, `INSERT INTO t VALUES (${a})`);
    ids.push((await post(`/${uuid}/backup`)).body.result.id);
  }
  // Needed by those that follow, and not listed any more.
  expect((await remove(`/${uuid}/backup/${ids[0]}`)).status).toBe(200);
  expect((await remove(`/${uuid}`)).status).toBe(200);
});
afterEach(() => void vi.useRealTimers());

describe("backups of a deleted database", () => {
  test("are listed, but not those that were deleted before", async () => {
    const { result, result_info } = await orphans();
    expect(result.map(({ id }: { id: string }) => id)).toEqual([ids[2], ids[1]]);
    expect(result[0]).toMatchObject({
      database_id: uuid,
      database_name: "shop",
      deleted_at: expect.stringMatching(/^\d{4}-.*Z$/),
      num_tables: 1,
      origin: "manual",
    });
    expect(result_info).toEqual({ page: 1, per_page: 100, count: 1, total_count: 1 });
    expect((await orphans("orphaned=true&page=2")).result).toEqual([]);
    expect((await call(`/${uuid}/backup`)).body.result.map(({ id }: { id: string }) => id)).toEqual([
      ids[2],
      ids[1],
    ]);
    expect((await exec("SHOW ORPHANED BACKUPS;")).dataset.map(([name]: string[]) => name)).toEqual([
      "shop",
      "shop",
    ]);
    expect((await exec("SHOW BACKUPS")).dataset).toEqual([]);
    expect((await read(`${ACCOUNT}/backups`)).body.errors[0].message).toContain("say ?orphaned");
  });

  test("can be downloaded, as a file, SQL and LTX, also by ranges", async () => {
    const path = `/client/v4/accounts/acct/d1/database/${uuid}/backup/${ids[1]}/download`;
    const get = (query: string, headers = {}) =>
      SELF.fetch(`https://pagemark${path}?${query}`, {
        headers: { authorization: "Bearer look", ...headers },
      });
    const sql = await (await get("format=sql")).text();
    expect(sql).toContain("INSERT INTO");
    expect((await (await get("format=ltx")).arrayBuffer()).byteLength).toBeGreaterThan(100);
    const range = await get("", { range: "bytes=0-15" });
    expect([range.status, await range.text()]).toEqual([206, "SQLite format 3\0"]);
  });

  test("of some tables alone are listed, downloaded and deleted, too, also where there is no other", async () => {
    const partial = await create("partly");
    await rows(partial, "CREATE TABLE t (a); CREATE TABLE u (a); INSERT INTO t VALUES (1)");
    await object(partial).backup({ tables: ["t"] });
    expect((await remove(`/${partial}`)).status).toBe(200);
    const [backup] = (await orphans()).result;
    expect(backup).toMatchObject({ database_id: partial, database_name: "partly", partial: ["t"] });
    expect((await exec("SHOW ORPHANED BACKUPS;")).dataset.flat()).toContain(backup.id);
    const path = `/${partial}/backup/${backup.id}`;
    const file = await SELF.fetch(`${ACCOUNT}/database${path}/download`, {
      headers: { authorization: "Bearer look" },
    });
    expect([file.status, (await file.arrayBuffer()).byteLength]).toEqual([200, 8192]);
    expect((await post(`${path}/restore?to=whole`)).body.errors[0].message).toContain("BACKUP_PARTIAL");
    expect((await remove(path)).status).toBe(200);
    expect(
      (await orphans()).result.map(({ database_id }: { database_id: string }) => database_id),
    ).not.toContain(partial);
    const { objects } = await env.BACKUPS.list();
    expect(objects.map(({ key }) => key).filter((key) => key.includes(partial.slice(0, 8)))).toEqual([]);
  });

  test("become new databases, and stay", async () => {
    const to = async (name: string, id = ids[1]) =>
      post(`/${uuid}/backup/${id}/restore?to=${encodeURIComponent(name)}`);
    const { status, body } = await to("shop again");
    expect([status, body.result.name]).toEqual([200, "shop again"]);
    const made = body.result.database_id;
    expect(await rows(made, "SELECT a FROM t ORDER BY a")).toEqual([{ a: 1 }, { a: 2 }]);
    expect((await call("/shop again")).body.result.uuid).toBe(made);
    // As the list has it.
    await expect
      .poll(async () => (await call("?name=shop%20again")).body.result)
      .toMatchObject([{ uuid: made, num_tables: 1 }]);
    expect((await orphans()).result).toHaveLength(2);
    // What it replaced was empty: going back there is possible, too.
    await post(`/${made}/time_travel/restore?bookmark=${body.result.previous_bookmark}`);
    expect(await rows(made, "SELECT name FROM sqlite_schema")).toEqual([]);
    expect((await to("shop again")).body.errors[0].message).toContain("already exists");
    expect((await to("shop too", ids[0])).status).toBe(404);
    expect((await to("shop too", "00000000")).status).toBe(404);
    expect((await to("a/b")).body.errors[0].message).toContain("NAME_INVALID");
    // A refusal leaves no empty database behind.
    expect((await call("/shop too")).status).toBe(404);
    const inPlace = await post(`/${uuid}/backup/${ids[1]}/restore`);
    expect([inPlace.status, inPlace.body.errors[0].message]).toEqual([400, expect.stringContaining("?to=")]);
    await remove(`/${made}`);
  });

  test("of a database that is there become new ones, too", async () => {
    const id = await create("live");
    await rows(id, "CREATE TABLE t (a); INSERT INTO t VALUES (7)");
    const backup = (await post(`/${id}/backup`)).body.result.id;
    const { result } = (await post(`/${id}/backup/${backup.slice(0, 8)}/restore?to=copy`)).body;
    await rows(id, "DELETE FROM t");
    expect(await rows(result.database_id, "SELECT a FROM t")).toEqual([{ a: 7 }]);
    // Its own backups begin anew.
    const made = (await post(`/${result.database_id}/backup`)).body.result;
    expect((await object(result.database_id).verify(made.id)).problems).toEqual([]);
    expect((await call(`/${id}/backup`)).body.result).toHaveLength(1);
  });

  test("over a binding: by the UUID of what was deleted", async () => {
    const binding = new Entrypoint(createExecutionContext(), env);
    const listed = await binding.orphanedBackups();
    expect(listed.map(({ id }) => id)).toEqual([ids[2], ids[1]]);
    const { database } = listed[0] as (typeof listed)[number];
    expect(database).toMatchObject({ uuid, name: "shop" });
    const old = binding.database(database.uuid);
    expect((await old.backups()).map(({ id }) => id)).toEqual([ids[2], ids[1]]);
    const made = await old.restore({ at: ids[2], to: "bound again" });
    expect(made).toMatchObject({ name: "bound again", uuid: expect.any(String) });
    const { results } = await binding.database("bound again").prepare("SELECT count(*) AS n FROM t").all();
    expect(results).toEqual([{ n: 3 }]);
    await expect(old.restore({ at: ids[2] })).rejects.toMatchObject({ code: "DATABASE_UNKNOWN" });
    await expect(old.bookmark()).rejects.toMatchObject({ code: "DATABASE_UNKNOWN" });
    await expect(binding.database("shop").backups()).rejects.toMatchObject({ code: "DATABASE_UNKNOWN" });
    await remove(`/${made.uuid}`);
  });

  test("are not those of a new database of that name", async () => {
    const again = await create("shop");
    expect((await call(`/${again}/backup`)).body.result).toEqual([]);
    await rows(again, "CREATE TABLE other (b)");
    const { id } = (await post(`/${again}/backup`)).body.result;
    expect((await orphans()).result.map((each: { id: string }) => each.id)).toEqual([ids[2], ids[1]]);
    expect((await call(`/${again}/backup/${ids[1]}/download`)).status).toBe(404);
    expect((await post(`/${again}/backup/${ids[1]}/restore`)).status).toBe(404);
    expect((await remove(`/${uuid}/backup/${id}`)).status).toBe(404);
    await remove(`/${again}`);
    const all = (await orphans()).result;
    expect(all.map((each: { database_id: string }) => each.database_id)).toEqual([again, uuid, uuid]);
    expect((await remove(`/${again}/backup/${id}`)).status).toBe(200);
    expect((await orphans()).result).toHaveLength(2);
  });

  test("nothing else of it is there, and nothing with a read token is done to it", async () => {
    for (const [path, body] of [
      ["", undefined],
      ["/query", { sql: "SELECT 1" }],
      ["/jobs", undefined],
      ["/export", { output_format: "polling" }],
      ["/import", { action: "init" }],
      ["/time_travel/bookmark", undefined],
      [`/backup/${ids[1]}/preview`, undefined],
    ] as const) {
      expect((await call(`/${uuid}${path}`, body)).status, path).toBe(404);
    }
    expect((await post(`/${uuid}/backup`)).status).toBe(404);
    const reading = { token: "look" };
    const path = `/${uuid}/backup/${ids[1]}`;
    expect((await call(path, undefined, { ...reading, method: "DELETE" })).status).toBe(403);
    expect((await call(`${path}/restore?to=x`, undefined, { ...reading, method: "POST" })).status).toBe(403);
    expect(await object(uuid).verify()).toMatchObject({ problems: [] });
  });

  test("are kept for as long as somebody wants them, and with the last one all is gone", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 90 * 24 * 3_600_000 });
    await runDurableObjectAlarm(object(uuid));
    expect((await orphans()).result).toHaveLength(2);
    expect((await remove(`/${uuid}/backup/${ids[2]}`)).status).toBe(200);
    expect((await orphans()).result).toHaveLength(1);
    expect((await remove(`/${uuid}/backup/${ids[1]}`)).status).toBe(200);
    expect((await orphans()).result_info.total_count).toBe(0);
    expect((await call(`/${uuid}/backup`)).status).toBe(404);
    const { objects } = await env.BACKUPS.list();
    expect(objects.map(({ key }) => key).filter((key) => key.includes(uuid.slice(0, 8)))).toEqual([]);
    const left = await runInDurableObject(object(uuid), async (_, ctx) => [...ctx.storage.kv.list()]);
    expect(left).toEqual([]);
  });
});
