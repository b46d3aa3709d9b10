import { checkHas, checkOptions, SourceError } from "../errors/index.ts";
import { turn } from "../streams/progress.ts";
import { fromRows } from "./row/pages.ts";
import type { Answers, Cell, PageSource, Query, RowTarget } from "./source.ts";

/** What is used of a Durable Object's `ctx.storage`. */
export interface DurableObjectSql {
  sql: {
    exec(sql: string, ...values: unknown[]): { raw(): Iterable<unknown[]> };
    readonly databaseSize: number;
  };
  transactionSync(action: () => void): void;
}

/** How the database of a Durable Object is read. */
export interface DurableObjectOptions {
  /** What it is called in errors, and unless it is named elsewhere. */
  name?: string;
  /** Tracks changes by triggers, so that a backup reads only the rows that changed. */
  tracking?: boolean;
}

/**
 * The SQL database of a Durable Object, read from inside of it; what was put by `ctx.storage.put` is not part of it.
 *
 * @example
 * ```ts
 * import { durableObject, pagemark, r2 } from "pagemark";
 * const db = pagemark(durableObject(ctx.storage), { name: "room", store: r2(env.BACKUPS) });
 * await db.backup();
 * ```
 */
export function durableObject(
  storage: DurableObjectSql,
  options: DurableObjectOptions = {},
): PageSource & RowTarget {
  const { name = "durable-object", tracking = false } = checkOptions(options);
  checkHas("exec", storage?.sql, "the storage's sql", "a Durable Object's");
  return fromRows({
    name,
    carriesBlobs: true,
    carriesReals: true,
    tracking,
    // Some milliseconds' work, in which nobody else has a turn.
    answerBytes: 256 << 10,
    isHere: true,
    pause: turn,
    async ask(queries, signal) {
      signal?.throwIfAborted();
      return answering(name, "SOURCE_UNREADABLE", () => ask(storage, queries));
    },
    async write(statements, signal) {
      signal?.throwIfAborted();
      answering(name, "SOURCE_REFUSED", () =>
        storage.transactionSync(() => {
          for (const sql of statements) storage.sql.exec(sql);
        }),
      );
      await turn();
    },
  });
}

/** Nothing can come in between: all of it is done before anything is awaited. */
function ask({ sql }: DurableObjectSql, queries: readonly Query[]): Answers {
  const rows = queries.map((query) => [...sql.exec(query.sql, ...(query.values ?? [])).raw()] as Cell[][]);
  return { rows, size: sql.databaseSize };
}

function answering<T>(name: string, code: `SOURCE_${string}`, action: () => T): T {
  try {
    return action();
  } catch (error) {
    const message = `${name}: the storage refused: ${(error as Error).message}`;
    throw new SourceError(code, message, { name }, { cause: error });
  }
}
