import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import { type ApiContext, adminOnly, found } from "./access.ts";
import { ApiError, success } from "./envelope.ts";
import { answers, DatabasePath, SAFETY } from "./schemas.ts";

/** Bookmarks, and going back to them. */
export const timeTravel = new OpenAPIHono<ApiContext>();

const Bookmark = z.object({ bookmark: z.string() });
const Migration = Bookmark.extend({
  migration: z.string().openapi({ description: "what the tool calls it" }),
  created_at: z.string(),
  messages: z.array(z.string()).optional().openapi({ description: "rows of other tables that went with it" }),
});
const Found = Bookmark.extend({
  migrations: z.array(Migration).optional().openapi({
    description: "of now: the states before migrations, newest first; missing where there are none",
  }),
});
const Restored = Bookmark.extend({
  previous_bookmark: z.string().openapi({ description: "restoring it undoes this restore" }),
  safety_backup: z.string().optional().openapi({ description: SAFETY }),
  message: z.string(),
});

// By themselves: of a file, the bookmark of now takes a backup.
timeTravel.openapi(
  createRoute({
    method: "get",
    path: "/accounts/{account_id}/d1/database/{database_id}/migrations",
    summary: "The states before migrations, newest first",
    request: { params: DatabasePath },
    responses: answers(z.array(Migration), "The states"),
  }),
  async (c) => {
    const { uuid } = await found(c.env, c.req.valid("param").database_id);
    return success(c, await c.env.databases.open(uuid).migrations());
  },
);

// wrangler before 3.25 writes a dash.
for (const name of ["time_travel", "time-travel"]) {
  const path = `/accounts/{account_id}/d1/database/{database_id}/${name}`;

  timeTravel.openapi(
    createRoute({
      method: "get",
      path: `${path}/bookmark`,
      summary: "The bookmark of now, or of a time",
      request: { params: DatabasePath, query: z.object({ timestamp: z.string().max(64).optional() }) },
      responses: answers(Found, "The bookmark"),
    }),
    async (c) => {
      const { uuid } = await found(c.env, c.req.valid("param").database_id);
      const { timestamp } = c.req.valid("query");
      const object = c.env.databases.open(uuid);
      if (timestamp) return success(c, { bookmark: await object.bookmarkAt(timestamp) });
      const [bookmark, migrations] = await Promise.all([
        object.bookmark({ readonly: c.get("scope") !== "admin" }),
        object.migrations(),
      ]);
      return success(c, { bookmark, ...(migrations.length > 0 && { migrations }) });
    },
  );

  timeTravel.openapi(
    createRoute({
      method: "post",
      path: `${path}/restore`,
      summary: "Goes back to a bookmark, or to a time",
      middleware: [adminOnly] as const,
      request: {
        params: DatabasePath,
        query: z.object({
          bookmark: z.string().max(64).optional(),
          timestamp: z.string().max(64).optional(),
        }),
      },
      responses: answers(Restored, "It is in place"),
    }),
    async (c) => {
      const { uuid } = await found(c.env, c.req.valid("param").database_id);
      const { bookmark, timestamp } = c.req.valid("query");
      if (!bookmark === !timestamp) {
        throw new ApiError(400, 7400, "Invalid request: give a bookmark or a timestamp");
      }
      const restored = await c.env.databases.open(uuid).restore({ at: bookmark || timestamp });
      const state = restored.instead ?? (bookmark || restored.bookmark);
      const why =
        "history keeps every commit for an hour, then one a minute: this is the state before the bookmark that was asked for";
      const message = `Restored database to bookmark: ${state}${restored.instead ? ` (${why})` : ""}`;
      const { undo, safety, warnings: messages = [] } = restored;
      const result = { bookmark: state, previous_bookmark: undo, safety_backup: safety?.id, message };
      return success(c, result, { messages });
    },
  );
}
