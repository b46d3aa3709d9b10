// The Worker of scripts/bench-d1.mjs: fills a D1 database, and backs it up.
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
    } else if (pathname === "/backup") {
      return Response.json(await db.backup({ full: true }));
    } else {
      await db.backup();
      return new Response(await db.download());
    }
    return new Response("done");
  },
};
