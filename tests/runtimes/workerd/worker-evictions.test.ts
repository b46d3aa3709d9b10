// Evictions at every call that an export or an import makes: before it, and when it was made but nobody heard of it.
import { evictDurableObject, runInDurableObject, SELF } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, test } from "vitest";
import { call, create, rows } from "./worker-api.ts";

/** `env` is the objects' own, so a test can change what they are bound to. */
const bucket = env.BACKUPS;
afterEach(() => void Object.assign(env, { BACKUPS: bucket }));

const EXPORT = { output_format: "polling" };
const object = (uuid: string) => env.DATABASES.get(env.DATABASES.idFromName(uuid));
const keysOf = async (uuid: string) =>
  (await bucket.list()).objects.map(({ key }) => key).filter((key) => key.includes(uuid));

/** A bucket that is cut off at its `at`th call, for ever: before the call, or when it is done. */
function cutting(at: number, when: "before" | "after") {
  let calls = 0;
  let isCut = false;
  const cut = () => {
    isCut = true;
  };
  const watched = <T extends object>(target: T): T =>
    new Proxy(target, {
      get(_, name) {
        const value = Reflect.get(target, name, target);
        if (typeof value !== "function") return value;
        return (...args: unknown[]) => {
          const make = () => value.apply(target, args);
          if (name === "resumeMultipartUpload") return watched(make());
          if (++calls !== at) {
            const made = make();
            return name === "createMultipartUpload" ? made.then(watched) : made;
          }
          const made = when === "after" ? Promise.resolve(make()) : Promise.resolve();
          made.then(cut, cut);
          return new Promise(() => {});
        };
      },
    });
  return { bucket: watched(bucket), isCut: () => isCut };
}

/** Makes a job while the bucket is cut off at a call, evicts the object there, and polls to the end. */
async function evictedAt(at: number, when: "before" | "after", uuid: string, job: () => Promise<Polled>) {
  const { bucket: watched, isCut } = cutting(at, when);
  Object.assign(env, { BACKUPS: watched });
  // The object has the bucket that its first request finds.
  await evictDurableObject(object(uuid));
  const ended = job();
  let hasEnded = false;
  const end = () => {
    // What was uploaded is deleted soon afterwards.
    setTimeout(() => {
      hasEnded = true;
    }, 300);
  };
  ended.then(end, end);
  // A promise of the object's would have the rest of this run inside of it, and end with it.
  while (!isCut() && !hasEnded) await new Promise((resolve) => setTimeout(resolve, 5));
  const reached = isCut();
  Object.assign(env, { BACKUPS: bucket });
  // At once, with all its requests: an eviction that waits for them would wait for ever.
  // Whoever asks for it never hears of it.
  if (reached) runInDurableObject(object(uuid), (_, ctx) => ctx.abort("evicted")).catch(() => {});
  return { reached, ended: await ended };
}

interface Polled {
  status: string;
  at_bookmark: string;
  messages: string[];
  signed_url?: string;
  error?: string;
  result?: { num_queries: number };
}

/** Polls until it has ended. A poll that an eviction cut off is made again, as clients do. */
async function finish(uuid: string, path: "export" | "import", started: Polled): Promise<Polled> {
  const body = { current_bookmark: started.at_bookmark, ...(path === "import" && { action: "poll" }) };
  const messages = [...started.messages];
  for (;;) {
    const answer = await call(`/${uuid}/${path}`, body).catch(() => undefined);
    const told: Polled | undefined = answer?.body.result ?? undefined;
    messages.push(...(told?.messages ?? []));
    if (told && told.status !== "active") return { ...told, messages };
  }
}

describe("an object that is evicted at any call to the bucket", () => {
  test("of an export goes on with the same state, and leaves nothing else behind", async () => {
    const uuid = await create("cut export");
    await rows(uuid, "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT)");
    for (let n = 0; n < 6; n++) {
      await rows(
        uuid,
        `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100)
          INSERT INTO t (a) SELECT hex(randomblob(5000)) FROM n`,
      );
    }
    const cuts: string[] = [];
    for (const when of ["before", "after"] as const) {
      let reached = true;
      for (let at = 1; reached; at++) {
        await rows(uuid, `UPDATE t SET a = 'as of ${when} ${at}' WHERE id = 1`);
        const run = await evictedAt(at, when, uuid, async () => {
          const started = (await call(`/${uuid}/export`, EXPORT)).body.result;
          await rows(uuid, "UPDATE t SET a = 'after it' WHERE id = 1");
          return finish(uuid, "export", started);
        });
        reached = run.reached;
        if (reached) cuts.push(`${when} ${at}`);
        expect(run.ended, `${when} ${at}`).toMatchObject({ status: "complete" });
        const file = await SELF.fetch(run.ended.signed_url ?? "");
        const sql = new TextDecoder().decode(await file.arrayBuffer());
        expect(sql.includes(`as of ${when} ${at}'`), `${when} ${at}`).toBe(true);
        expect(sql.match(/^\(\d+,/gm)?.length, `${when} ${at}`).toBe(600);
        const parts = run.ended.messages.filter((message) => message.startsWith("Uploaded part"));
        expect(new Set(parts).size, parts.join()).toBe(parts.length);
      }
    }
    // An upload of two parts: begin, the parts, complete; each before and after.
    expect(cuts.length).toBeGreaterThanOrEqual(8);
    expect((await keysOf(uuid)).length).toBe(cuts.length + 2);
    await evictDurableObject(object(uuid)); // its bucket would be cut off still
    await call(`/${uuid}`, undefined, { method: "DELETE" });
    expect(await keysOf(uuid)).toEqual([]);
  }, 120_000);

  test("of an import runs it once", async () => {
    const cuts: string[] = [];
    for (const when of ["before", "after"] as const) {
      let reached = true;
      for (let at = 1; reached; at++) {
        const uuid = await create(`cut import ${when} ${at}`);
        await rows(uuid, "CREATE TABLE t (a)");
        const filename = `${uuid}.${"0".repeat(16)}.sql`;
        await bucket.put(`imports/${filename}`, "INSERT INTO t VALUES (1);\nINSERT INTO t VALUES (2);\n");
        const run = await evictedAt(at, when, uuid, async () => {
          let started: Polled | undefined;
          // The first call is made before the job is there: then it was not begun, and is asked for again.
          while (!started?.at_bookmark) {
            const answer = await call(`/${uuid}/import`, { action: "ingest", filename }).catch(
              () => undefined,
            );
            started = answer?.body.result ?? undefined;
          }
          return finish(uuid, "import", started);
        });
        reached = run.reached;
        if (reached) cuts.push(`${when} ${at}`);

        expect(run.ended, `${when} ${at}`).toMatchObject({ status: "complete", result: { num_queries: 2 } });

        expect(await rows(uuid, "SELECT count(*) AS n FROM t")).toEqual([{ n: 2 }]);

        await expect.poll(() => keysOf(uuid), { timeout: 25_000 }).toEqual([]);
        if (at === 6) break;
      }
    }
    // Whether it is there, and reading it.
    expect(cuts.length).toBeGreaterThanOrEqual(4);
  }, 120_000);
});
