// What Cloudflare's own SDK for TypeScript, 7.3.0, does with whoever serves its API.
import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { databaseOf } from "../peers/d1/golden.ts";
import { fileAt } from "../peers/d1/place.ts";
import { ACCOUNT, READ_TOKEN, type TestApi, TOKEN } from "./api.ts";
import { Cloudflare } from "./cloudflare-sdk.ts";
import { contentsOf, expectSame, LIBRARY } from "./library.ts";

export function typescriptSdk(worker: TestApi): void {
  const account = { account_id: ACCOUNT };
  const client = (apiToken = TOKEN) => new Cloudflare({ apiToken, baseURL: worker.api, maxRetries: 0 });

  test("D14 databases: create, get, list to the end, delete", async () => {
    const { database } = client().d1;
    const made = await database.create({ ...account, name: "made" });
    expect(made).toMatchObject({ name: "made", num_tables: 0, version: "production" });
    const { uuid = "" } = made;
    expect(await database.get(uuid, account)).toMatchObject({ uuid, name: "made" });

    const replication = { read_replication: { mode: "disabled" as const } };
    expect(await database.update(uuid, { ...account, ...replication })).toMatchObject({ uuid, name: "made" });
    expect(await database.edit(uuid, { ...account, ...replication })).toMatchObject({ uuid, name: "made" });

    for (const name of ["b", "c", "d"]) await worker.create(name);
    const names: (string | undefined)[] = [];
    for await (const { name } of database.list({ ...account, per_page: 2 })) names.push(name);
    expect(names).toEqual(["made", "b", "c", "d"]);

    await database.delete(uuid, account);
    const error = await database.get(uuid, account).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(Cloudflare.NotFoundError);
    expect(error).toMatchObject({ status: 404, errors: [{ code: 7404 }] });
  });

  test("query and raw: values, parameters, several statements, and what SQLite refuses", async () => {
    const uuid = await worker.create("queried");
    const { database } = client().d1;
    const sql = "CREATE TABLE t (a, b); INSERT INTO t VALUES (1, 'one'), (x'0102', NULL); SELECT * FROM t";
    const results = (await database.query(uuid, { ...account, sql })).result;
    expect(results.at(-1)).toMatchObject({
      success: true,
      results: [
        { a: 1, b: "one" },
        { a: [1, 2], b: null },
      ],
    });
    const bound = await database.raw(uuid, {
      ...account,
      sql: "SELECT b, a FROM t WHERE a = ?",
      params: ["1"],
    });
    expect(bound.result[0]?.results).toEqual({ columns: ["b", "a"], rows: [] });

    const refused = await database
      .query(uuid, { ...account, sql: "SELEC 1" })
      .catch((thrown: unknown) => thrown);
    expect(refused).toBeInstanceOf(Cloudflare.BadRequestError);
    expect(refused).toMatchObject({
      errors: [{ code: 7500, message: expect.stringContaining("syntax error") }],
    });
  });

  test("D13 a wrong token is refused, and one that may only read does not write", async () => {
    const uuid = await worker.create("guarded", "CREATE TABLE t (a);");
    const [wrong, reader] = [client("wrong").d1.database, client(READ_TOKEN).d1.database];
    await expect(wrong.get(uuid, account)).rejects.toBeInstanceOf(Cloudflare.PermissionDeniedError);
    const insert = reader.query(uuid, { ...account, sql: "INSERT INTO t VALUES (1)" });
    await expect(insert).rejects.toBeInstanceOf(Cloudflare.PermissionDeniedError);
    const counted = await reader.query(uuid, { ...account, sql: "SELECT count(*) AS n FROM t" });
    expect(counted.result[0]?.results).toEqual([{ n: 0 }]);
  });

  test("A12 timeTravel: to a bookmark, to a time, and undone", async () => {
    const uuid = await worker.create("travelled", LIBRARY);
    const expected = await contentsOf(worker.folder, LIBRARY);
    const { timeTravel } = client().d1.database;
    const { bookmark = "" } = await timeTravel.getBookmark(uuid, account);
    const before = new Date(Date.now() + 5).toISOString();
    await new Promise((resolve) => setTimeout(resolve, 50));
    const database = worker.database(uuid);
    await database.run(["DROP TABLE loans;"]);

    const restored = await timeTravel.restore(uuid, { ...account, bookmark });
    expect(restored).toMatchObject({ bookmark, previous_bookmark: expect.stringMatching(/^[0-9a-f-]{59}$/) });
    await expectSame(database, expected);
    await timeTravel.restore(uuid, { ...account, bookmark: restored.previous_bookmark ?? "" });
    await expect(database.rows("SELECT 1 FROM loans")).rejects.toThrow("no such table");
    expect(await timeTravel.getBookmark(uuid, { ...account, timestamp: before })).toEqual({ bookmark });
    await timeTravel.restore(uuid, { ...account, timestamp: before });
    await expectSame(database, expected);
  });

  test("D4 D6 D15 export, polled to its end and downloaded; D9 the URL needs no token", async () => {
    const uuid = await worker.create("exported", LIBRARY);
    const { database } = client().d1;
    const first = await database.export(uuid, { ...account, output_format: "polling" });
    expect(first).toMatchObject({ success: true, type: "export", at_bookmark: expect.any(String) });
    const current_bookmark = first.at_bookmark ?? "";
    const last = await polled(first, () =>
      database.export(uuid, { ...account, output_format: "polling", current_bookmark }),
    );
    expect(last).toMatchObject({ status: "complete", at_bookmark: current_bookmark });
    expect(last.error).toBeUndefined();
    const answer = await fetch(last.result?.signed_url ?? "");
    const path = databaseOf(worker.folder, await answer.text());
    await expectSame(fileAt(path), await contentsOf(worker.folder, LIBRARY));

    const foreign = await database.export(uuid, {
      ...account,
      output_format: "polling",
      current_bookmark: "00000000-00000001-0000512a-00000000000000000000000000000000",
    });
    expect(foreign).toMatchObject({ success: false, error: expect.any(String) });
  });

  test("D15 import: init, upload, ingest and poll", async () => {
    const uuid = await worker.create("imported");
    const { database } = client().d1;
    const sql = LIBRARY;
    const etag = createHash("md5").update(sql).digest("hex");
    const begun = await database.import(uuid, { ...account, action: "init", etag });
    const { upload_url = "", filename = "" } = begun;
    const uploaded = await fetch(upload_url, { method: "PUT", body: sql });
    expect(uploaded.status).toBe(200);
    expect(uploaded.headers.get("etag")?.replaceAll('"', "")).toBe(etag);
    const first = await database.import(uuid, { ...account, action: "ingest", etag, filename });
    const last = await polled(first, () =>
      database.import(uuid, { ...account, action: "poll", current_bookmark: first.at_bookmark ?? "" }),
    );
    expect(last).toMatchObject({ status: "complete", result: { num_queries: expect.any(Number) } });
    await expectSame(worker.database(uuid), await contentsOf(worker.folder, LIBRARY));
    const { bookmark } = await database.timeTravel.getBookmark(uuid, account);
    expect(last.result?.final_bookmark).toBe(bookmark);
  });
}

interface Polled {
  success?: boolean;
  /** The SDK's types know "complete" and "error" only. */
  status?: string;
}

/** The answer that is not "active" any more. */
async function polled<T extends Polled>(first: T, poll: () => Promise<T>): Promise<T> {
  let answer = first;
  for (let polls = 0; answer.success && answer.status === "active"; polls++) {
    expect(polls, "polls are held, not answered at once").toBeLessThan(60);
    answer = await poll();
  }
  return answer;
}
