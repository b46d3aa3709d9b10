import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import { databaseObject } from "../env.ts";
import type { ApiContext } from "./auth.ts";
import { success } from "./envelope.ts";
import { found } from "./found.ts";
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
    counted: z.boolean().openapi({ description: "whether rows were counted; not in large databases" }),
    tables: z.array(
      z.object({
        name: z.string(),
        change: z
          .enum(["vanish", "come", "stay"])
          .openapi({ description: "vanish: the backup does not have it; come: only the backup has it" }),
        rows_now: Rows,
        rows_then: Rows,
      }),
    ),
  })
  .openapi("Preview");

preview.openapi(
  createRoute({
    method: "get",
    path: "/accounts/{account_id}/d1/database/{database_id}/backup/{backup_id}/preview",
    summary: "What a restore would change: tables that vanish, tables that come, rows now and then",
    request: { params: BackupPath },
    responses: answers(Preview, "Those that vanish come first"),
  }),
  async (c) => {
    const { database_id, backup_id } = c.req.valid("param");
    const { uuid } = await found(c.env, database_id);
    const { backup, counted, tables } = await databaseObject(c.env, uuid).preview(backup_id);
    const { id, bookmark, createdAt } = backup;
    const shown = tables.map(({ name, change, rowsNow, rowsThen }) => {
      return { name, change, rows_now: rowsNow, rows_then: rowsThen };
    });
    return success(c, { id, bookmark, created_at: createdAt, counted, tables: shown }) as never;
  },
);
