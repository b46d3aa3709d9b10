// What a database says of tables that are replaced: which there are, and what the others demand of them.
import { SourceError } from "../errors/index.ts";
import type { ReplacedTable } from "./source.ts";

/** A connection to the database. */
export interface TableConnection {
  /** The rows of a query, by their columns' names. */
  rows(sql: string, ...bound: string[]): Iterable<Readonly<Record<string, unknown>>>;
  /** Compiles a statement, and throws what SQLite says of it. */
  compile(sql: string): void;
}

/** An entry of the schema. */
interface SchemaRow {
  type: "table" | "index" | "view" | "trigger";
  name: string;
  /** The table or view that it is of. */
  table: string;
}

/** What there is before, or after, and what the rest of the database demands of the tables and does not get. */
export interface Seen {
  objects: readonly SchemaRow[];
  /** Tables that are parts of virtual ones. */
  parts: readonly string[];
  /** Rows that refer to none, by what names them. */
  orphans: Map<string, string>;
  /** What SQLite says of views and triggers that it cannot compile. */
  broken: Map<string, string>;
}

/** Looks at a database before and after some of its tables are replaced. */
export class TableLook {
  readonly #connection: TableConnection;
  readonly #name: string;
  readonly #tables: readonly string[];

  /** `name` is the database's in errors; `tables` are those that are replaced. */
  constructor(connection: TableConnection, name: string, tables: readonly string[]) {
    this.#connection = connection;
    this.#name = name;
    this.#tables = tables;
  }

  /** How the database is now. */
  see(): Seen {
    const objects = this.#all<SchemaRow>('SELECT type, name, tbl_name AS "table" FROM sqlite_schema');
    const parts = this.#all<{ name: string }>(
      "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'shadow'",
    ).map(({ name }) => name);
    return { objects, parts, orphans: this.#orphans(), broken: this.#broken(objects) };
  }

  /**
   * What takes away the tables that are there.
   *
   * @throws SourceError `SOURCE_REFUSED` where one of them is part of a virtual table, which would be left in pieces
   */
  drops({ objects, parts }: Seen): string[] {
    const part = parts.find((name) => this.#isMeant(name));
    if (part !== undefined) throw this.#part(part);
    return this.#meant(objects).map(({ type, name }) => `DROP ${type} IF EXISTS ${quoted(name)};`);
  }

  /**
   * What was made anew.
   *
   * @throws SourceError `SOURCE_REFUSED` where something that was in order before is not any more
   */
  replaced(before: Seen, after: Seen): ReplacedTable[] {
    this.#refuseNew(before, after);
    const lost = this.#tables.find(
      (table) => !this.#meant(after.objects).some(({ name }) => same(name, table)),
    );
    if (lost !== undefined) throw this.#part(lost);
    const old = this.#meant(before.objects);
    return this.#meant(after.objects).map(({ type, name }) => {
      const replaced = old.some((each) => same(each.name, name));
      if (type === "view") return { name, replaced };
      const [count] = this.#all<{ rows: number }>(`SELECT count(*) AS rows FROM ${quoted(name)}`);
      return { name, rows: Number(count?.rows), replaced };
    });
  }

  #part(name: string): SourceError {
    const why = `${JSON.stringify(name)} is part of a virtual table, and is restored with that one; give its name`;
    return refusedTables(this.#name, why);
  }

  #all<Row>(sql: string, ...bound: string[]): Row[] {
    return [...this.#connection.rows(sql, ...bound)] as Row[];
  }

  /** The tables and views that are replaced. */
  #meant(objects: readonly SchemaRow[]): SchemaRow[] {
    return objects.filter(({ type, name }) => isTableOrView(type) && this.#isMeant(name));
  }

  #isMeant(name: string): boolean {
    return this.#tables.some((table) => same(table, name));
  }

  /** Rows of the tables, and of those that refer to them, whose parents are not there. */
  #orphans(): Map<string, string> {
    const keys = this.#all<{ name: string; parent: string }>(
      `SELECT DISTINCT m.name AS name, f."table" AS parent FROM sqlite_schema m, pragma_foreign_key_list(m.name) f WHERE m.type = 'table'`,
    );
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
      const check = "SELECT rowid AS row, parent, fkid FROM pragma_foreign_key_check(?)";
      for (const { row, parent, fkid } of this.#connection.rows(check, name)) {
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
        this.#connection.compile(sql);
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
      const columns = this.#all<{ name: string }>("SELECT name FROM pragma_table_info(?)", name);
      const sets = columns.map((column) => `${quoted(column.name)} = NULL`);
      attempt(what, `UPDATE ${quoted(name)} SET ${sets.join(", ")}`);
    }
    return found;
  }

  #refuseNew(before: Seen, after: Seen): void {
    const orphans = [...after.orphans].flatMap(([key, orphan]) => (before.orphans.has(key) ? [] : [orphan]));
    const broken = [...after.broken].filter(([what]) => !before.broken.has(what));
    const all = [...orphans, ...broken.map(([what, why]) => `${what} would not work any more: ${why}`)];
    const [first] = all;
    if (first === undefined) return;
    const more = all.length > 1 ? ` (and ${all.length - 1} more)` : "";
    throw refusedTables(this.#name, `${first}${more}`);
  }
}

/** What is thrown where a database does not take tables; nothing was changed then. */
export function refusedTables(name: string, why: string, cause?: unknown): SourceError {
  const message = `${name}: the tables cannot be put into it: ${why}; nothing was changed`;
  return new SourceError("SOURCE_REFUSED", message, { name }, { cause });
}

function isTableOrView(type: SchemaRow["type"]): boolean {
  return type === "table" || type === "view";
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** SQLite compares names so. */
function same(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}
