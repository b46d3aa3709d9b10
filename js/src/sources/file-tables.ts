// Puts tables into a database that others use: by SQLite, in one transaction.
import type { DatabaseSync } from "node:sqlite";
import { PagemarkError, SourceError } from "../errors/index.ts";
import { OpenDatabase } from "./file-database.ts";
import { fileError } from "./file-errors.ts";
import { realPath } from "./file-handle.ts";
import { hasOtherSqlite } from "./file-other-sqlite.ts";
import { resultCode, sqlite, whenFree } from "./file-sqlite.ts";
import type { ReplacedTable, TableReplacement } from "./source.ts";

interface SchemaRow {
  type: "table" | "index" | "view" | "trigger";
  name: string;
  /** The table or view that it is of. */
  table: string;
}

/** What the rest of the database demands of the tables, and does not get. */
interface Complaints {
  /** Rows that refer to none, by what names them. */
  orphans: Map<string, string>;
  /** What SQLite says of views and triggers that it cannot compile. */
  broken: Map<string, string>;
}

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
    if (resultCode(error) !== undefined) throw refused(path, (error as Error).message, error);
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

  constructor(connection: DatabaseSync, path: string, waitMs: number, replacement: TableReplacement) {
    this.#connection = connection;
    this.#path = path;
    this.#waitMs = waitMs;
    this.#replacement = replacement;
  }

  async run(): Promise<ReplacedTable[]> {
    const { before, statements, signal } = this.#replacement;
    let seen: unknown;
    await this.#whenFree(() => {
      seen = this.#version();
    });
    await before();
    await this.#whenFree(() => this.#connection.exec("BEGIN IMMEDIATE"));
    if (this.#version() !== seen) await before();
    const objects = this.#objects();
    const complaints = this.#complaints(objects);
    const old = objects.filter(({ type, name }) => isTableOrView(type) && this.#isMeant(name));
    for (const { type, name } of old) this.#connection.exec(`DROP ${type} IF EXISTS ${quoted(name)}`);
    for await (const statement of statements) {
      signal?.throwIfAborted();
      this.#connection.exec(statement);
    }
    const now = this.#objects();
    this.#refuseNew(complaints, this.#complaints(now));
    const replaced = this.#replaced(old, now);
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

  #objects(): SchemaRow[] {
    const rows = this.#connection.prepare(`SELECT type, name, tbl_name AS "table" FROM sqlite_schema`).all();
    return rows as unknown as SchemaRow[];
  }

  #isMeant(name: string): boolean {
    return this.#replacement.tables.some((table) => same(table, name));
  }

  #complaints(objects: readonly SchemaRow[]): Complaints {
    return { orphans: this.#orphans(), broken: this.#broken(objects) };
  }

  /** Rows of the tables, and of those that refer to them, whose parents are not there. */
  #orphans(): Map<string, string> {
    const refer = this.#connection.prepare(
      `SELECT DISTINCT m.name AS name, f."table" AS parent FROM sqlite_schema m, pragma_foreign_key_list(m.name) f WHERE m.type = 'table'`,
    );
    const keys = refer.all() as unknown as { name: string; parent: string }[];
    const meant = keys.filter(({ name, parent }) => this.#isMeant(name) || this.#isMeant(parent));
    const found = new Map<string, string>();
    for (const name of new Set(meant.map((key) => key.name))) {
      for (const [key, orphan] of this.#orphansOf(name)) found.set(key, orphan);
    }
    return found;
  }

  *#orphansOf(name: string): Generator<[string, string]> {
    const table = JSON.stringify(name);
    try {
      const check = this.#connection.prepare(
        "SELECT rowid AS row, parent, fkid FROM pragma_foreign_key_check(?)",
      );
      check.setReadBigInts(true);
      for (const { row, parent, fkid } of check.iterate(name)) {
        const which = row === null ? "a row" : `the row ${row}`;
        const to = JSON.stringify(parent);
        yield [
          `${name} ${row} ${parent} ${fkid}`,
          `${which} of table ${table} would refer to none of table ${to}; restore ${to} too`,
        ];
      }
    } catch (error) {
      // A table that is referred to by what is no key there.
      yield [`${name} ${error}`, `table ${table}: ${(error as Error).message}`];
    }
  }

  /** Views that cannot be read, and tables whose triggers would make each write fail. */
  #broken(objects: readonly SchemaRow[]): Map<string, string> {
    const found = new Map<string, string>();
    const attempt = (what: string, sql: string) => {
      try {
        this.#connection.prepare(sql);
      } catch (error) {
        found.set(what, (error as Error).message);
      }
    };
    for (const { type, name } of objects)
      if (type === "view") attempt(`view ${JSON.stringify(name)}`, `SELECT * FROM ${quoted(name)}`);
    const triggers = objects.filter(({ type }) => type === "trigger");
    for (const name of new Set(triggers.map(({ table }) => table))) {
      const what = `triggers of ${JSON.stringify(name)}`;
      attempt(what, `INSERT INTO ${quoted(name)} DEFAULT VALUES`);
      attempt(what, `DELETE FROM ${quoted(name)}`);
      const columns = this.#connection.prepare("SELECT name FROM pragma_table_info(?)").all(name);
      const sets = columns.map((column) => `${quoted(String(column.name))} = NULL`);
      attempt(what, `UPDATE ${quoted(name)} SET ${sets.join(", ")}`);
    }
    return found;
  }

  #refuseNew(before: Complaints, after: Complaints): void {
    const orphans = [...after.orphans]
      .filter(([key]) => !before.orphans.has(key))
      .map(([, orphan]) => orphan);
    const broken = [...after.broken].filter(([what]) => !before.broken.has(what));
    const all = [...orphans, ...broken.map(([what, why]) => `${what} would not work any more: ${why}`)];
    const [first] = all;
    if (first === undefined) return;
    const more = all.length > 1 ? ` (and ${all.length - 1} more)` : "";
    throw refused(this.#path, `${first}${more}`);
  }

  #replaced(old: readonly SchemaRow[], now: readonly SchemaRow[]): ReplacedTable[] {
    const made = now.filter(({ type, name }) => isTableOrView(type) && this.#isMeant(name));
    return made.map(({ type, name }) => {
      const replaced = old.some((each) => same(each.name, name));
      if (type === "view") return { name, replaced };
      const { rows } = this.#connection.prepare(`SELECT count(*) AS rows FROM ${quoted(name)}`).get() ?? {};
      return { name, rows: Number(rows), replaced };
    });
  }
}

function isTableOrView(type: SchemaRow["type"]): boolean {
  return type === "table" || type === "view";
}

function refused(path: string, why: string, cause?: unknown): SourceError {
  const message = `${path}: the tables cannot be put into it: ${why}; nothing was changed`;
  return new SourceError("SOURCE_REFUSED", message, { name: path }, { cause });
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** SQLite compares names so. */
function same(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}
