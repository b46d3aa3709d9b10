// A download from another Worker, beside other requests.
import { expect, test } from "vitest";
import { callerOf } from "./d1/bundled.ts";
import { TestWorker } from "./worker.ts";

const NAME = "downloading";
const worker = new TestWorker({}, async () => [await callerOf(NAME, "downloading-caller.ts")]);

async function ask(path: string): Promise<unknown> {
  const answer = await fetch(`${worker.callerUrl(NAME)}${path}`);
  expect(answer.status).toBe(200);
  return answer.json();
}

const query = (sql: string) => ask(`/query?sql=${encodeURIComponent(sql)}`);

test("queries and writes are answered while a download goes on, however fast its reader is", async () => {
  await query("CREATE TABLE t (id INTEGER PRIMARY KEY, a)");
  const many = "WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 4000)";
  for (let n = 0; n < 5; n++) await query(`${many} INSERT INTO t (a) SELECT randomblob(3000) FROM n`);
  let isDone = false;
  const download = ask("/download").finally(() => {
    isDone = true;
  });
  let answered = 0;
  for (; !isDone; answered++) await query("UPDATE t SET a = 1 WHERE id = 1");
  expect(await download).toBeGreaterThan(60e6);
  expect(answered).toBeGreaterThan(5);
});
