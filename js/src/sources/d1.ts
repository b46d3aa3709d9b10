import { SourceError } from "../errors/index.ts";
import { sleep } from "../streams/progress.ts";
import { fromRows } from "./row-pages.ts";
import type { Answers, Cell, PageSource, Query, RowTarget } from "./source.ts";

/** What is used of a D1 binding. */
export interface D1Binding {
  prepare(sql: string): D1Statement;
  batch(statements: D1Statement[]): Promise<D1Answer[]>;
}

interface D1Answer {
  results: unknown[];
  meta: { size_after?: number; served_by?: string };
}

interface D1Statement {
  bind(...values: unknown[]): D1Statement;
}

export interface D1Options {
  /** What it is called in errors, and unless it is named elsewhere. */
  name?: string;
  /** For how long one answer is waited for, in milliseconds; 60,000 unless given. D1 itself gives a query 30 seconds. */
  timeoutMs?: number;
}

/** How often a call that failed for a reason that passes is made again. */
const RETRIES = 4;
const FIRST_PAUSE_MS = 100;
/** Of failures that pass, by what D1's documentation of its errors says. */
const PASSING =
  /network connection lost|reset because|object to be reset|internal error|transient|storage operation exceeded timeout|isolate.*exceeded.*memory|overloaded|queued for too long|did not answer/i;
const BUSY = /overloaded|queued for too long|currently processing/i;

/**
 * A D1 database. It is read by SQL, exactly, and at one moment; see `docs/d1.md`.
 *
 * @example
 * ```ts
 * const db = pagemark(d1(env.DB), { name: "shop", store: r2(env.BACKUPS) });
 * await db.backup();
 * ```
 */
export function d1(
  binding: D1Binding,
  { name = "d1", timeoutMs = 60_000 }: D1Options = {},
): PageSource & RowTarget {
  return fromRows({
    name,
    carriesBlobs: false,
    carriesReals: false,
    answerBytes: 1 << 20,
    ask: (queries, signal) =>
      retried(() => withinPatience(ask(binding, queries), timeoutMs, signal), name, signal),
    async write(statements, signal) {
      signal?.throwIfAborted();
      try {
        const batch = binding.batch(statements.map((sql) => binding.prepare(sql)));
        await withinPatience(batch, timeoutMs, signal);
      } catch (error) {
        if (signal?.aborted) throw error;
        throw failure(name, error, PASSING.test((error as Error).message) ? "SOURCE_BUSY" : "SOURCE_REFUSED");
      }
    },
  });
}

async function ask(binding: D1Binding, queries: readonly Query[]): Promise<Answers> {
  const statements = queries.map(({ sql, values = [] }) => {
    const statement = binding.prepare(sql);
    return values.length > 0 ? statement.bind(...values) : statement;
  });
  const answers = await binding.batch(statements);
  const { size_after: size = 0, served_by: server = "" } = answers[0]?.meta ?? {};
  return {
    rows: answers.map(({ results }) => results.map((row) => Object.values(row as object) as Cell[])),
    size,
    // The local one counts its calls in a table of its own.
    ownChanges: server.startsWith("miniflare") ? 1 : 0,
  };
}

/** Reading does no harm however often it is done. */
async function retried<T>(
  action: () => Promise<T>,
  name: string,
  signal: AbortSignal | undefined,
): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    signal?.throwIfAborted();
    try {
      return await action();
    } catch (error) {
      if (signal?.aborted) throw error;
      const { message } = error as Error;
      if (attempt >= RETRIES || !PASSING.test(message)) throw failure(name, error);
    }
    await sleep(FIRST_PAUSE_MS << attempt, signal);
  }
}

function failure(name: string, error: unknown, code?: `SOURCE_${string}`): SourceError {
  const { message } = error as Error;
  const isBusy = BUSY.test(message);
  const said = `${name}: D1 ${isBusy ? "is busy" : "refused"}: ${message}`;
  const other = isBusy ? "SOURCE_BUSY" : "SOURCE_UNREADABLE";
  return new SourceError(code ?? other, said, { name }, { cause: error });
}

/** D1 can neither be stopped nor told how long to take. */
async function withinPatience<T>(
  answer: Promise<T>,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let stop: (() => void) | undefined;
  const end = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`D1 did not answer for ${timeoutMs / 1000} s`)), timeoutMs);
    stop = () => reject(signal?.reason);
    signal?.addEventListener("abort", stop);
  });
  try {
    return await Promise.race([answer, end]);
  } finally {
    clearTimeout(timer);
    if (stop) signal?.removeEventListener("abort", stop);
  }
}
