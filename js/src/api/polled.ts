import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { Tables } from "../service/arguments.ts";
import { type ExportOptions, exportOptions, type JobFile, type Reply } from "../service/jobs/exports.ts";
import type { ServedDatabase } from "../service/service.ts";
import { type ApiContext, adminOnly, found } from "./access.ts";
import { ApiError, success } from "./envelope.ts";
import { answers, DatabasePath, envelope, jsonBody, Meta } from "./schemas.ts";
import { urlOf } from "./signed-files.ts";

/** Exports and imports, for clients that poll. */
export const polled = new OpenAPIHono<ApiContext>();

const path = (name: string) => `/accounts/{account_id}/d1/database/{database_id}/${name}` as const;

const DumpOptions = z.object({
  no_schema: z.boolean().optional(),
  no_data: z.boolean().optional(),
  tables: Tables.optional().openapi({ description: "None means all." }),
  compatibility: z.enum(["d1", "sqlite3_cli_only"]).optional(),
});
/** As wrangler wrote it before 3.66. */
const OldDumpOptions = z.object({
  noSchema: z.boolean().optional(),
  noData: z.boolean().optional(),
  tables: Tables.optional(),
});
const Bookmark = z.string().max(256);
const ExportBody = z
  .object({
    output_format: z.literal("polling").optional(),
    current_bookmark: Bookmark.optional(),
    dump_options: DumpOptions.optional(),
    outputFormat: z.enum(["polling", "file"]).optional(),
    currentBookmark: Bookmark.optional(),
    dumpOptions: OldDumpOptions.optional(),
  })
  .refine(
    ({ output_format, outputFormat, current_bookmark, currentBookmark }) =>
      output_format ?? outputFormat ?? current_bookmark ?? currentBookmark,
    { error: 'the only one is "polling"', path: ["output_format"] },
  )
  .refine(
    ({ dump_options: { compatibility, no_data, no_schema } = {} }) =>
      compatibility !== "sqlite3_cli_only" || !(no_data || no_schema),
    {
      error: "sqlite3_cli_only is all of a database: leave no_data and no_schema out",
      path: ["dump_options", "compatibility"],
    },
  );

const Md5 = z
  .string()
  .regex(/^[0-9a-f]{32}$/i, "an etag is an MD5: 32 hex digits")
  .transform((etag) => etag.toLowerCase());
const ImportBody = z.discriminatedUnion("action", [
  z.object({ action: z.literal("init"), etag: Md5.optional() }),
  z.object({ action: z.literal("ingest"), filename: z.string().max(256), etag: Md5.optional() }),
  z.object({
    action: z.literal("poll"),
    current_bookmark: Bookmark.optional(),
    currentBookmark: Bookmark.optional(),
  }),
]);

/** What a client reads of a job; where there is none, only why. */
const About = z
  .object({
    success: z.boolean(),
    type: z.enum(["export", "import"]),
    at_bookmark: z.string(),
    status: z.enum(["active", "complete", "error"]),
    messages: z.array(z.string()).openapi({ description: "since the last answer" }),
    errors: z.array(z.string()),
    error: z.string(),
    result: z
      .object({
        filename: z.string(),
        signed_url: z.string(),
        signedUrl: z.string(),
        final_bookmark: z.string(),
        num_queries: z.number().int(),
        meta: Meta.partial(),
      })
      .partial(),
    filename: z.string(),
    signed_url: z.string().openapi({ description: "of what was exported; valid for an hour" }),
    signedUrl: z.string(),
    upload_url: z.string().openapi({ description: "where to PUT the file to; valid for an hour" }),
    uploadUrl: z.string(),
  })
  .partial()
  .openapi("PolledJob");
type About = z.infer<typeof About>;
const accepted = (description: string) => ({
  202: { description, content: { "application/json": { schema: envelope(About) } } },
});

