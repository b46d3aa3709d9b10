import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import { statement } from "../service/arguments.ts";
import type { Query } from "../service/options.ts";
import { d1Answer, type QueryResult, type Service } from "../service/service.ts";
import { type ApiContext, found, type Scope } from "./access.ts";
import { success } from "./envelope.ts";
import { answers, DatabasePath, jsonBody, Meta } from "./schemas.ts";

/** SQL over HTTP. */
export const queries = new OpenAPIHono<ApiContext>();

const MOST_BITS = "an INTEGER has at most 64 bits; send it as a string";
const Parameter = z.union(
  [
    z.null(),
    z.boolean(),
    z.number(),
    z
      .bigint()
      .min(-(2n ** 63n), MOST_BITS)
      .max(2n ** 63n - 1n, MOST_BITS)
      .openapi({ type: "integer", format: "int64" }),
    z.string(),
    z.array(z.number().int().min(0).max(255)).openapi({ description: "bytes" }),
  ],
  "a parameter is null, true or false, a finite number, a text, or bytes as an array of numbers",
);
const Statement = statement(z.array(Parameter));
const Batch = z.array(Statement).min(1, "at least one statement").max(1000, "at most 1,000 statements");
/** One of the two would not be run, and nobody would hear of it. */
const NotBoth = z.null("give sql or batch, not both").optional();
const Body = z.union(
  [Statement.extend({ batch: NotBoth }), z.object({ batch: Batch, sql: NotBoth })],
  'give {"sql": …, "params": […]}, or {"batch": [ … ]} of such statements',
);

const Value = z.union([z.null(), z.number(), z.string(), z.array(z.number())]);
const Rows = z.object({
  results: z.array(z.record(z.string(), Value)),
  success: z.literal(true),
  meta: Meta,
});
const RawRows = z.object({
  results: z.object({ columns: z.array(z.string()), rows: z.array(z.array(Value)) }),
  success: z.literal(true),
  meta: Meta,
});

const path = (name: string) => `/accounts/{account_id}/d1/database/{database_id}/${name}` as const;
const request = { params: DatabasePath, body: jsonBody(Body) };

queries.openapi(
  createRoute({
    method: "post",
    path: path("query"),
    summary: "Runs SQL in one transaction; rows are objects",
    request,
    responses: answers(z.array(Rows), "A result for each statement"),
  }),
  async (c) => {
    const results = await run(c.env, c.req.valid("param").database_id, c.req.valid("json"), c.get("scope"));
    return success(c, results.map(d1Answer), { messages: messagesOf(results) });
  },
);

queries.openapi(
  createRoute({
    method: "post",
    path: path("raw"),
    summary: "Runs SQL in one transaction; rows are arrays",
    request,
    responses: answers(z.array(RawRows), "A result for each statement"),
  }),
  async (c) => {
    const results = await run(c.env, c.req.valid("param").database_id, c.req.valid("json"), c.get("scope"));
    const raw = results.map(({ columns, rows, meta }) => ({
      results: { columns, rows },
      success: true as const,
      meta,
    }));
    return success(c, raw, { messages: messagesOf(results) });
  },
);

async function run(
  service: Service,
  id: string,
  body: z.infer<typeof Body>,
  scope: Scope,
): Promise<QueryResult[]> {
  const statements = body.batch ?? [body];
  const queries: Query[] = statements.map(({ sql, params }) => ({ sql, params: params?.map(bytesOrValue) }));
  const uuid = async () => (await found(service, id)).uuid;
  return service.databases.on(id, uuid, (database) =>
    database.query(queries, { readonly: scope !== "admin" }),
  );
}

function messagesOf(results: readonly QueryResult[]): string[] {
  return results.flatMap(({ meta }) => meta.messages ?? []);
}

function bytesOrValue(value: z.infer<typeof Parameter>) {
  return Array.isArray(value) ? Uint8Array.from(value) : value;
}
