import type { DatabaseSync } from "node:sqlite";
import { SourceError } from "../errors/index.ts";

type Sqlite = typeof import("node:sqlite");

let loading: Promise<Sqlite | undefined> | undefined;

/** The runtime's own SQLite, for its locks; `undefined` where there is none. */
export function sqlite(): Promise<Sqlite | undefined> {
  loading ??= importQuietly();
  return loading;
}

/** Node announces the module as experimental, which is no news to whoever only backs up a file. */
async function importQuietly(): Promise<Sqlite | undefined> {
  const { emitWarning } = process;
  process.emitWarning = ((warning: string | Error, ...rest: unknown[]) => {
    if (!String(warning).startsWith("SQLite is an experimental feature")) {
      Reflect.apply(emitWarning, process, [warning, ...rest]);
    }
  }) as typeof emitWarning;
  try {
    return await import("node:sqlite");
  } catch {
    return undefined;
  } finally {
    process.emitWarning = emitWarning;
  }
}

/** SQLite's result codes, as far as locks need them. */
const BUSY = 5;
const CORRUPT = 11;
const NOTADB = 26;

/** The primary result code of an error of `node:sqlite`. */
function resultCode(error: unknown): number | undefined {
  const code = (error as { errcode?: unknown }).errcode;
  return typeof code === "number" ? code & 0xff : undefined;
}

export function isBusy(error: unknown): boolean {
  return resultCode(error) === BUSY;
}

/** Whether the file is no database that SQLite can open. */
export function isNoDatabase(error: unknown): boolean {
  const code = resultCode(error);
  return code === NOTADB || code === CORRUPT;
}

/**
 * Runs `attempt` until no other connection stands in its way, without blocking the event loop.
 *
 * @throws SourceError `SOURCE_BUSY` after `timeoutMs`
 */
export async function whenFree<T>(
  path: string,
  timeoutMs: number,
  signal: AbortSignal | undefined,
  attempt: () => T,
) {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    signal?.throwIfAborted();
    try {
      return attempt();
    } catch (cause) {
      if (!isBusy(cause)) throw cause;
      if (performance.now() > deadline) {
        const message = `${path} is locked by another process; try again when it is done, or end that process`;
        throw new SourceError("SOURCE_BUSY", message, { name: path }, { cause });
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 1 + Math.random() * 4));
  }
}

/** Begins a read transaction: in WAL mode it holds the log, in rollback mode the file. */
export function beginRead(db: DatabaseSync): void {
  db.exec("BEGIN");
  try {
    // BEGIN alone takes no lock.
    db.prepare("SELECT 1 FROM sqlite_schema LIMIT 1").get();
  } catch (error) {
    db.exec("ROLLBACK");
    throw error;
  }
}

/** Closes a connection, whatever state it is in. */
export function closeQuietly(db: DatabaseSync | undefined): void {
  try {
    db?.close();
  } catch {
    // Closed already.
  }
}
