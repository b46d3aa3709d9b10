import { SELF } from "cloudflare:test";
import { beforeAll, expect, test } from "vitest";
import { create, DATABASES, rows } from "./worker-api.ts";

let uuid: string;

beforeAll(async () => {
  await create("other");
  uuid = await create("main one");
  await rows(uuid, "CREATE TABLE t (a); INSERT INTO t VALUES (1)");
});

// biome-ignore lint/suspicious/noExplicitAny: what the API answers is what is tested
async function exec(query: string, token = "all"): Promise<{ status: number; body: any }> {
  const url = `https://pagemark/exec?${new URLSearchParams({ query })}`;
  const answer = await SELF.fetch(url, { headers: { authorization: `Bearer ${token}` } });
  return { status: answer.status, body: await answer.json() };
}

test("E7 BACKUP DATABASE backs up one database, or all, and answers when it is done", async () => {
  const all = (await exec("BACKUP database;")).body;
  expect(all.dataset.map(([name]: string[]) => name)).toEqual(["other", "main one"]);
  expect(all.columns[0]).toEqual({ name: "database", type: "STRING" });
  expect((await exec('backup database "main one"')).body.count).toBe(1);
  expect((await exec("SHOW BACKUPS FROM 'main one'")).body.count).toBe(2);
  expect((await exec("SHOW DATABASES", "look")).body.count).toBe(2);
});

test("E7 takes commands only, and only from who may give them", async () => {
  for (const query of [
    "SELECT 1",
    "DROP TABLE t",
    "BACKUP TABLE t",
    "BACKUP DATABASE x; DROP TABLE t",
    "",
    "SHOW",
  ]) {
    expect((await exec(query)).status, query).toBe(400);
  }
  expect((await exec("BACKUP DATABASE", "look")).status).toBe(403);
  expect((await exec("BACKUP DATABASE", "wrong")).status).toBe(403);
  expect((await exec("BACKUP DATABASE missing")).status).toBe(404);
  expect((await SELF.fetch("https://pagemark/exec?query=SHOW%20DATABASES")).status).toBe(401);
});

test("E8 a checkpoint holds one state to be copied while writes go on, in both spellings", async () => {
  for (const [create, release] of [
    ["CHECKPOINT CREATE", "CHECKPOINT RELEASE"],
    ["SNAPSHOT PREPARE", "SNAPSHOT COMPLETE"],
  ]) {
    const [first] = (await exec(`${create} "main one"`)).body.dataset;
    const bookmark = first[2];
    expect((await exec(`${create} "main one"`)).body.error).toContain("CHECKPOINT_EXISTS");
    await rows(uuid, "INSERT INTO t VALUES (2)");
    const copy = () =>
      SELF.fetch(`${DATABASES}/${uuid}/download?at=${bookmark}`, {
        headers: { authorization: "Bearer look" },
      });
    const before = await (await copy()).arrayBuffer();
    await rows(uuid, "INSERT INTO t VALUES (3)");
    expect(await (await copy()).arrayBuffer()).toEqual(before);
    const status = (await exec("SELECT * FROM checkpoint_status()", "look")).body.dataset;
    expect(status.find(([name]: string[]) => name === "main one")).toEqual(first.with(1, true));
    expect((await exec(`${release} "main one"`)).status).toBe(200);
    expect((await exec(`${release} "main one"`)).body.error).toContain("CHECKPOINT_NONE");
  }
});
