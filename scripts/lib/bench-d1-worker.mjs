// The Worker of scripts/bench-d1.mjs and bench-d1-large.mjs: fills a D1 database, and backs it up.
import { d1, pagemark, r2 } from "pagemark";

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
      await env.DB.prepare(FILL).bind(Math.round(rows)).run();
    } else if (pathname === "/sql") {
      await env.DB.prepare(await request.text()).run();
    } else if (pathname === "/counted") {
      const calls = { d1: 0, rows: 0, r2: 0 };
      const source = d1(counted(env.DB, calls), { tracking: searchParams.has("tracking") });
      const store = r2(countedBucket(env.BACKUPS, calls));
      const made = await pagemark(source, { name, store }).backup();
      return Response.json({ made, calls });
    } else if (pathname === "/backup") {
      return Response.json(await db.backup({ full: true }));
    } else {
      await db.backup();
      return new Response(await db.download());
    }
    return new Response("done");
  },
};

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
