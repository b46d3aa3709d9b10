// What history takes in a Durable Object's storage as it ages.
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { Database, durableObjectStore } from "pagemark/engine";
import { afterEach, expect, test, vi } from "vitest";
import { call, create, post, rows } from "./worker-api.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

afterEach(() => vi.useRealTimers());

test("history is thinned as it ages: each state that is kept is as it was", {
  timeout: 120_000,
}, async () => {
  const stub = env.OBJECT.get(env.OBJECT.idFromName("history"));
  await runInDurableObject(stub, async (_, { storage }) => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.UTC(2026, 10, 29) });
    using db = await Database.open({ store: durableObjectStore(storage), history: { ageMs: 24 * HOUR } });
    db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, a, b)");
    db.exec(
      "WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 300) INSERT INTO t SELECT i, 0, zeroblob(4000) FROM n",
    );
    const update = db.prepare("UPDATE t SET a = ? WHERE id = ?");
    const start = storage.sql.databaseSize;
    const made: { at: number; bookmark: string }[] = [];
    // One in two seconds, for three hours.
    for (let n = 1; n <= 5400; n++) {
      vi.setSystemTime(Date.now() + 2000);
      update.run(n, 1 + (n % 7));
      made.push({ at: Date.now(), bookmark: db.bookmark() });
      if (n === 1800) expect((storage.sql.databaseSize - start) / n).toBeGreaterThan(8000);
    }
    const now = Date.now();
    const kept = new Set(db.states().map(({ bookmark }) => bookmark));
    const perMinute = new Map<number, number>();
    for (const { at, bookmark } of made) {
      if (at > now - HOUR) expect(kept.has(bookmark)).toBe(true);
      else if (kept.has(bookmark)) {
        perMinute.set(Math.floor(at / MINUTE), 1 + (perMinute.get(Math.floor(at / MINUTE)) ?? 0));
      }
    }
    // In the minute at which the hour begins every one after its first seconds may be there.
    const counts = [...perMinute.values()];
    expect(counts.length).toBeGreaterThan(118);
    expect(counts.filter((count) => count > 1).length).toBeLessThanOrEqual(1);
    expect((storage.sql.databaseSize - start) / 5400).toBeLessThan(4500);

    for (let n = 90; n <= 5400; n += 97) {
      const { bookmark, at } = made[n - 1] as { at: number; bookmark: string };
      const found = db.bookmarkAt(bookmark);
      expect(db.bookmarkAt(new Date(at)) <= found).toBe(true);
      const state = made.findIndex((each) => each.bookmark === found) + 1;
      if (kept.has(bookmark)) expect(state).toBe(n);
      else expect(n - state).toBeLessThan(31);
      const undo = db.restore({ at: bookmark });
      expect(db.prepare("SELECT max(a) FROM t").values()).toEqual([[state]]);
      db.restore({ at: undo });
    }
  });
});

test("time travel to a bookmark that was thinned away says which state it went to", async () => {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.UTC(2026, 10, 29, 12) });
  const uuid = await create("thinned");
  await rows(uuid, "CREATE TABLE t (a)");
  const bookmarks: string[] = [];
  for (let n = 0; n < 6; n++) {
    vi.setSystemTime(Date.now() + 25_000);
    await rows(uuid, `INSERT INTO t VALUES (${n})`);
    bookmarks.push((await call(`/${uuid}/time_travel/bookmark`)).body.result.bookmark);
  }
  vi.setSystemTime(Date.now() + 2 * HOUR);
  await rows(uuid, "INSERT INTO t VALUES (99)");
  // 0 and 1 were in the first minute, 2 and 3 in the second, 4 and 5 in the third.
  const { body } = await post(`/${uuid}/time_travel/restore?bookmark=${bookmarks[2]}`);
  expect(body.result.bookmark).toBe(bookmarks[1]);
  expect(body.result.message).toMatch(/bookmark: \S+ \(history keeps .* one a minute/);
  expect(await rows(uuid, "SELECT a FROM t")).toEqual([{ a: 0 }, { a: 1 }]);
  await post(`/${uuid}/time_travel/restore?bookmark=${body.result.previous_bookmark}`);
  const exact = (await post(`/${uuid}/time_travel/restore?bookmark=${bookmarks[3]}`)).body.result;
  expect(exact).toMatchObject({
    bookmark: bookmarks[3],
    message: `Restored database to bookmark: ${bookmarks[3]}`,
  });
  expect(await rows(uuid, "SELECT count(*) AS n FROM t")).toEqual([{ n: 4 }]);
});

test("what a restore replaced stays for a day, whatever is thinned and though the object was evicted", async () => {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.UTC(2026, 10, 29, 14) });
  const uuid = await create("undone");
  await rows(uuid, "CREATE TABLE t (a)");
  const { bookmark } = (await call(`/${uuid}/time_travel/bookmark`)).body.result;
  vi.setSystemTime(Date.now() + MINUTE);
  await rows(uuid, "INSERT INTO t VALUES (1)");
  const { previous_bookmark: undo } = (await post(`/${uuid}/time_travel/restore?bookmark=${bookmark}`)).body
    .result;
  await evictDurableObject(env.DATABASES.get(env.DATABASES.idFromName(uuid)));
  for (let n = 0; n < 5; n++) {
    vi.setSystemTime(Date.now() + HOUR);
    await rows(uuid, "INSERT INTO t VALUES (2)");
  }
  expect((await post(`/${uuid}/time_travel/restore?bookmark=${undo}`)).body.result.bookmark).toBe(undo);
  expect(await rows(uuid, "SELECT a FROM t")).toEqual([{ a: 1 }]);
});
