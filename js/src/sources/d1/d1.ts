import { checkHas, checkOptions } from "../../errors/index.ts";
import { turn } from "../../streams/progress.ts";
import { fromRows } from "../row/pages.ts";
import type { Answers, Cell, PageSource, Query, RowTarget } from "../source.ts";
import { failureOfWrite, retried, withinPatience } from "./calls.ts";

/** What is used of a D1 binding. */
export interface D1Binding {
  prepare(sql: string): D1Statement;
  batch(statements: D1Statement[]): Promise<D1Answer[]>;
  withSession?(constraint: string): D1Session;
}

interface D1Session extends Pick<D1Binding, "prepare" | "batch"> {
  getBookmark(): string | null;
}

interface D1Answer {
  results: unknown[];
  meta: { size_after?: number; served_by?: string };
}

interface D1Statement {
  bind(...values: unknown[]): D1Statement;
}

/** How a D1 database is read through its binding. */
export interface D1Options {
  /** What it is called in errors, and unless it is named elsewhere. */
  name?: string;
  /** For how long one answer is waited for, in milliseconds; 60,000 unless given. D1 itself gives a query 30 seconds. */
  timeoutMs?: number;
  /** Tracks changes by triggers, so that a backup reads only the rows that changed, and is made under any writer. */
  tracking?: boolean;
}

/**
 * A D1 database. It is read by SQL, exactly, and at one moment; see `docs/d1.md`.
 *
 * @example
 * ```ts
 * import { d1, pagemark, r2 } from "pagemark";
 * const db = pagemark(d1(env.DB), { name: "shop", store: r2(env.BACKUPS) });
 * await db.backup();
 * ```
 */
export function d1(binding: D1Binding, options: D1Options = {}): PageSource & RowTarget {
  const { name = "d1", timeoutMs = 60_000, tracking = false } = checkOptions(options);
  checkHas("prepare", binding, "the binding", "a D1 database");
  const local = { isPossible: true };
  return fromRows({
    name,
    carriesBlobs: false,
    carriesReals: false,
    tracking,
    answerBytes: 1 << 20,
    // On one's own machine, D1 and the Worker are one thread.
    pause: turn,
    ask: (queries, signal) =>
      retried(() => withinPatience(ask(binding, queries, local), timeoutMs, signal), name, signal),
    async write(statements, signal) {
      signal?.throwIfAborted();
      try {
        const batch = binding.batch(statements.map((sql) => binding.prepare(sql)));
        await withinPatience(batch, timeoutMs, signal);
        await turn();
      } catch (error) {
        if (signal?.aborted) throw error;
        throw failureOfWrite(name, error);
      }
    },
  });
}

/**
 * Local D1 counts each call as a change, as it notes a bookmark in a table of its own. The bookmark says how many calls that
 * were, and sessions give it. Elsewhere a session is of no use: its answers may come from replicas, all but the first.
 */
async function ask(
  binding: D1Binding,
  queries: readonly Query[],
  local: { isPossible: boolean },
): Promise<Answers> {
  const session = local.isPossible ? binding.withSession?.("first-primary") : undefined;
  const database = session ?? binding;
  const statements = queries.map(({ sql, values = [] }) => {
    const statement = database.prepare(sql);
    return values.length > 0 ? statement.bind(...values) : statement;
  });
  const answers = await database.batch(statements);
  const { size_after: size = 0, served_by: server = "" } = answers[0]?.meta ?? {};
  local.isPossible = server.startsWith("miniflare");
  const rows = answers.map(({ results }) => results.map((row) => Object.values(row as object) as Cell[]));
  if (!local.isPossible) return { rows, size };
  const [, high, low] = /^([0-9a-f]{8})-([0-9a-f]{8})-/.exec(session?.getBookmark() ?? "") ?? [];
  const calls = Number.parseInt(`${high}${low}`, 16);
  return { rows, size, ...(Number.isNaN(calls) ? { ownChanges: 1 } : { noChanges: calls }) };
}
