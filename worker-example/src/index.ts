import { d1Database } from "pagemark/client";
import type { Entrypoint } from "pagemark/worker";

interface Env {
  /** The database that `props` in wrangler.toml names. */
  DB: Service<typeof Entrypoint>;
}

const USAGE = "GET /tables, POST /backup, GET /backups, POST /restore?at=, GET /download?id=\n";

export default {
  async fetch(request, env) {
    try {
      return await answer(request, env);
    } catch (error) {
      const { code, message } = error as { code?: unknown; message: string };
      // What has no code is a defect, here or there: the Worker's log says more.
      if (typeof code !== "string") throw error;
      return Response.json({ code, message }, { status: statusOf(code) });
    }
  },
} satisfies ExportedHandler<Env>;

async function answer(request: Request, env: Env): Promise<Response> {
  const { pathname, searchParams } = new URL(request.url);
  switch (`${request.method} ${pathname}`) {
    case "GET /tables": {
      const db: D1Database = d1Database(env.DB);
      const tables = db.prepare("SELECT name FROM sqlite_schema WHERE type = ?").bind("table");
      return Response.json((await tables.all()).results);
    }
    case "POST /backup":
      return Response.json(await env.DB.backup());
    case "GET /backups":
      return Response.json(await env.DB.backups());
    case "POST /restore":
      return Response.json(await env.DB.restore({ at: searchParams.get("at") ?? undefined }));
    case "GET /download":
      return new Response(await env.DB.download(searchParams.get("id") ?? undefined));
    default:
      return new Response(USAGE, { status: 404 });
  }
}

/** What is not there, and what is asked in a wrong way; all else is not the caller's fault. */
function statusOf(code: string): number {
  if (/_(UNKNOWN|NONE|GONE)$/.test(code)) return 404;
  return /^(USAGE|RANGE|(AT|TIME|NAME|BACKUP|BOOKMARK|SQL|STATEMENT)_\w+)$/.test(code) ? 400 : 500;
}
