import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import { databaseObject, type Env, registry } from "../env.ts";
import { orphanedBackups } from "../orphans.ts";
import { everyDatabase, type Registered } from "../registry.ts";
import { type ApiContext, authenticate } from "./auth.ts";
import { type Command, parseCommand } from "./commands.ts";
import { ApiError, problemOf } from "./envelope.ts";
import { found } from "./found.ts";
import { stringify } from "./json.ts";

/** Commands in a URL, as QuestDB takes them: `GET /exec?query=BACKUP DATABASE;`. */
export const exec = new OpenAPIHono<ApiContext>();

const HELP =
  "there are BACKUP DATABASE [name], SHOW DATABASES, SHOW BACKUPS [FROM name], SHOW ORPHANED BACKUPS, CHECKPOINT CREATE [name], CHECKPOINT RELEASE [name] and SHOW CHECKPOINTS [name]";

const Answer = z.object({
  query: z.string(),
  columns: z.array(z.object({ name: z.string(), type: z.string() })),
  dataset: z.array(z.array(z.unknown())),
  count: z.number().int(),
});

exec.openapi(
  createRoute({
    method: "get",
    path: "/exec",
    summary: `Runs a command: ${HELP}`,
    middleware: [authenticate] as const,
    request: { query: z.object({ query: z.string().max(1000), database: z.string().max(256).optional() }) },
    responses: { 200: { description: "A table", content: { "application/json": { schema: Answer } } } },
  }),
  async (c) => {
    const { query, database } = c.req.valid("query");
    try {
      const command = parseCommand(query);
      if (!command) throw new ApiError(400, 7400, `that is no command; ${HELP}`);
      if (command.writes && c.get("scope") !== "admin") {
        throw new ApiError(403, 10000, "Authentication error: that token may only read");
      }
      const rows = await run(c.env, { ...command, database: command.database ?? database });
      const [first = {}] = rows;
      const columns = Object.entries(first).map(([name, value]) => ({ name, type: typeOf(value) }));
      const dataset = rows.map((row) => Object.values(row));
      const answer = { query, columns, dataset, count: dataset.length };
      return c.body(stringify(answer), 200, { "content-type": "application/json" }) as never;
    } catch (error) {
      const { status, message } = problemOf(error);
      return c.json({ query, error: message, position: 0 }, status) as never;
    }
  },
);

type Row = Record<string, unknown>;

async function run(env: Env, { action, database }: Command): Promise<Row[]> {
  if (action === "show-orphans") return showOrphans(env);
  const databases: Registered[] = [];
  const list = registry(env);
  if (database) databases.push(await found(env, database));
  else for await (const each of everyDatabase((options) => list.list(options))) databases.push(each);
  if (action === "show-databases") {
    return databases.map(({ uuid, name, createdAt, size }) => ({ name, id: uuid, createdAt, size }));
  }
  const rows: Row[] = [];
  // One after the other: this is for a cron's curl, which has time.
  for (const { uuid, name } of databases) {
    const object = databaseObject(env, uuid);
    if (action === "backup") {
      const { id, createdAt, bookmark, size } = await object.backup();
      rows.push({ database: name, id, createdAt, bookmark, size, state: "done" });
    } else if (action === "show-backups") {
      const backups = await object.backups();
      rows.push(
        ...backups.map(({ id, createdAt, kind, size, state }) => ({
          database: name,
          id,
          createdAt,
          kind,
          size,
          state,
        })),
      );
    } else {
      const checkpoint =
        action === "status" ? await object.checkpoint() : await object[`${action}Checkpoint`]();
      if (checkpoint) rows.push({ database: name, in_progress: action !== "release", ...checkpoint });
      else rows.push({ database: name, in_progress: false });
    }
  }
  return rows;
}

async function showOrphans(env: Env): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const { database, id, createdAt, kind, size, state } of orphanedBackups(env)) {
    const { name, uuid, deletedAt } = database;
    rows.push({ database: name, databaseId: uuid, deletedAt, id, createdAt, kind, size, state });
  }
  return rows;
}

/** As QuestDB calls it. */
function typeOf(value: unknown): string {
  if (typeof value === "number") return "LONG";
  return typeof value === "boolean" ? "BOOLEAN" : "STRING";
}
