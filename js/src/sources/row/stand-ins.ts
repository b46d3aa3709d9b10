// Tables that are not there, but that others refer to: SQLite takes no row of a table whose parent table is missing, not
// even one that refers to nothing. While rows go in, empty tables stand in for them.
import type { StandIns } from "../source.ts";
import { sqlTokens } from "./terms.ts";

interface Reference {
  table: string;
  /** What it refers to; the primary key where there are none. */
  columns: string[];
  /** How many there are. */
  width: number;
}

const CREATE_TABLE = /^(?:--[^\n]*\n|\s)*CREATE TABLE /;

/** What the statements of a dump say of tables and their parents. */
export class ParentTables implements StandIns {
  readonly #made = new Set<string>();
  readonly #references: Reference[] = [];
  /** Whether rows have begun, before which all tables are made. */
  #hasAll = false;

  note(statement: string): boolean {
    if (this.#hasAll) return false;
    if (statement.startsWith("INSERT ")) this.#hasAll = true;
    if (CREATE_TABLE.test(statement)) this.#noteTable(statement);
    return this.#hasAll;
  }

  #noteTable(statement: string): void {
    const tokens = sqlTokens(statement).filter((token) => !/^\s*$/.test(token));
    const name = tokens.find((_, at) => at > 1 && !/^(if|not|exists)$/i.test(tokens[at] ?? ""));
    this.#made.add(nameIn(name));
    for (const [at, token] of tokens.entries()) {
      if (!/^references$/i.test(token)) continue;
      const columns = namesIn(tokens, at + 2);
      // The names stand before it in `FOREIGN KEY (a, b) REFERENCES t`.
      const open = tokens[at - 1] === ")" ? tokens.lastIndexOf("(", at) : -1;
      const isOfTable = open > 0 && /^key$/i.test(tokens[open - 1] ?? "");
      const width = columns.length || (isOfTable ? namesIn(tokens, open).length : 1);
      this.#references.push({ table: nameIn(tokens[at + 1]), columns, width });
    }
  }

  statements(there: ReadonlySet<string>): { make: string[]; remove: string[] } {
    const isMissing = ({ table }: Reference) => !this.#made.has(table) && !there.has(table);
    const missing = Map.groupBy(this.#hasAll ? this.#references.filter(isMissing) : [], ({ table }) => table);
    const make = [...missing].map(([table, references]) => {
      const keys = references.map(({ columns, width }) =>
        columns.length > 0 ? columns : Array.from({ length: width }, (_, at) => ` ${at}`),
      );
      const unique = keys.map((key, at) => {
        const isPrimary = references[at]?.columns.length === 0;
        return `${isPrimary ? "PRIMARY KEY" : "UNIQUE"} (${key.map(quoted)})`;
      });
      const columns = [...new Set(keys.flat())].map(quoted);
      return `CREATE TABLE ${quoted(table)} (${[...columns, ...new Set(unique)]})`;
    });
    return { make, remove: [...missing.keys()].map((table) => `DROP TABLE ${quoted(table)}`) };
  }
}

/** The names in parentheses that open at `at`; none where none do. */
function namesIn(tokens: readonly string[], at: number): string[] {
  if (tokens[at] !== "(") return [];
  return tokens
    .slice(at + 1, tokens.indexOf(")", at))
    .filter((token) => token !== ",")
    .map(nameIn);
}

/** What a name says, in lower case, as SQLite compares them. */
function nameIn(token = ""): string {
  const quote = token[0] === "[" ? "]" : (token[0] ?? "");
  const name = /^["'`[]/.test(token) ? token.slice(1, -1).replaceAll(quote + quote, quote) : token;
  return name.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
