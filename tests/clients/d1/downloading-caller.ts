// A Worker that reads a download as fast as it comes, and asks for rows.
import { d1Database, type PagemarkBinding } from "pagemark/client";

export default {
  async fetch(request: Request, { OURS }: { OURS: PagemarkBinding }): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/query") {
      const rows = await d1Database(OURS)
        .prepare(searchParams.get("sql") ?? "")
        .all();
      return Response.json(rows.results);
    }
    let bytes = 0;
    for await (const chunk of await OURS.download()) bytes += chunk.length;
    return Response.json(bytes);
  },
};