polled.openapi(
  createRoute({
    method: "post",
    path: path("export"),
    summary:
      "Begins an export as SQL, or with current_bookmark polls it; it is cancelled 15 s after the last poll",
    request: { params: DatabasePath, body: jsonBody(ExportBody) },
    responses: { ...answers(About, "It has ended, or is not known"), ...accepted("Poll again") },
  }),
  async (c) => {
    const body = c.req.valid("json");
    const { uuid } = await found(c.env, c.req.valid("param").database_id);
    const object = c.env.databases.open(uuid);
    const bookmark = body.current_bookmark ?? body.currentBookmark;
    const options = optionsOf(body);
    if (body.outputFormat === "file" && bookmark === undefined) {
      return success(c, await exportToFile(c, object, options));
    }
    const shown = await shownExport(
      c,
      await object.export({ bookmark, options, readonly: c.get("scope") !== "admin" }),
      isOld(body),
    );
    return success(c, shown, {}, shown.status === "active" ? 202 : 200);
  },
);

polled.openapi(
  createRoute({
    method: "post",
    path: path("import"),
    summary: "Imports SQL in one transaction: init, PUT of the file, ingest, then polls",
    middleware: [adminOnly] as const,
    request: { params: DatabasePath, body: jsonBody(ImportBody) },
    responses: { ...answers(About, "Where to upload to, or it has ended"), ...accepted("Poll again") },
  }),
  async (c) => {
    const body = c.req.valid("json");
    const { uuid } = await found(c.env, c.req.valid("param").database_id);
    const object = c.env.databases.open(uuid);
    const told = await object.import(
      body.action === "poll"
        ? { action: "poll", bookmark: body.current_bookmark ?? body.currentBookmark }
        : body,
    );
    const shown = await shownImport(c, told);
    return success(c, shown, {}, shown.status === "active" ? 202 : 200);
  },
);

type Export = z.infer<typeof ExportBody>;

/** As they were given, in either way; nothing when there are none. */
function optionsOf({ dump_options, dumpOptions }: Export): ExportOptions | undefined {
  if (!dump_options && !dumpOptions) return undefined;
  const { no_data, no_schema, tables, compatibility } = dump_options ?? {};
  const { noData, noSchema, tables: oldTables } = dumpOptions ?? {};
  return exportOptions({
    tables: tables ?? oldTables,
    noData: no_data ?? noData,
    noSchema: no_schema ?? noSchema,
    compatibility,
  });
}

function isOld({ outputFormat, currentBookmark, dumpOptions }: Export): boolean {
  return (outputFormat ?? currentBookmark ?? dumpOptions) !== undefined;
}

/**
 * An export's answer with the link to its file: within `result`, where clients look, and beside it, where
 * Cloudflare's own example looks. `isOld` is for wrangler before 3.66, which reads `signedUrl`.
 */
async function shownExport(c: Context<ApiContext>, { answer, file }: Reply, isOld: boolean): Promise<About> {
  if (!answer?.success || !file) return { ...answer };
  const { filename } = file;
  const signed_url = await urlOf(c, "GET", file);
  const link = { filename, signed_url, ...(isOld && { signedUrl: signed_url }) };
  return { ...answer, ...link, result: link };
}

/** An import's answer, or where to upload to. */
async function shownImport(c: Context<ApiContext>, { answer, file }: Reply): Promise<About> {
  if (answer || !file) return { ...answer };
  const upload_url = await urlOf(c, "PUT", file);
  // Before 3.66 wrangler reads the second one.
  return { upload_url, uploadUrl: upload_url, filename: file.filename };
}

/** What is needed of the database. */
type Exporter = Pick<ServedDatabase, "export">;

/** Exports in one request, for wrangler before 3.51, which does not poll. */
async function exportToFile(
  c: Context<ApiContext>,
  object: Exporter,
  options: ExportOptions | undefined,
): Promise<{ signedUrl: string }> {
  let told: Reply = await object.export({ options });
  while (told.answer?.success && told.answer.status === "active") {
    c.req.raw.signal.throwIfAborted();
    told = await object.export({ bookmark: told.answer.at_bookmark, options });
  }
  const { answer, file } = told;
  if (file) return { signedUrl: await urlOf(c, "GET", file as JobFile) };
  throw new ApiError(400, 7500, answer?.error ?? "the export failed");
}
