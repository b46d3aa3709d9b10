// The Worker of scripts/bench-d1.mjs and bench-d1-large.mjs: fills a D1 database, and backs it up.
import { backupSteps, d1, pagemark, r2, stateFromBytes, stateToBytes } from "pagemark";

/** A row of about 200 bytes. */
const FILL = `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
  INSERT INTO orders (customer, total, note, at)
  SELECT abs(random() % 10000), abs(random() % 100000) / 100.0, hex(randomblob(75)), datetime('now', random() % 1000000 || ' seconds') FROM n`;

export default {
  async fetch(request, env) {
    const { pathname, searchParams } = new URL(request.url);
    const name = searchParams.get("db") ?? "DB";
    const db = pagemark(d1(env[name]), { name, store: r2(env.BACKUPS) });
    if (pathname === "/fill") {
      const rows = (Number(searchParams.get("mb")) * 1e6) / 200;
      const { meta } = await env.DB.prepare(FILL).bind(Math.round(rows)).run();
      return new Response(`${meta.size_after}`);
    } else if (pathname === "/sql") {
      await env.DB.prepare(await request.text()).run();
    } else if (pathname === "/counted") {
      const calls = { d1: 0, rows: 0, r2: 0 };
      const source = d1(counted(env.DB, calls), { tracking: searchParams.has("tracking") });
      const store = r2(countedBucket(env.BACKUPS, calls));
      const made = await pagemark(source, { name, store }).backup({ full: searchParams.has("full") });
      return Response.json({ made, calls });
    } else if (pathname === "/step") {
      return Response.json(await step(env, name));
    } else if (pathname === "/dump") {
      return new Response(await db.dump({ dialect: "d1", ...(await request.json()) }));
    } else if (pathname === "/backup") {
      return Response.json(await db.backup({ full: true }));
    } else {
      await db.backup();
      return new Response(await db.download());
    }
    return new Response("done");
  },
};

/** One step of a backup with tracking, as an invocation makes it: what it called, and the backup once it is made. */
async function step(env, name) {
  const calls = { d1: 0, rows: 0, r2: 0 };
  const bucket = countedBucket(env.BACKUPS, calls);
  const steps = backupSteps(d1(counted(env.DB, calls), { tracking: true }), { name, store: r2(bucket) });
  const key = `${name}/scratch/state`;
  const kept = await bucket.get(key);
  const state = kept ? stateFromBytes(new Uint8Array(await kept.arrayBuffer())) : await steps.start();
  const made = await steps.step(state, { maxMs: 10_000, maxBytes: 64 << 20 });
  if (made.done) await bucket.delete(key);
  else await bucket.put(key, stateToBytes(made.state));
  return { made: made.done, calls };
}

function counted(db, calls) {
  const batch = async (statements) => {
    calls.d1++;
    const answers = await db.batch(statements);
    for (const { meta } of answers) calls.rows += meta.rows_read ?? 0;
    return answers;
  };
  return { prepare: (sql) => db.prepare(sql), batch };
}

/** A bucket, or an upload to it, whose calls are counted. */
function countedBucket(target, calls) {
  return new Proxy(target, {
    get(_, key) {
      const value = Reflect.get(target, key, target);
      if (typeof value !== "function") return value;
      return (...args) => {
        const result = value.apply(target, args);
        if (key !== "resumeMultipartUpload") calls.r2++;
        if (/MultipartUpload$/.test(String(key))) {
          const wrap = (upload) => countedBucket(upload, calls);
          return result instanceof Promise ? result.then(wrap) : wrap(result);
        }
        return result;
      };
    },
  });
}
