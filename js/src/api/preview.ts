import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import { type ApiContext, found } from "./access.ts";
import { success } from "./envelope.ts";
import { answers, BackupPath } from "./schemas.ts";

/** What a restore would change, without doing it. */
export const preview = new OpenAPIHono<ApiContext>();

const Rows = z
  .number()
  .int()
  .nullable()
  .openapi({ description: "null for a virtual table, and where rows were not counted" });
const Preview = z
  .object({
    id: z.string(),
    bookmark: z.string(),
    created_at: z.string(),
    compared: z.boolean().openapi({
      description: "whether contents were compared; in large databases every table is `changed`",
    }),
    unreadable: z
      .string()
      .optional()
      .openapi({ description: "why the database as it is now cannot be read: all of it is replaced" }),
    tables: z.array(
      z.object({
        name: z.string(),
        change: z
          .enum(["vanish", "come", "changed", "unchanged"])
          .openapi({ description: "vanish: the backup does not have it; come: only the backup has it" }),
        rows_now: Rows,
        rows_then: Rows,
        rows: z
          .object({
            back: z.number().int().openapi({ description: "rows that only the backup has" }),
            gone: z.number().int().openapi({ description: "rows that only the database has" }),
            updated: z.number().int().openapi({ description: "rows of the same rowid with other values" }),
          })
          .nullable()
          .openapi({ description: "null where finding out would mean reading too much" }),
        redefined: z.boolean().openapi({ description: "whether it is defined in other words" }),
      }),
    ),
  })
  .openapi("Preview");

preview.openapi(
  createRoute({
    method: "get",
    path: "/accounts/{account_id}/d1/database/{database_id}/backup/{backup_id}/preview",
    summary: "What a restore would change: tables that vanish, come back and change, and by how many rows",
    request: { params: BackupPath },
    responses: answers(Preview, "Those that vanish come first"),
  }),
  async (c) => {
    const { database_id, backup_id } = c.req.valid("param");
    const { uuid } = await found(c.env, database_id);
    const { backup, tables, ...rest } = await c.env.databases.open(uuid).preview(backup_id);
    const { id, bookmark, createdAt } = backup;
    const shown = tables.map(({ rowsNow, rowsThen, ...each }) => {
      return { ...each, rows_now: rowsNow, rows_then: rowsThen };
    });
    return success(c, { id, bookmark, created_at: createdAt, ...rest, tables: shown });
  },
);
