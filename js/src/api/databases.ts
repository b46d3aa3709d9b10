import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import { SqlDialect } from "../service/arguments.ts";
import { parseRange } from "../service/byte-range.ts";
import { JURISDICTIONS, jurisdictionOf } from "../service/identity.ts";
import { LOCATIONS, type Registered } from "../service/service.ts";
import { type ApiContext, adminOnly, found } from "./access.ts";
import { success } from "./envelope.ts";
import { fileAnswer } from "./files.ts";
import { AccountPath, answers, DatabaseInfo, DatabaseOrNamePath, DatabasePath, jsonBody } from "./schemas.ts";

/** Databases: to list, create, look at, and delete. */
export const databases = new OpenAPIHono<ApiContext>();

const PATH = "/accounts/{account_id}/d1/database";
const PER_PAGE = 1000;

const ReadReplication = z.strictObject({
  mode: z.literal("disabled", "there is one copy of a database, so read_replication is disabled"),
});
const Changes = z.strictObject({ read_replication: ReadReplication.optional() });
const NewDatabase = z.strictObject({
  // `checkName` says which names there may be.
  name: z.string().max(1000),
  jurisdiction: z.enum(JURISDICTIONS).nullish(),
  primary_location_hint: z.enum(LOCATIONS).nullish(),
  read_replication: ReadReplication.nullish(),
  // wrangler 3.20 says so, and means nothing by it.
  experimental: z.boolean().optional(),
});

databases.openapi(
  createRoute({
    method: "get",
    path: PATH,
    summary: "The databases, a page at a time; past the end a page is empty",
    request: {
      params: AccountPath,
      query: z.object({
        name: z.string().max(256).optional(),
        page: z.coerce.number().int().min(1).max(1_000_000_000).default(1),
        per_page: z.coerce.number().int().min(1).max(10_000).default(PER_PAGE),
      }),
    },
    responses: answers(z.array(DatabaseInfo), "A page of databases"),
  }),
  async (c) => {
    const { name, page, per_page } = c.req.valid("query");
    const { databases, total } = await c.env.databases.list({ name, page, perPage: per_page });
    const result_info = { page, per_page, count: databases.length, total_count: total };
    return success(
      c,
      databases.map((each) => shown(each, c.req.header("user-agent"))),
      { result_info },
    );
  },
);

databases.openapi(
  createRoute({
    method: "post",
    path: PATH,
    summary: "Creates a database",
    middleware: [adminOnly] as const,
    request: { params: AccountPath, body: jsonBody(NewDatabase) },
    responses: answers(DatabaseInfo, "The new database"),
  }),
  async (c) => {
    const { name, jurisdiction, primary_location_hint: location } = c.req.valid("json");
    const made = await c.env.databases.create(name, { jurisdiction, location });
    return success(c, whole(made, c.req.header("user-agent")));
  },
);

databases.openapi(
  createRoute({
    method: "get",
    path: `${PATH}/{database_id}`,
    summary: "A database, by its id or its name",
    request: { params: DatabaseOrNamePath },
    responses: answers(DatabaseInfo.partial(), "The database, or those of its fields that are asked for"),
  }),
  async (c) => {
    const { uuid } = await found(c.env, c.req.valid("param").database_id);
    const info = whole(await c.env.databases.open(uuid).info(), c.req.header("user-agent"));
    // The SDKs repeat the parameter, wrangler joins the names with commas.
    const fields = (c.req.queries("fields") ?? []).flatMap((names) => names.split(",")).filter(Boolean);
    const entries = Object.entries(info).filter(([name]) => fields.length === 0 || fields.includes(name));
    return success(c, Object.fromEntries(entries) as Partial<typeof info>);
  },
);

for (const method of ["put", "patch"] as const) {
  databases.openapi(
    createRoute({
      method,
      path: `${PATH}/{database_id}`,
      summary: "Changes a database: there is nothing to change yet, as there is one copy of each",
      middleware: [adminOnly] as const,
      request: { params: DatabaseOrNamePath, body: jsonBody(Changes) },
      responses: answers(DatabaseInfo, "The database"),
    }),
    async (c) => {
      const { uuid } = await found(c.env, c.req.valid("param").database_id);
      return success(c, whole(await c.env.databases.open(uuid).info(), c.req.header("user-agent")));
    },
  );
}

databases.openapi(
  createRoute({
    method: "delete",
    path: `${PATH}/{database_id}`,
    summary: "Deletes a database; its backups stay",
    middleware: [adminOnly] as const,
    request: { params: DatabasePath },
    responses: answers(z.null(), "It is gone"),
  }),
  async (c) => {
    await c.env.databases.delete(await found(c.env, c.req.valid("param").database_id));
    return success(c, null);
  },
);

databases.openapi(
  createRoute({
    method: "get",
    path: `${PATH}/{database_id}/download`,
    summary: "The database, as it is now or at a bookmark that history has, as a file; also ranges",
    request: {
      params: DatabasePath,
      query: z.object({
        at: z.string().min(1, "at is a bookmark, a backup's id, or a time").max(64).optional(),
        format: z.enum(["sqlite", "sql"]).default("sqlite"),
        dialect: SqlDialect.default("sqlite"),
      }),
    },
    responses: { 200: { description: "The file", content: { "application/octet-stream": {} } } },
  }),
  async (c) => {
    const { uuid } = await found(c.env, c.req.valid("param").database_id);
    const { at, format, dialect } = c.req.valid("query");
    const object = c.env.databases.open(uuid);
    const asking = { readonly: c.get("scope") !== "admin" };
    if (format === "sql") return fileAnswer(c, await object.dump({ at, dialect }, asking));
    const range = parseRange(c.req.header("range"));
    return fileAnswer(c, await object.download(at, { range }, asking));
  },
);

/** As a list shows it. */
function shown(database: Registered, client: string | undefined) {
  const { uuid, name, createdAt, tables, size, lastBackupAt, lastBackupOrigin } = database;
  return {
    uuid,
    name,
    version: versionFor(client),
    created_at: createdAt,
    num_tables: tables,
    file_size: size,
    ...(lastBackupAt && { last_backup_at: lastBackupAt, last_backup_origin: lastBackupOrigin }),
  };
}

function whole(database: Registered, client: string | undefined) {
  const jurisdiction = jurisdictionOf(database.uuid) ?? null;
  return {
    ...shown(database, client),
    ...(database.location && { running_in_region: database.location.toUpperCase() }),
    jurisdiction,
    read_replication: { mode: "disabled" } as const,
  };
}

/** Before 3.49 wrangler offers time travel only for what it knows as "beta". */
function versionFor(client = ""): string {
  const [, major = "", minor = ""] = /^wrangler\/(\d+)\.(\d+)/.exec(client) ?? [];
  return major !== "" && Number(major) <= 3 && (Number(major) < 3 || Number(minor) < 49)
    ? "beta"
    : "production";
}
