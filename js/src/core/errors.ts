import { DamageError, PagemarkError, type Place, SourceError, SqlError } from "../errors/index.ts";

/** Kinds of the core that are the caller's, not damage. */
const CALLERS = /^(NAME|AT|TIME|BACKUP|BOOKMARK|REPLICA)_/;

/** What the core threw as the package's error classes; other errors as they are. `name` is the file or object at hand. */
export function translateCoreError(error: unknown, name?: string): unknown {
  if (error instanceof PagemarkError || !(error instanceof Error)) return error;
  if (error instanceof WebAssembly.RuntimeError) {
    const message = "the core stopped; this is a defect, please report it with the file that caused it";
    return new PagemarkError("INTERNAL", message, {}, { cause: error });
  }
  if (error.name === "EngineError") return engineError(error as ThrownByEngine);
  // Errors of the runtime and of callers may have a code too, but not that name.
  if (error.name !== "CoreError") return error;
  const { code, offset, page, txid, row } = error as Error & Place & { code: string };
  const at: Place = {};
  if (offset !== undefined) at.offset = offset;
  if (page !== undefined) at.page = page;
  if (txid !== undefined) at.txid = txid;
  if (row !== undefined) at.row = row;
  // What `at` may be is about what was asked for, not about the database.
  const about = code.startsWith("AT_") ? undefined : name;
  if (about !== undefined) at.name = about;
  const message = `${about ? `${about}: ` : ""}${error.message}${describe(at)}`;
  return CALLERS.test(code) ? new PagemarkError(code, message, at) : new DamageError(code, message, at);
}

interface ThrownByEngine extends Error {
  code: string;
  sqlite?: number;
  offset?: number;
  line?: number;
}

function engineError({ code, message, sqlite, offset, line, cause }: ThrownByEngine): PagemarkError {
  const at: Place = {};
  if (offset !== undefined) at.offset = offset;
  if (line !== undefined) at.line = line;
  // What a store of files says is of the user's files, and says what to do.
  if (cause instanceof SourceError) return cause;
  const options = cause === undefined ? undefined : { cause };
  if (code === "SQL_ERROR" || code.startsWith("IMPORT_"))
    return new SqlError(code, message, sqlite, at, options);
  if (code === "ENGINE_DAMAGED" || code.startsWith("DATABASE_") || code === "LOAD_SIZE")
    return new DamageError(code, message, at, options);
  return new PagemarkError(code, message, at, options);
}

function describe({ offset, page, txid, row }: Place): string {
  if (page !== undefined) return ` (page ${page})`;
  if (offset !== undefined) return ` (byte ${offset})`;
  if (row !== undefined) return ` (rowid ${row})`;
  return txid === undefined ? "" : ` (TXID ${txid})`;
}

/** Runs `work` on the backups of `database`; what the core throws comes out translated. */
export async function translating<T>(database: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw translateCoreError(error, cut(database));
  }
}

/** A text longer than any database's name would bury what is said about it. */
function cut(database: string): string {
  return database.length > 128 ? `${database.slice(0, 40)}…` : database;
}
