import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import { everyDatabase, orphanedBackups, type Registered, type Service } from "../service/service.ts";
import { type ApiContext, authenticate, found } from "./access.ts";
import { ApiError, problemOf } from "./envelope.ts";

/** Commands in a URL, as QuestDB takes them: `GET /exec?query=BACKUP DATABASE;`. */
export const exec = new OpenAPIHono<ApiContext>();

const HELP =
  "there are BACKUP DATABASE [name], SHOW DATABASES, SHOW BACKUPS [FROM name], SHOW ORPHANED BACKUPS, CHECKPOINT CREATE [name], CHECKPOINT RELEASE [name] and SHOW CHECKPOINTS [name]";

const Value = z.union([z.string(), z.number(), z.boolean(), z.null()]);
const Answer = z.object({
  query: z.string(),
  columns: z.array(z.object({ name: z.string(), type: z.string() })),
  dataset: z.array(z.array(Value)),
  count: z.number().int(),
});
const Refusal = z.object({ query: z.string(), error: z.string(), position: z.number().int() });

exec.openapi(
  createRoute({
    method: "get",
    path: "/exec",
    summary: `Runs a command: ${HELP}`,
    middleware: [authenticate] as const,
    request: { query: z.object({ query: z.string().max(1000), database: z.string().max(256).optional() }) },
    responses: {
      200: { description: "A table", content: { "application/json": { schema: Answer } } },
      default: { description: "Why there is none", content: { "application/json": { schema: Refusal } } },
    },
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
      return c.json({ query, columns, dataset, count: dataset.length }, 200);
    } catch (error) {
      const { status, message } = problemOf(error);
      return c.json({ query, error: message, position: 0 }, status);
    }
  },
);

type Row = Record<string, z.infer<typeof Value>>;

async function run(service: Service, { action, database }: Command): Promise<Row[]> {
  if (action === "show-orphans") return showOrphans(service);
  const databases: Registered[] = [];
  if (database) databases.push(await found(service, database));
  else
    for await (const each of everyDatabase((options) => service.databases.list(options)))
      databases.push(each);
  if (action === "show-databases") {
    return databases.map(({ uuid, name, createdAt, size }) => ({ name, id: uuid, createdAt, size }));
  }
  const rows: Row[] = [];
  // One after the other: this is for a cron's curl, which has time.
  for (const { uuid, name } of databases) {
    const object = service.databases.open(uuid);
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

async function showOrphans({ databases }: Service): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const { database, id, createdAt, kind, size, state } of orphanedBackups(databases)) {
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

/** What `/exec` can be told, and of which database; of all of them when none is named. */
interface Command {
  action: "backup" | "show-databases" | "show-backups" | "show-orphans" | "create" | "release" | "status";
  database: string | undefined;
  /** Whether it changes something. */
  writes: boolean;
}

const NAME = String.raw`(?:\s+(?:"((?:[^"]|"")+)"|'((?:[^']|'')+)'|([\w.-]+)))?`;
const FORMS: readonly [RegExp, Command["action"], boolean][] = [
  [form(String.raw`BACKUP\s+DATABASE${NAME}`), "backup", true],
  [form(String.raw`SHOW\s+DATABASES`), "show-databases", false],
  [form(String.raw`SHOW\s+ORPHANED\s+BACKUPS`), "show-orphans", false],
  [form(String.raw`SHOW\s+BACKUPS(?:\s+FROM)?${NAME}`), "show-backups", false],
  [form(String.raw`CHECKPOINT\s+CREATE${NAME}`), "create", true],
  [form(String.raw`SNAPSHOT\s+PREPARE${NAME}`), "create", true],
  [form(String.raw`CHECKPOINT\s+RELEASE${NAME}`), "release", true],
  [form(String.raw`SNAPSHOT\s+COMPLETE${NAME}`), "release", true],
  [form(String.raw`SELECT\s+\*\s+FROM\s+checkpoint_status\(\)`), "status", false],
  [form(String.raw`SHOW\s+CHECKPOINTS?${NAME}`), "status", false],
];

/** Reads a command as QuestDB spells it; nothing for what is none. It is never SQL that reaches a database. */
function parseCommand(text: string): Command | undefined {
  for (const [pattern, action, writes] of FORMS) {
    const match = pattern.exec(text);
    if (!match) continue;
    const [, double, single, bare] = match;
    const database = double?.replaceAll('""', '"') ?? single?.replaceAll("''", "'") ?? bare;
    return { action, database, writes };
  }
  return undefined;
}

function form(pattern: string): RegExp {
  return new RegExp(String.raw`^\s*${pattern}\s*;?\s*$`, "i");
}
