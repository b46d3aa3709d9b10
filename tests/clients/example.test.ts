// worker-example: another Worker that binds Pagemark, over real RPC in workerd.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { fileAt } from "../peers/d1/place.ts";
import { contentsOf, expectSame, LIBRARY } from "./library.ts";
import { TestWorker } from "./worker.ts";

const worker = new TestWorker();

async function ask<T>(method: string, path: string): Promise<T> {
  const answer = await fetch(`${worker.exampleUrl}${path}`, { method });
  expect(answer.status, path).toBe(200);
  return (await answer.json()) as T;
}

test("A7 A10 A11 env.DB.backup(), backups(), download() and restore() of the database that the binding names", async () => {
  const uuid = await worker.create("demo", LIBRARY);
  const expected = await contentsOf(worker.folder, LIBRARY);
  const tables = await ask<{ name: string }[]>("GET", "/tables");
  expect(tables.map(({ name }) => name)).toEqual(expect.arrayContaining(["authors", "books", "loans"]));

  const { id, state } = await ask<{ id: string; state: string }>("POST", "/backup");
  expect(state).toBe("done");
  expect((await ask<{ id: string }[]>("GET", "/backups")).map((each) => each.id)).toEqual([id]);

  const database = worker.database(uuid);
  await database.run(["DROP TABLE loans;"]);
  const answer = await fetch(`${worker.exampleUrl}/download?id=${id}`);
  const path = join(worker.folder, "downloaded.sqlite3");
  writeFileSync(path, new Uint8Array(await answer.arrayBuffer()));
  await expectSame(fileAt(path), expected);

  const { undo } = await ask<{ undo: string }>("POST", `/restore?at=${id}`);
  await expectSame(database, expected);
  await ask("POST", `/restore?at=${undo}`);
  await expect(database.rows("SELECT 1 FROM loans")).rejects.toThrow("no such table");
});

test.each([
  ["POST", "/restore?at=99999999", 404, /no backup has that id/],
  ["GET", "/download?id=99999999", 404, /no backup has that id/],
  ["POST", "/restore?at=yesteryear", 400, /yesteryear|time|moment/],
])("%s %s of what is not there answers %i with words", async (method, path, status, words) => {
  const answer = await fetch(`${worker.exampleUrl}${path}`, { method });
  expect(answer.status).toBe(status);
  const { code, message } = (await answer.json()) as { code: string; message: string };
  expect(code).toMatch(/^[A-Z_]+$/);
  expect(message).toMatch(words);
  // Its own name, and nothing that is only for the command.
  expect(message).not.toMatch(/pagemark |[0-9a-f]{8}-[0-9a-f]{4}/);
});
