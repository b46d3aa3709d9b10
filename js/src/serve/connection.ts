// Connections to files, as a process keeps them between requests.
import { statSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import { PagemarkError, SqlError } from "../errors/index.ts";
import { resultCode, type Sqlite, sqlite } from "../sources/file/sqlite.ts";

/** For how long a statement waits for somebody else's lock, in milliseconds. */
const BUSY_MS = 5000;
/** A connection that nobody uses is closed after so long, in milliseconds: others may want the file to themselves. */
const IDLE_MS = 3000;

/** Result codes of SQLite (https://www.sqlite.org/rescode.html). */
const BUSY = 5;
const LOCKED = 6;
const NOMEM = 7;
const READONLY = 8;
const IOERR = 10;
const CORRUPT = 11;
const FULL = 13;
const CANTOPEN = 14;
const RANGE = 25;
const NOTADB = 26;

interface Open {
  readonly db: DatabaseSync;
  /** The file's inode when it was opened: another one may have its name by now. */
  readonly inode: bigint;
}

/** The open connections of a process: for each file one that writes, and one that cannot. */
export class Connections {
  readonly #open = new Map<string, Open>();
  #timer: NodeJS.Timeout | undefined;

  /** Runs `use` on a connection; what it leaves open of a transaction is rolled back. */
  with<T>(path: string, readonly: boolean, use: (db: DatabaseSync) => T): T {
    const key = `${readonly ? "r" : "w"}${path}`;
    clearTimeout(this.#timer);
    const db = this.#connect(key, path, readonly);
    try {
      return use(db);
    } catch (error) {
      throw asKnown(error, readonly);
    } finally {
      if (db.isTransaction) db.exec("ROLLBACK");
      this.#timer = setTimeout(() => this.close(), IDLE_MS);
    }
  }

  /** Closes those of a file, or all. */
  close(path?: string): void {
    // Those that write come last: the last one that is closed clears away what is beside the file.
    for (const [key, { db }] of [...this.#open].sort(([a], [b]) => (a < b ? -1 : 1))) {
      if (path !== undefined && key.slice(1) !== path) continue;
      this.#open.delete(key);
      db.close();
    }
  }

  #connect(key: string, path: string, readonly: boolean): DatabaseSync {
    const inode = statSync(path, { bigint: true, throwIfNoEntry: false })?.ino;
    const known = this.#open.get(key);
    if (known && known.inode === inode) return known.db;
    this.close(path);
    if (inode === undefined)
      throw new PagemarkError("DATABASE_UNKNOWN", "there is no such database; it may have been deleted");
    const db = connect(path, readonly);
    this.#open.set(key, { db, inode });
    return db;
  }
}

/** @throws PagemarkError `RUNTIME_OLD` where SQLite is missing, or cannot give rows as arrays */
export function databaseClass(): Sqlite["DatabaseSync"] {
  const found = sqlite();
  if (typeof found?.StatementSync.prototype.setReturnArrays === "function") return found.DatabaseSync;
  const { node } = process.versions;
  const message = `pagemark serve needs Node 22.16 or later, and this is Node ${node}; install a newer one`;
  throw new PagemarkError("RUNTIME_OLD", message);
}

function connect(path: string, readonly: boolean): DatabaseSync {
  const DatabaseSync = databaseClass();
  const open = (readOnly: boolean) => {
    const db = new DatabaseSync(path, { readOnly, timeout: BUSY_MS });
    try {
      // Reads the header: what is no database, or is locked, is told here.
      db.exec(
        readonly
          ? "PRAGMA query_only = ON; SELECT 1 FROM sqlite_schema LIMIT 1"
          : "SELECT 1 FROM sqlite_schema LIMIT 1",
      );
    } catch (error) {
      db.close();
      throw error;
    }
    return db;
  };
  try {
    return open(readonly);
  } catch (error) {
    // A writer that died has left its journal: whoever may write takes it back, as every program does that opens the file.
    if (!readonly || ![READONLY, CANTOPEN].includes(resultCode(error) ?? 0)) throw asKnown(error, readonly);
    try {
      open(false).close();
      return open(true);
    } catch (again) {
      throw asKnown(again, readonly);
    }
  }
}

const MEANINGS: Readonly<Record<number, readonly [code: string, message: string]>> = {
  [BUSY]: ["SOURCE_BUSY", `somebody else has written to the database for ${BUSY_MS / 1000} s; try again`],
  [LOCKED]: ["SOURCE_BUSY", "somebody else has the database locked; try again"],
  [NOMEM]: ["ENGINE_MEMORY", "the statement needs too much memory; ask for less at a time"],
  [CORRUPT]: [
    "SQL_ERROR",
    "the database file is damaged: `pagemark check` says more, and `pagemark restore` brings a backup back",
  ],
  [FULL]: ["SOURCE_FULL", "the disk is full, and the transaction was rolled back; make room"],
  [IOERR]: ["SOURCE_UNREADABLE", "the database file cannot be read or written; look at the disk"],
  [RANGE]: ["ENGINE_PARAMETERS", "the statement takes another number of parameters"],
  [NOTADB]: ["DATABASE_NOT_SQLITE", "the file is not a SQLite database, or is encrypted"],
};

/** An error of SQLite, in the package's words; every other one as it is. */
function asKnown(error: unknown, readonly: boolean): unknown {
  const result = resultCode(error);
  if (result === undefined) return error;
  const cause = { cause: error };
  if (result === READONLY && readonly) {
    return new PagemarkError("READ_ONLY", "this access may only read, and the statement writes", {}, cause);
  }
  if (result === READONLY)
    return new PagemarkError("SOURCE_DENIED", "the database file may not be written to", {}, cause);
  const [code, message] = MEANINGS[result] ?? [];
  if (code !== undefined && message !== undefined) return new PagemarkError(code, message, {}, cause);
  const { message: said, errcode } = error as Error & { errcode: number };
  return new SqlError("SQL_ERROR", said, errcode, {}, cause);
}
