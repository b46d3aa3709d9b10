// Whether a database holds what was loaded into it: what it is dumped as now is compared with what went in, table by
// table, by digests.
import { type Hasher, sha256 } from "../core/index.ts";

/** A table that was loaded, as it was found afterwards. */
export interface LoadedTable {
  name: string;
  rows: number;
  /** SHA-256 of its rows as SQL, hexadecimal: equal rows have equal ones. */
  sha256: string;
}

/** What one long value is put together in, before the row that it belongs to. */
const PIECES = /^CREATE TABLE "(pieces\d+)"\(id INTEGER PRIMARY KEY,value\)$/;
/** Where no table counts any more, that is how the table of counters is made. */
const COUNTER = /^CREATE TABLE sequence\d+\(a INTEGER PRIMARY KEY AUTOINCREMENT\)/;
const CHANGES_ROWS = /^(?:INSERT INTO|UPDATE) "((?:[^"]|"")*)"/;
const DEFINES = /^(?:--[^\n]*\n|\s)*CREATE /;
/** In text, brackets and line ends mean nothing. */
const TEXT = /'(?:[^']|'')*'/g;
const ROW = /\n\(/g;
const encoder = new TextEncoder();

/** Takes the statements of a dump, and tells of what they make. */
export class Fingerprints {
  readonly #tables = new Map<string, { rows: number; hasher: Hasher }>();
  /** The order in which a database has its objects is of no account. */
  readonly #objects: string[] = [];
  #pieces = "";
  /** Pieces whose row is still to come. */
  #waiting: string[] = [];

  async add(statement: string): Promise<void> {
    const pieces = PIECES.exec(statement);
    if (pieces) this.#pieces = pieces[1] ?? "";
    else if (DEFINES.test(statement) && !COUNTER.test(statement)) this.#objects.push(statement.trim());
    const [, quoted] = CHANGES_ROWS.exec(statement) ?? [];
    if (quoted === undefined) return;
    const name = quoted.replaceAll('""', '"');
    this.#waiting.push(statement);
    if (name === this.#pieces) return;
    let table = this.#tables.get(name);
    if (!table) {
      table = { rows: 0, hasher: await sha256() };
      this.#tables.set(name, table);
    }
    if (statement.startsWith("INSERT")) table.rows += rowsIn(statement);
    for (const each of this.#waiting) table.hasher.update(encoder.encode(`${each}\n`));
    this.#waiting = [];
  }

  /** The tables, and the definitions of all objects as one that has no name. */
  async end(): Promise<LoadedTable[]> {
    const definitions = await sha256();
    for (const sql of this.#objects.sort((a, b) => (a < b ? -1 : 1)))
      definitions.update(encoder.encode(`${sql}\n`));
    const tables = [...this.#tables].map(([name, { rows, hasher }]) => ({
      name,
      rows,
      sha256: hasher.digest(),
    }));
    return [{ name: "", rows: this.#objects.length, sha256: definitions.digest() }, ...tables];
  }
}

function rowsIn(insert: string): number {
  const plain = insert.includes("'") ? insert.replaceAll(TEXT, "") : insert;
  // A row by itself, as those of long values are, stands behind VALUES.
  return Math.max(1, plain.match(ROW)?.length ?? 0);
}

/** How what is there differs from what was loaded, in words, by the name of the table. */
export function differing(
  loaded: readonly LoadedTable[],
  found: readonly LoadedTable[],
): Map<string, string> {
  const there = new Map(found.map((table) => [table.name, table]));
  const wanted = new Map(loaded.map((table) => [table.name, table]));
  const names = [...new Set([...wanted.keys(), ...there.keys()])];
  const wrong = names.filter((name) => there.get(name)?.sha256 !== wanted.get(name)?.sha256);
  return new Map(
    wrong.map((name) => {
      if (name === "") return [name, "the definitions of tables, indexes, views and triggers"];
      const [then, now] = [wanted.get(name)?.rows ?? 0, there.get(name)?.rows ?? 0];
      const how = then === now ? `other values in ${now} rows` : `${now} rows, not ${then}`;
      return [name, `table ${JSON.stringify(name)} (${how})`];
    }),
  );
}
