import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import type { Backup } from "../catalog/folder.ts";
import { SqlDialect } from "../service/arguments.ts";
import { parseRange } from "../service/byte-range.ts";
import { everyBackup } from "../service/service.ts";
import type { KeptBackup } from "../vault/kept-backups.ts";
import { type ApiContext, adminOnly, found, foundBackedUp } from "./access.ts";
import { ApiError, success } from "./envelope.ts";
import { fileAnswer } from "./files.ts";
import { answers, BackupPath, DatabasePath, SAFETY } from "./schemas.ts";

/** Backups, as wrangler 3 makes them, and what it could not do. */
export const backups = new OpenAPIHono<ApiContext>();

const PATH = "/accounts/{account_id}/d1/database/{database_id}/backup";
const Restored = z.object({
  bookmark: z.string(),
  previous_bookmark: z.string().openapi({ description: "restoring it undoes this restore" }),
  safety_backup: z.string().optional().openapi({ description: SAFETY }),
  database_id: z.string().optional().openapi({ description: "the new database" }),
  name: z.string().optional(),
});
const To = z
  .string()
  .max(1000)
  .optional()
  .openapi({ description: "the name of a new database, to be made of the backup" });
const NEEDS_NAME = "that database was deleted: say ?to=NAME to make a new database of its backup";
const STAYS =
  "the newest backup stays listed until another one is made, which is made on top of it; then it is gone";
/** A backup as lists show it. */
export const BackupInfo = z
  .object({
    id: z.string(),
    database_id: z.string(),
    created_at: z.string(),
    state: z.string(),
    num_tables: z.number().int(),
    file_size: z.number().int(),
    kind: z.string(),
    bookmark: z.string(),
    stored_size: z.number().int(),
    origin: z
      .string()
      .optional()
      .openapi({ description: "manual, scheduled, automatic, or restore: what one replaced" }),
    missed: z
      .number()
      .int()
      .optional()
      .openapi({ description: "periods of the schedule before it that had no backup" }),
    partial: z
      .array(z.string())
      .optional()
      .openapi({ description: "the only tables that it holds: no database can be restored from it" }),
  })
  .openapi("Backup");

backups.openapi(
  createRoute({
    method: "post",
    path: PATH,
    summary: "Backs the database up; answers when the backup is stored",
    middleware: [adminOnly] as const,
    request: { params: DatabasePath, query: z.object({ full: z.enum(["true", "false"]).optional() }) },
    responses: answers(BackupInfo, "The backup"),
  }),
  async (c) => {
    const { uuid } = await found(c.env, c.req.valid("param").database_id);
    const full = c.req.valid("query").full === "true";
    return success(c, shownBackup(await c.env.databases.open(uuid).backup({ full }), uuid));
  },
);

backups.openapi(
  createRoute({
    method: "get",
    path: PATH,
    summary: "The backups that are kept, newest first",
    request: { params: DatabasePath },
    responses: answers(z.array(BackupInfo), "The backups"),
  }),
  async (c) => {
    const { uuid } = await foundBackedUp(c.env, c.req.valid("param").database_id);
    const all = await everyBackup(c.env.databases.open(uuid));
    return success(
      c,
      all.filter(({ state }) => state === "done").map((each) => shownBackup(each, uuid)),
    );
  },
);

backups.openapi(
  createRoute({
    method: "delete",
    path: `${PATH}/{backup_id}`,
    summary: "Deletes a backup",
    middleware: [adminOnly] as const,
    request: { params: BackupPath },
    responses: answers(z.null(), "It is no longer listed; messages say so where it still is"),
  }),
  async (c) => {
    const { database_id, backup_id } = c.req.valid("param");
    const { uuid } = await foundBackedUp(c.env, database_id);
    const { stays } = await c.env.databases.open(uuid).deleteBackup(backup_id);
    return success(c, null, stays ? { messages: [STAYS] } : {});
  },
);

backups.openapi(
  createRoute({
    method: "get",
    path: `${PATH}/{backup_id}/download`,
    summary: "A backup as a file, whole or a range of it",
    request: {
      params: BackupPath,
      query: z.object({
        format: z.enum(["sqlite", "sql", "ltx"]).default("sqlite"),
        dialect: SqlDialect.default("sqlite"),
      }),
    },
    responses: { 200: { description: "The file", content: { "application/octet-stream": {} } } },
  }),
  async (c) => {
    const { database_id, backup_id } = c.req.valid("param");
    const { format, dialect } = c.req.valid("query");
    const { uuid } = await foundBackedUp(c.env, database_id);
    const object = c.env.databases.open(uuid);
    const range = parseRange(c.req.header("range"));
    const asking = { readonly: c.get("scope") !== "admin" };
    const download = {
      sql: () => object.dump({ at: backup_id, dialect, range }, asking),
      ltx: () => object.ltx(backup_id, { range }, asking),
      sqlite: () => object.download(backup_id, { range }, asking),
    }[format];
    const answer = fileAnswer(c, await download());
    answer.headers.set("accept-ranges", "bytes");
    return answer;
  },
);

backups.openapi(
  createRoute({
    method: "post",
    path: `${PATH}/{backup_id}/restore`,
    summary:
      "Puts a backup in the place of the database, which is backed up first; or makes a new database of it",
    middleware: [adminOnly] as const,
    request: { params: BackupPath, query: z.object({ to: To }) },
    responses: answers(Restored, "It is in place; messages name tables that have a damaged page"),
  }),
  async (c) => {
    const { database_id, backup_id } = c.req.valid("param");
    const { to } = c.req.valid("query");
    const source = await foundBackedUp(c.env, database_id);
    if (to === undefined) {
      if ("deletedAt" in source) throw new ApiError(400, 7400, NEEDS_NAME, "/to");
      const restored = await c.env.databases.open(source.uuid).restore({ at: backup_id });
      const { bookmark, undo, safety, warnings: messages = [] } = restored;
      return success(c, { bookmark, previous_bookmark: undo, safety_backup: safety?.id }, { messages });
    }
    const restored = await c.env.databases.restoreToNew(source.uuid, backup_id, to);
    const { bookmark, undo, uuid, name, warnings: messages = [] } = restored;
    return success(c, { bookmark, previous_bookmark: undo, database_id: uuid, name }, { messages });
  },
);

/** As the API shows it. */
export function shownBackup(backup: Backup & Partial<KeptBackup>, uuid: string) {
  const { id, createdAt, state, tables, size, kind, bookmark, storedSize, origin, missed, partial } = backup;
  return {
    id,
    database_id: uuid,
    created_at: createdAt,
    state,
    num_tables: tables,
    file_size: size,
    kind,
    bookmark,
    stored_size: storedSize,
    ...(origin !== undefined && { origin, missed }),
    ...(partial && { partial }),
  };
}
