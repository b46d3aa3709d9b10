import { expect, test } from "vitest";
import worker from "../../../js/dist/worker/index.js";
import { tinyDatabase } from "../tiny-database.ts";

const send = (path: string, init?: RequestInit) => worker.fetch(new Request(`https://pagemark${path}`, init));

test("the Worker tells the tables of a database that is sent to it", async () => {
  const answer = await send("/inspect", { method: "POST", body: tinyDatabase() });
  expect(await answer.json()).toEqual({ pageSize: 512, pageCount: 2, tables: [{ name: "note", rows: 1 }] });
});

test("the Worker refuses by name what is no database, and what is no route of its own", async () => {
  const refused = await send("/inspect", { method: "POST", body: "just text" });
  expect([refused.status, await refused.json()]).toMatchObject([
    400,
    { error: { code: "DATABASE_NOT_SQLITE" } },
  ]);
  expect((await send("/inspect", { method: "POST" })).status).toBe(400);
  expect((await send("/elsewhere")).status).toBe(404);
  expect((await send("/inspect")).status).toBe(405);
  expect(await (await send("/healthz")).json()).toEqual({ ok: true });
});
