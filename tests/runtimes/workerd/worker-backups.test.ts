import { env, runDurableObjectAlarm, runInDurableObject, SELF } from "cloudflare:test";
import { Database as Engine } from "pagemark/engine";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { call, create, DATABASES, post, rows } from "./worker-api.ts";

let count = 0;
let uuid: string;

beforeEach(async () => {
  uuid = await create(`backups ${++count}`);
  await rows(uuid, "CREATE TABLE t (a); INSERT INTO t VALUES (1)");
});

const object = () => env.DATABASES.get(env.DATABASES.idFromName(uuid));
const fill = (bytes: number) =>
  rows(
    uuid,
    `INSERT INTO t SELECT randomblob(${bytes / 100}) FROM (WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100) SELECT i FROM n)`,
  );

async function download(id: string, query = "", headers = {}): Promise<Response> {
  return SELF.fetch(`${DATABASES}/${uuid}/backup/${id}/download${query}`, {
    headers: { authorization: "Bearer look", ...headers },
  });
}

async function opened(file: Uint8Array): Promise<Engine> {
  const db = await Engine.open();
  await db.load(file);
  return db;
}

const bytesOf = async (answer: Response) => new Uint8Array(await answer.arrayBuffer());

describe("backups", () => {
  test("A5 A7 are made and listed, newest first, with id, time, tables and size", async () => {
    const first = (await post(`/${uuid}/backup`)).body.result;
    expect(first).toMatchObject({
      database_id: uuid,
      state: "done",
      num_tables: 1,
      file_size: 8192,
      kind: "full",
    });
    expect(first.created_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
    await fill(100_000);
    const second = (await post(`/${uuid}/backup`)).body.result;
    expect(second.kind).toBe("incremental");
    const { result } = (await call(`/${uuid}/backup`)).body;
    expect(result.map(({ id }: { id: string }) => id)).toEqual([second.id, first.id]);
  });

  test("A10 are downloaded as a SQLite file, as SQL, and as LTX, also in ranges", async () => {
    await fill(3_000_000);
    const { id, file_size } = (await post(`/${uuid}/backup`)).body.result;
    const answer = await download(id);
    expect(answer.headers.get("content-disposition")).toContain(`backups_${count}.${id.slice(0, 8)}.sqlite3`);
    const file = await bytesOf(answer);
    expect(file.length).toBe(file_size);
    const db = await opened(file);
    expect(db.prepare("SELECT count(*) AS n FROM t").get()).toEqual({ n: 101 });
    for (const [first, last] of [
      [0, 99],
      [4000, 5_000],
      [file_size - 10, file_size + 10],
      [1_000_000, ""],
    ] as const) {
      const part = await download(id, "", { range: `bytes=${first}-${last}` });
      const end = last === "" ? file_size : Math.min(last + 1, file_size);
      expect([part.status, part.headers.get("content-range")]).toEqual([
        206,
        `bytes ${first}-${end - 1}/${file_size}`,
      ]);
      expect(await bytesOf(part)).toEqual(file.slice(first, end));
    }
    const end = await download(id, "", { range: "bytes=-100" });
    expect([end.status, await bytesOf(end)]).toEqual([206, file.slice(-100)]);
    for (const format of ["sql", "ltx"]) {
      const whole = await bytesOf(await download(id, `?format=${format}`));
      for (const [range, from, to] of [
        ["0-99", 0, 100],
        ["999999-2000000", 999_999, 2_000_001],
        ["1000000-", 1_000_000, whole.length],
        ["-100", whole.length - 100, whole.length],
      ] as const) {
        const part = await download(id, `?format=${format}`, { range: `bytes=${range}` });
        const shown = `bytes ${from}-${to - 1}/${whole.length}`;
        expect([part.status, part.headers.get("content-range")], format).toEqual([206, shown]);
        expect((await bytesOf(part)).join() === whole.slice(from, to).join(), `${format} ${range}`).toBe(
          true,
        );
      }
      const none = await download(id, `?format=${format}`, { range: `bytes=${whole.length}-` });
      expect((await none.json()) as object).toMatchObject({ success: false });
      expect(none.status).toBe(416);
    }
    const again = await Engine.open();
    await again.import((await download(id, "?format=sql")).body as ReadableStream<Uint8Array>);
    expect(again.prepare("SELECT count(*) AS n FROM t").get()).toEqual({ n: 101 });
    expect(new TextDecoder().decode((await bytesOf(await download(id, "?format=ltx"))).slice(0, 4))).toBe(
      "LTX1",
    );
  });

  test("A11 A12 A13 are restored in place; what came after is gone, and the restore can be undone", async () => {
    const { id } = (await post(`/${uuid}/backup`)).body.result;
    await rows(uuid, "CREATE TABLE later (b); INSERT INTO t VALUES (2)");
    const { result } = (await post(`/${uuid}/backup/${id}/restore`)).body;
    expect(await rows(uuid, "SELECT a FROM t")).toEqual([{ a: 1 }]);
    expect((await call(`/${uuid}/query`, { sql: "SELECT * FROM later" })).body.errors[0].message).toContain(
      "no such table",
    );
    expect((await post(`/${uuid}/time_travel/restore?bookmark=${result.previous_bookmark}`)).status).toBe(
      200,
    );
    expect(await rows(uuid, "SELECT a FROM t")).toEqual([{ a: 1 }, { a: 2 }]);
    expect((await call(`/${uuid}/backup`)).body.result).toHaveLength(2);
    // The backup of what was replaced outlives history.
    await post(`/${uuid}/backup/${result.safety_backup}/restore`);
    expect(await rows(uuid, "SELECT a FROM t")).toEqual([{ a: 1 }, { a: 2 }]);
  });

  test("A6 are named by eight digits or more; others are not found", async () => {
    const { id } = (await post(`/${uuid}/backup`)).body.result;
    expect((await download(id.slice(0, 8))).status).toBe(200);
    expect((await download("00000000")).status).toBe(404);
    expect((await download("..%2F..%2Fx")).status).toBe(400);
  });

  test("are deleted, the newest and what others are made of later", async () => {
    const ids: string[] = [];
    for (let i = 0; i < 3; i++) {
      await rows(uuid, "INSERT INTO t VALUES (1)");
      ids.push((await post(`/${uuid}/backup`)).body.result.id);
    }
    const remove = (id?: string) => call(`/${uuid}/backup/${id}`, undefined, { method: "DELETE" });
    const listed = async () =>
      (await call(`/${uuid}/backup`)).body.result.map((each: { id: string }) => each.id);
    expect(await remove(ids[0])).toMatchObject({ status: 200, body: { result: null, messages: [] } });
    expect(await listed()).toEqual([ids[2], ids[1]]);
    const db = await opened(await bytesOf(await download(ids[1] ?? "")));
    expect(db.prepare("SELECT count(*) AS n FROM t").get()).toEqual({ n: 3 });

    // Who deletes the newest is told that it is still listed, until there is another one; also at the second time.
    const stays = [expect.stringContaining("stays listed until another one is made")];
    for (const id of [ids[2], ids[2]?.slice(0, 8)]) {
      expect(await remove(id)).toMatchObject({ status: 200, body: { result: null, messages: stays } });
      expect(await listed()).toEqual([ids[2], ids[1]]);
    }
    const { id } = (await post(`/${uuid}/backup`)).body.result;
    expect(await listed()).toEqual([id, ids[1]]);
    expect(await object().deleteBackup(ids[1] ?? "")).toEqual({ stays: false });
    expect(await object().deleteBackup(id)).toEqual({ stays: true });
  });

  test("of a database that has none, nothing is found, by its name", async () => {
    const none = [{ code: 7404, message: `backups ${count} has no backup yet: BACKUP_NONE` }];
    for (const [path, method] of [
      ["/download", "GET"],
      ["/preview", "GET"],
      ["/restore", "POST"],
      ["/restore?to=another", "POST"],
      ["", "DELETE"],
    ] as const) {
      const of = (id: string) => call(`/${uuid}/backup/${id}${path}`, undefined, { method });
      for (const id of ["00000000", crypto.randomUUID()]) {
        const { status, body } = await of(id);
        expect([status, body.errors], `${method} ${path}`).toEqual([404, none]);
      }
      // A state that history has is no backup.
      const { status, body } = await of("0000000000000002");
      expect([status, body.errors[0].message], `${method} ${path}`).toEqual([
        400,
        expect.stringContaining("a backup id is a UUID"),
      ]);
    }
  });

  test("a token that only reads makes and restores none", async () => {
    const { id } = (await post(`/${uuid}/backup`)).body.result;
    const reading = { token: "look", method: "POST" };
    expect((await call(`/${uuid}/backup`, undefined, reading)).status).toBe(403);
    expect((await call(`/${uuid}/backup/${id}/restore`, undefined, reading)).status).toBe(403);
  });
});

describe("A1 A2 automatic backups", () => {
  test("one an hour, missed hours once, kept for 24 hours, never without the newest", async () => {
    const start = Date.UTC(2026, 10, 21, 10, 20);
    vi.useFakeTimers({ toFake: ["Date"], now: start });
    try {
      uuid = await create("hours");
      await rows(uuid, "CREATE TABLE t (a)");
      await post(`/${uuid}/backup`);
      const skipped = new Set([7, 8, 9]);
      for (let hour = 1; hour <= 60; hour++) {
        // After the 15 minutes over which databases are spread: late by up to 40, and sometimes twice.
        vi.setSystemTime(Date.UTC(2026, 10, 21, 10 + hour, 15 + ((hour * 7) % 40)));
        await rows(uuid, `INSERT INTO t VALUES (${hour})`);
        if (skipped.has(hour)) continue;
        await runDurableObjectAlarm(object());
        if (hour % 5 === 0) await runDurableObjectAlarm(object());
      }
      const all = (await call(`/${uuid}/backup`)).body.result as { id: string; created_at: string }[];
      const hours = all.map(({ created_at }) =>
        Math.floor((Date.parse(created_at) - Date.UTC(2026, 10, 21, 10)) / 3_600_000),
      );
      expect(hours).toEqual([...Array.from({ length: 24 }, (_, i) => 60 - i), 0]);
      for (const { id, created_at } of [all[0], all[20], all.at(-1)] as typeof all) {
        const db = await opened(await bytesOf(await download(id)));
        const [hour = 0] = [Math.floor((Date.parse(created_at) - Date.UTC(2026, 10, 21, 10)) / 3_600_000)];
        expect(db.prepare("SELECT count(*) AS n FROM t").get()).toEqual({ n: hour });
      }
    } finally {
      vi.useRealTimers();
    }
  }, 60_000);
});

describe("the object", () => {
  test("goes on after it was evicted in mid-use, with the same database", async () => {
    await runInDurableObject(object(), async (_, ctx) => ctx.abort("evicted")).catch(() => {});
    expect(await rows(uuid, "SELECT a FROM t")).toEqual([{ a: 1 }]);
  });

  test("B11 time travel names each state, and goes back to it", async () => {
    const before = (await call(`/${uuid}/time_travel/bookmark`)).body.result.bookmark;
    expect(before).toMatch(/^[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{32}$/);
    await rows(uuid, "DELETE FROM t");
    const { result } = (await post(`/${uuid}/time-travel/restore?bookmark=${before}`)).body;
    expect(await rows(uuid, "SELECT a FROM t")).toEqual([{ a: 1 }]);
    await post(`/${uuid}/time_travel/restore?bookmark=${result.previous_bookmark}`);
    expect(await rows(uuid, "SELECT a FROM t")).toEqual([]);
    const now = new Date().toISOString();
    expect((await call(`/${uuid}/time_travel/bookmark?timestamp=${now}`)).status).toBe(200);
    expect((await call(`/${uuid}/time_travel/bookmark?timestamp=2001-01-01`)).status).toBe(400);
    expect((await post(`/${uuid}/time_travel/restore`)).status).toBe(400);
  });
});
