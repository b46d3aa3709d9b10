import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import { orphanedBackupsOf } from "../service/service.ts";
import type { ApiContext } from "./access.ts";
import { BackupInfo, shownBackup } from "./backups.ts";
import { success } from "./envelope.ts";
import { AccountPath, answers } from "./schemas.ts";

/** Backups of databases that were deleted. */
export const orphans = new OpenAPIHono<ApiContext>();

/** Databases in a page; each is asked for its backups. */
const PER_PAGE = 100;
const Orphan = BackupInfo.extend({ database_name: z.string(), deleted_at: z.string() }).openapi(
  "OrphanedBackup",
);

orphans.openapi(
  createRoute({
    method: "get",
    path: "/accounts/{account_id}/d1/backups",
    summary:
      "The backups of databases that were deleted, those of the last deleted first; a page has so many databases",
    request: {
      params: AccountPath,
      query: z.object({
        orphaned: z.enum(
          ["", "true", "1"],
          "this lists backups of deleted databases: say ?orphaned; those of a database are at /d1/database/{id}/backup",
        ),
        page: z.coerce.number().int().min(1).max(1_000_000_000).default(1),
        per_page: z.coerce.number().int().min(1).max(PER_PAGE).default(PER_PAGE),
      }),
    },
    responses: answers(z.array(Orphan), "The backups; databases are counted"),
  }),
  async (c) => {
    const { page, per_page } = c.req.valid("query");
    const { databases, total } = await c.env.databases.listDeleted({ page, perPage: per_page });
    const backups = await Promise.all(databases.map((each) => orphanedBackupsOf(c.env.databases, each)));
    const result_info = { page, per_page, count: databases.length, total_count: total };
    const shown = backups.flat().map(({ database, ...backup }) => ({
      ...shownBackup(backup, database.uuid),
      database_name: database.name,
      deleted_at: database.deletedAt,
    }));
    return success(
      c,
      shown.filter(({ state }) => state === "done"),
      { result_info },
    );
  },
);
