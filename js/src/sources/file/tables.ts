// Puts tables into a database that others use: by SQLite, in one transaction.
import type { DatabaseSync } from "node:sqlite";
import { PagemarkError, SourceError } from "../../errors/index.ts";
import type { ReplacedTable, TableReplacement } from "../source.ts";
import { refusedTables, type TableConnection, TableLook } from "../table-look.ts";
import { OpenDatabase } from "./database.ts";
import { fileError } from "./errors.ts";
import { realPath } from "./handle.ts";
import { hasOtherSqlite } from "./other-sqlite.ts";
import { resultCode, sqlite, whenFree } from "./sqlite.ts";

/**
 * See `PageSource.replaceTables`. Foreign keys are not enforced meanwhile: dropping a table would set off what they do when rows
 * are deleted. What refers to the tables is looked at before and after instead.
 */
export async function replaceTables(
  path: string,
  waitMs: number,
  replacement: TableReplacement,
): Promise<ReplacedTable[]> {
  const connection = await open(path, waitMs);
  try {
    return await new Replacing(connection, path, waitMs, replacement).run();
  } catch (error) {
    // What SQLite says, and nobody has put into other words.
    if (resultCode(error) !== undefined) throw refusedTables(path, (error as Error).message, error);
    throw fileError(error, path, "write");
  } finally {
    // Rolls back what was not committed.
    connection.close();
  }
}

async function open(path: string, waitMs: number): Promise<DatabaseSync> {
  const { DatabaseSync } = sqlite() ?? {};
  if (!DatabaseSync) {
    const message =
      "to put a table into a database takes node:sqlite, which this runtime lacks; use Node, or the command";
    throw new PagemarkError("RUNTIME_UNSUPPORTED", message);
  }
  if (hasOtherSqlite()) {
    const message = `${path}: another copy of SQLite is loaded in this process (better-sqlite3, say), whose locks ours cannot see; run the command \`pagemark restore --table\` instead`;
    throw new SourceError("SOURCE_IN_USE", message, { name: path });
  }
  const real = realPath(path);
  // SQLite would make a new file where there is none, and say little of what is no database.
  (await OpenDatabase.open(real, waitMs)).main.close();
  const connection = new DatabaseSync(real, { enableForeignKeyConstraints: false });
  // Checkpoints are the business of those whose database it is.
  connection.exec("PRAGMA wal_autocheckpoint = 0; PRAGMA temp_store = MEMORY");
  return connection;
}

class Replacing {
  readonly #connection: DatabaseSync;
  readonly #path: string;
  readonly #waitMs: number;
  readonly #replacement: TableReplacement;
  readonly #look: TableLook;

  constructor(connection: DatabaseSync, path: string, waitMs: number, replacement: TableReplacement) {
    this.#connection = connection;
    this.#path = path;
    this.#waitMs = waitMs;
    this.#replacement = replacement;
    this.#look = new TableLook(connectionOf(connection), path, replacement.tables);
  }

  async run(): Promise<ReplacedTable[]> {
    const { before, statements, signal } = this.#replacement;
    let version: unknown;
    await this.#whenFree(() => {
      version = this.#version();
    });
    await before();
    await this.#whenFree(() => this.#connection.exec("BEGIN IMMEDIATE"));
    if (this.#version() !== version) await before();
    const seen = this.#look.see();
    for (const drop of this.#look.drops(seen)) this.#connection.exec(drop);
    for await (const statement of statements) {
      signal?.throwIfAborted();
      this.#connection.exec(statement);
    }
    const replaced = this.#look.replaced(seen, this.#look.see());
    signal?.throwIfAborted();
    await this.#whenFree(() => this.#connection.exec("COMMIT"));
    return replaced;
  }

  /** Changes when another connection commits. */
  #version(): unknown {
    return this.#connection.prepare("PRAGMA data_version").get()?.data_version;
  }

  #whenFree(attempt: () => void): Promise<void> {
    return whenFree(this.#path, this.#waitMs, this.#replacement.signal, attempt);
  }
}

/** Rows with integers of 64 bits, as rowids are. */
function connectionOf(database: DatabaseSync): TableConnection {
  return {
    rows(sql, ...bound) {
      const statement = database.prepare(sql);
      statement.setReadBigInts(true);
      return statement.iterate(...bound);
    },
    compile: (sql) => void database.prepare(sql),
  };
}
