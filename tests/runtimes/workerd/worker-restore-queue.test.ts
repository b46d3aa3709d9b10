// Requests that arrive while a database is restored in place.
import { SELF } from "cloudflare:test";
import { expect, test } from "vitest";
import { create, DATABASES, post, rows } from "./worker-api.ts";
import { holding } from "./worker-injection.ts";

test("A4 1,200 requests during a restore: 1,000 wait and see the restored state, in their order; the rest are refused by name", async () => {
  const uuid = await create("queued");
  await rows(
    uuid,
    "CREATE TABLE t (id INTEGER PRIMARY KEY, state, pad); CREATE TABLE seen (n INTEGER PRIMARY KEY AUTOINCREMENT, request)",
  );
  const pad =
    "WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300) SELECT i, 'restored', randomblob(10000) FROM n";
  await rows(uuid, `INSERT INTO t ${pad}`);
  const { id } = (await post(`/${uuid}/backup`)).body.result;
  await rows(uuid, "UPDATE t SET state = 'old'; INSERT INTO t (state) VALUES ('old')");

  const send = async (number: number) => {
    const answer = await SELF.fetch(`${DATABASES}/${uuid}/query`, {
      method: "POST",
      headers: { authorization: "Bearer all", "content-type": "application/json" },
      body: JSON.stringify({
        sql: `INSERT INTO seen (request) VALUES (${number});
          SELECT count(*) AS n, min(state) AS least, max(state) AS most, (SELECT max(n) FROM seen) AS place FROM t`,
      }),
    });
    return {
      status: answer.status,
      retry: answer.headers.get("retry-after"),
      body: (await answer.json()) as Answer,
    };
  };
  interface Answer {
    errors: { code: number; message: string }[];
    result: { results: { n: number; least: string; most: string; place: number }[] }[];
  }

  let answers: Awaited<ReturnType<typeof send>>[] = [];
  let restored: Awaited<ReturnType<typeof post>> | undefined;
  let isAsked = false;
  let refusals = 0;
  const isHolding = () => {
    isAsked = true;
    return refusals < 200;
  };
  await holding(isHolding, async () => {
    const restoring = post(`/${uuid}/backup/${id}/restore`);
    while (!isAsked) await new Promise((resolve) => setTimeout(resolve, 10));
    const sent = Array.from({ length: 1200 }, async (_, number) => {
      const answer = await send(number);
      if (answer.status !== 200) refusals++;
      return answer;
    });
    answers = await Promise.all(sent);
    restored = await restoring;
  });

  expect(restored?.status).toBe(200);
  const answered = answers.filter(({ status }) => status === 200);
  const refused = answers.filter(({ status }) => status !== 200);
  expect([answered.length, refused.length]).toEqual([1000, 200]);
  for (const { status, retry, body } of refused) {
    expect([status, body.errors[0]?.code, retry]).toEqual([429, 7429, "1"]);
    expect(body.errors[0]?.message).toContain("OVERLOADED");
  }
  const states = answered.map(({ body }) => body.result[1]?.results[0]);
  for (const state of states) expect(state).toMatchObject({ n: 300, least: "restored", most: "restored" });
  // In the order in which they came: each found as many before it as had been sent before it.
  expect(states.map((state) => state?.place)).toEqual(states.map((_, at) => at + 1));
  const seen = (await rows(uuid, "SELECT request FROM seen ORDER BY n")).map(({ request }) =>
    Number(request),
  );
  expect(seen).toEqual([...seen].sort((a, b) => a - b));
  expect(seen).toHaveLength(1000);
  // Nobody waits any more.
  expect((await send(5000)).status).toBe(200);
}, 120_000);
