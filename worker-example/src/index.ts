import type { Entrypoint } from "pagemark/worker";

interface Env {
  /** The database that `props` in wrangler.toml names. */
  DB: Service<typeof Entrypoint>;
}

const USAGE = "GET /tables, POST /backup, GET /backups, POST /restore?at=, GET /download?id=\n";

export default {
  async fetch(request, env) {
    const { pathname, searchParams } = new URL(request.url);
    switch (`${request.method} ${pathname}`) {
      case "GET /tables": {
        const tables = env.DB.prepare("SELECT name FROM sqlite_schema WHERE type = ?").bind("table");
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
  },
} satisfies ExportedHandler<Env>;
