import type { DatabaseSync } from "node:sqlite";
import type { OpenDatabase, Reader } from "./database.ts";
import { hasOtherSqlite } from "./other-sqlite.ts";
import { ReaderProcess } from "./reader-process.ts";
import { type Sqlite, sqlite, whenFree } from "./sqlite.ts";

/**
 * Opens a connection for read transactions; `undefined` where there is no SQLite.
 *
 * Where the application has another copy of SQLite in this process (better-sqlite3, say), ours runs in a process of its
 * own. One copy knows nothing of the other's locks, and POSIX locks are a process's: they would not keep each other out,
 * and ours would take the other's with them when it closes the file.
 */
export async function openReader(database: OpenDatabase): Promise<Reader | undefined> {
  const module = sqlite();
  if (!module) return undefined;
  return hasOtherSqlite() ? ReaderProcess.start(database) : new OwnReader(module, database);
}

class OwnReader implements Reader {
  readonly #connection: DatabaseSync;
  readonly #path: string;
  readonly #busyTimeoutMs: number;

  constructor({ DatabaseSync }: Sqlite, { path, busyTimeoutMs }: OpenDatabase) {
    this.#connection = new DatabaseSync(path, { readOnly: true });
    this.#path = path;
    this.#busyTimeoutMs = busyTimeoutMs;
  }

  begin(signal?: AbortSignal, pause?: () => Promise<void>): Promise<void> {
    const attempt = () => {
      this.#connection.exec("BEGIN");
      try {
        // BEGIN alone takes no lock. This does, without a look at the schema: a damaged one is backed up too.
        this.#connection.prepare("PRAGMA user_version").get();
      } catch (error) {
        this.end();
        throw error;
      }
    };
    return whenFree(this.#path, this.#busyTimeoutMs, signal, attempt, pause);
  }

  end(): void {
    try {
      this.#connection.exec("ROLLBACK");
    } catch {
      // There was none.
    }
  }

  async close(): Promise<boolean> {
    try {
      this.#connection.close();
    } catch {
      // Closed already.
    }
    return true;
  }
}
