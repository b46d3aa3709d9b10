// What requests and answers look like; the OpenAPI document is made of it.
import { z } from "@hono/zod-openapi";
import { ID } from "../service/arguments.ts";
import { JURISDICTIONS } from "../service/identity.ts";

/** An account's id and a database's, as they stand in paths. */
export const AccountPath = z.object({
  account_id: z
    .string()
    .max(32)
    .regex(/^[\w-]+$/, "an account id is letters, digits, - and _")
    .openapi({ example: "acct" }),
});
export const DatabasePath = AccountPath.extend({ database_id: z.guid("a database id is a UUID") });
export const BackupPath = DatabasePath.extend({
  // Not a TXID either: that may be of a state which only history has.
  backup_id: z.string().regex(ID, "a backup id is a UUID, or its first eight digits"),
});
export const JobPath = DatabasePath.extend({ job_id: z.guid("a job id is a UUID") });
export const DatabaseOrNamePath = AccountPath.extend({ database_id: z.string().min(1).max(256) });

export const DatabaseInfo = z
  .object({
    uuid: z.string(),
    name: z.string(),
    version: z.string(),
    created_at: z.string(),
    num_tables: z.number().int(),
    file_size: z.number().int(),
    last_backup_at: z.string().optional().openapi({ description: "in lists, where there is one" }),
    last_backup_origin: z.string().nullish().openapi({ description: "manual, automatic, or restore" }),
    running_in_region: z.string().optional().openapi({ description: "where it was asked to be" }),
    jurisdiction: z.enum(JURISDICTIONS).nullish(),
    read_replication: z.object({ mode: z.literal("disabled") }).optional(),
  })
  .openapi("Database");

const Count = z.number().int();
/** What statements did, in D1's words. */
export const Meta = z
  .object({
    served_by: z.string(),
    served_by_primary: z.boolean(),
    total_attempts: Count,
    timings: z.object({ sql_duration_ms: z.number() }),
    duration: z.number(),
    changes: Count,
    last_row_id: Count,
    changed_db: z.boolean(),
    size_after: Count.openapi({ description: "of the database, in bytes" }),
    rows_read: Count,
    rows_written: Count,
    messages: z.array(z.string()).optional(),
  })
  .openapi("Meta");

/** What `safety_backup` of a restore is. */
export const SAFETY = "the backup of what was replaced; its origin is restore";

const Problem = z
  .object({
    code: z.number().int(),
    message: z.string(),
    source: z.object({ pointer: z.string() }).optional(),
  })
  .openapi("Problem");

const ResultInfo = z
  .object({
    page: z.number().int(),
    per_page: z.number().int(),
    count: z.number().int(),
    total_count: z.number().int(),
  })
  .openapi({ description: "where the page is, in lists" });

/** The envelope around a result. */
export function envelope<T extends z.ZodType>(result: T) {
  return z.object({
    result,
    success: z.literal(true),
    errors: z.array(Problem).max(0),
    messages: z.array(z.string()),
    result_info: ResultInfo.optional(),
  });
}

const Failure = z
  .object({
    result: z.null(),
    success: z.literal(false),
    errors: z.array(Problem),
    messages: z.array(z.string()),
  })
  .openapi("Failure");

/** The answers of a route: its result in the envelope, and the refusals. */
export function answers<T extends z.ZodType>(result: T, description: string) {
  const refused = (why: string) => ({
    description: why,
    content: { "application/json": { schema: Failure } },
  });
  return {
    200: { description, content: { "application/json": { schema: envelope(result) } } },
    400: refused("The request is not right, or SQLite refused it"),
    401: refused("No token was sent"),
    403: refused("The token is not known, or may only read"),
    404: refused("There is no such database"),
    413: refused("The request or its result is too large"),
    429: refused("Too much is under way; it was not begun"),
  };
}

/** A JSON body. */
export function jsonBody<T extends z.ZodType>(schema: T) {
  return { content: { "application/json": { schema } }, required: true };
}
