// A backup with a damaged page: what it holds is given, and who restores it is told which table that is.
import { createExecutionContext, SELF } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { memory, pagemark, r2 } from "pagemark";
import Entrypoint from "pagemark/worker";
import { expect, test, vi } from "vitest";
import { call, create, post, rows } from "./worker-api.ts";

const PAGE = 4096;
const SAID = /^table "bad" has a damaged page \(page \d+\), as it had when it was backed up$/;

const download = async (uuid: string, id: string, query = "", headers = {}) => {
  const url = `https://pagemark/client/v4/accounts/acct/d1/database/${uuid}/backup/${id}/download${query}`;
  const answer = await SELF.fetch(url, { headers: { authorization: "Bearer look", ...headers } });
  return { status: answer.status, bytes: new Uint8Array(await answer.arrayBuffer()) };
};

/** A database `name` of two tables, and a backup of it that `damage` was done to. */
async function damaged(name: string, damage: (bytes: Uint8Array) => unknown) {
  const uuid = await create(name);
  await rows(
    uuid,
    `CREATE TABLE good (a); INSERT INTO good VALUES (1), (2); CREATE TABLE bad (id INTEGER PRIMARY KEY, a);
     INSERT INTO bad (a) WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) SELECT 'value ' || i FROM n`,
  );
  const sound = (await post(`/${uuid}/backup`)).body.result.id;
  const { bytes } = await download(uuid, sound);
  damage(bytes);
  const stored = { name: `${name}-${uuid.slice(0, 8)}`, store: r2(env.BACKUPS) };
  const { id, bookmark } = await pagemark(memory(bytes), stored).backup({ sameDatabase: true });
  return { uuid, id, bookmark, bytes, sound };
}

/** Fills a leaf of `bad` with noise. */
function spoil(bytes: Uint8Array): void {
  const pages = Array.from({ length: bytes.length / PAGE }, (_, index) => index);
  const leaf = pages.filter((page) => page > 0 && bytes[page * PAGE] === 13)[5] ?? 0;
  bytes.fill(0xee, leaf * PAGE, (leaf + 1) * PAGE);
}

test("is restored, and messages and the job name the table; the undo takes it back", async () => {
  const { uuid, id, bookmark } = await damaged("spoiled", spoil);
  const { status, body } = await post(`/${uuid}/backup/${id}/restore`);
  expect([status, body.messages]).toEqual([200, [expect.stringMatching(SAID)]]);
  expect(await rows(uuid, "SELECT count(*) AS n FROM good")).toEqual([{ n: 2 }]);
  expect(await rows(uuid, "SELECT a FROM bad WHERE id = 1")).toEqual([{ a: "value 1" }]);
  const [, job] = (await call(`/${uuid}/jobs`)).body.result;
  expect(job).toMatchObject({ kind: "restore", state: "done", warnings: [expect.stringMatching(SAID)] });
  await post(`/${uuid}/time_travel/restore?bookmark=${body.result.previous_bookmark}`);
  expect(await rows(uuid, "SELECT count(*) AS n FROM bad")).toEqual([{ n: 5000 }]);
  // To its bookmark, as wrangler does.
  const again = await post(`/${uuid}/time_travel/restore?bookmark=${bookmark}`);
  expect([again.status, again.body.messages]).toEqual([200, [expect.stringMatching(SAID)]]);
});

test("is downloaded as it is, whole and in ranges, and previewed; the Worker's log names the table", async () => {
  const log = vi.spyOn(console, "warn");
  const { uuid, id, bytes, sound } = await damaged("kept", spoil);
  expect((await download(uuid, id)).bytes).toEqual(bytes);
  expect(log.mock.calls).toEqual([
    [expect.stringMatching(`^database "kept": a download of backup ${id}: table "bad" has a damaged page`)],
  ]);
  log.mockRestore();
  const range = await download(uuid, id, "", { range: "bytes=20000-29999" });
  expect([range.status, range.bytes]).toEqual([206, bytes.slice(20_000, 30_000)]);
  const { status, body } = await call(`/${uuid}/backup/${id}/preview`);
  expect(status).toBe(200);
  const bad = body.result.tables.find(({ name }: { name: string }) => name === "bad");
  expect(bad).toMatchObject({ change: "changed", rows_now: 5000, rows_then: null });
  // Of a sound one nothing is said.
  expect((await post(`/${uuid}/backup/${sound}/restore`)).body.messages).toEqual([]);
});

test("becomes a new database, over HTTP and over a binding", async () => {
  const { uuid, id } = await damaged("source", spoil);
  const { status, body } = await post(`/${uuid}/backup/${id}/restore?to=made`);
  expect([status, body.messages]).toEqual([200, [expect.stringMatching(SAID)]]);
  expect(await rows(body.result.database_id, "SELECT count(*) AS n FROM good")).toEqual([{ n: 2 }]);
  const bound = new Entrypoint(createExecutionContext(), env).database("source");
  expect(await bound.restore({ at: id })).toMatchObject({ warnings: [expect.stringMatching(SAID)] });
});

test("whose schema SQLite cannot read is restored as well, measured, and can be undone", async () => {
  const { uuid, id, bytes } = await damaged("schemaless", (bytes) => {
    const at = new TextDecoder("latin1").decode(bytes).indexOf("CREATE TABLE bad");
    bytes.set(new TextEncoder().encode("CREATE XXXXX"), at);
  });
  const { status, body } = await post(`/${uuid}/backup/${id}/restore`);
  expect(status).toBe(200);
  await expect(rows(uuid, "SELECT 1 FROM good")).rejects.toThrow("malformed database schema");
  expect((await call(`/${uuid}`)).body.result).toMatchObject({ file_size: bytes.length });
  const undone = await post(`/${uuid}/time_travel/restore?bookmark=${body.result.previous_bookmark}`);
  expect(undone.status).toBe(200);
  expect(await rows(uuid, "SELECT count(*) AS n FROM bad")).toEqual([{ n: 5000 }]);
});
