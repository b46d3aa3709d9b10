import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import { databaseObject } from "../env.ts";
import { type ExportOptions, exportOptions } from "../jobs/index.ts";
import { type ApiContext, adminOnly } from "./auth.ts";
import { success } from "./envelope.ts";
import { found } from "./found.ts";
import { exportToFile, shownExport, shownImport } from "./job-answers.ts";
import { answers, DatabasePath, envelope, jsonBody } from "./schemas.ts";

/** Exports and imports, for clients that poll. */
export const jobs = new OpenAPIHono<ApiContext>();

const path = (name: string) => `/accounts/{account_id}/d1/database/{database_id}/${name}` as const;

const Tables = z.array(z.string().max(256)).max(1000);
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

const About = z.looseObject({ success: z.boolean() });
const accepted = (description: string) => ({
  202: { description, content: { "application/json": { schema: envelope(About) } } },
});

jobs.openapi(
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
    const object = databaseObject(c.env, uuid);
    const bookmark = body.current_bookmark ?? body.currentBookmark;
    const options = optionsOf(body);
    if (body.outputFormat === "file" && bookmark === undefined) {
      return success(c, await exportToFile(c, object, options)) as never;
    }
    const shown = await shownExport(
      c,
      await object.export({ bookmark, options, readonly: c.get("scope") !== "admin" }),
      isOld(body),
    );
    return success(c, shown, {}, shown.status === "active" ? 202 : 200) as never;
  },
);

jobs.openapi(
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
    const object = databaseObject(c.env, uuid);
    const told = await object.import(
      body.action === "poll"
        ? { action: "poll", bookmark: body.current_bookmark ?? body.currentBookmark }
        : body,
    );
    const shown = await shownImport(c, told);
    return success(c, shown, {}, shown.status === "active" ? 202 : 200) as never;
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
