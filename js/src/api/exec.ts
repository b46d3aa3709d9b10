import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import { hostOf } from "../service/statement-host.ts";
import { runStatement } from "../vault/run-statement.ts";
import { type ApiContext, authenticate } from "./access.ts";
import { problemOf } from "./envelope.ts";

/** Statements in a URL, as QuestDB takes them: `GET /exec?query=BACKUP DATABASE;`. */
export const exec = new OpenAPIHono<ApiContext>();

const FORMS =
  "BACKUP DATABASE [name], RESTORE DATABASE name, SHOW DATABASES, SHOW BACKUPS [FROM name], SHOW BACKUP [id], SHOW ORPHANED BACKUPS, CHECKPOINT CREATE|RELEASE [name], SHOW CHECKPOINTS [name]: docs/statements.md has all";

const Value = z.union([z.string(), z.number(), z.boolean(), z.null()]);
const Answer = z.object({
  query: z.string(),
  columns: z.array(z.object({ name: z.string(), type: z.string() })),
  dataset: z.array(z.array(Value)),
  count: z.number().int(),
  notices: z.array(z.string()).optional(),
});
const Refusal = z.object({
  query: z.string(),
  error: z.string(),
  position: z.number().int().describe("Of the word that is wrong, in UTF-16 code units; 0 for other errors"),
});

exec.openapi(
  createRoute({
    method: "get",
    path: "/exec",
    summary: `Carries a statement out: ${FORMS}`,
    middleware: [authenticate] as const,
    request: { query: z.object({ query: z.string().max(16_000), database: z.string().max(256).optional() }) },
    responses: {
      200: { description: "A table", content: { "application/json": { schema: Answer } } },
      default: { description: "Why there is none", content: { "application/json": { schema: Refusal } } },
    },
  }),
  async (c) => {
    const { query, database } = c.req.valid("query");
    try {
      const readOnly = c.get("scope") !== "admin";
      const host = c.env.statements ?? hostOf(c.env);
      const { columns, rows, notices } = await runStatement(query, host, { database, readOnly });
      const dataset = rows.map((row) => columns.map((name) => row[name] ?? null));
      const types = columns.map((name) => ({
        name,
        type: typeOf(rows.find((row) => row[name] != null)?.[name]),
      }));
      const told = notices.length > 0 && { notices };
      return c.json({ query, columns: types, dataset, count: dataset.length, ...told }, 200);
    } catch (error) {
      const { status, message } = problemOf(error);
      const { position = 0 } = Object((error as { at?: unknown }).at) as { position?: number };
      return c.json({ query, error: message, position }, status);
    }
  },
);

/** As QuestDB calls it. */
function typeOf(value: unknown): string {
  if (typeof value === "number") return "LONG";
  return typeof value === "boolean" ? "BOOLEAN" : "STRING";
}
