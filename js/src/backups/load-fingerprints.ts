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
const PIECES = /^CREATE TABLE "(pieces\d+)"\(id INTEGER PRIMARY KEY,value\);?$/;
/** What gives rows the values that refer to others, and the table that they are of. */
const REFERENCES =
  /^CREATE TRIGGER "(later\d+)" INSTEAD OF INSERT ON "later\d+" BEGIN UPDATE "((?:[^"]|"")*)" SET /;
const REFERENCES_VIEW = /^CREATE VIEW "later\d+"\(c0(?:,c\d+)*\) AS SELECT NULL(?:,NULL)*;?$/;
/** Where no table counts any more, that is how the table of counters is made. */
const COUNTER = /^CREATE TABLE sequence\d+\(a INTEGER PRIMARY KEY AUTOINCREMENT\)/;
const CHANGES_ROWS = /^(?:INSERT INTO|UPDATE) "((?:[^"]|"")*)"/;
/** The head of a dump comes with its first statement. */
const COMMENTS = /^(?:--[^\n]*\n|\s)*/;
/** In text and in names, brackets and line ends mean nothing. */
const TEXT_OR_ROW = /'(?:[^']|'')*'|"(?:[^"]|"")*"|\n\(/g;
const VIRTUAL =
  /^CREATE\s+VIRTUAL\s+TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?("(?:[^"]|"")*"|'(?:[^']|'')*'|`(?:[^`]|``)*`|\[[^\]]*\]|[^\s(]+)/i;
const encoder = new TextEncoder();

/** Takes the statements of a dump, and tells of what they make. */
export class Fingerprints {
  readonly #tables = new Map<string, TableHash>();
  /** The order in which a database has its objects is of no account. */
  readonly #objects: string[] = [];
  readonly #virtual = new Set<string>();
  /** By the name of the view through which values come, the name of their table. */
  readonly #references = new Map<string, string>();
  #pieces = "";
  /** Pieces whose row is still to come. */
  #waiting = "";

  async add(statement: string): Promise<void> {
    this.#define(statement);
    const [, quoted] = CHANGES_ROWS.exec(statement) ?? [];
    if (quoted === undefined) return;
    const written = quoted.replaceAll('""', '"');
    const name = this.#references.get(written) ?? written;
    if (name === this.#pieces) {
      this.#waiting += `${statement}\n`;
      return;
    }
    let table = this.#tables.get(name);
    if (!table) {
      table = this.#virtual.has(name.toLowerCase()) ? new UnorderedHash() : new OrderedHash(await sha256());
      this.#tables.set(name, table);
    }
    const isRows = name === written && statement.startsWith("INSERT");
    if (isRows) table.rows += Math.max(1, rowStarts(statement).length);
    await table.add(this.#waiting, statement);
    this.#waiting = "";
  }

  /** The tables, and the definitions of all objects as one that has no name. */
  async end(): Promise<LoadedTable[]> {
    const objects = this.#objects.sort((a, b) => (a < b ? -1 : 1));
    const definitions = { name: "", rows: objects.length, sha256: await digestOf(objects.join("\n")) };
    const tables = [...this.#tables].map(([name, table]) => ({
      name,
      rows: table.rows,
      sha256: table.digest(),
    }));
    return [definitions, ...tables];
  }

  #define(commented: string): void {
    const statement = commented.replace(COMMENTS, "");
    const pieces = PIECES.exec(statement);
    const [, view, table] = REFERENCES.exec(statement) ?? [];
    if (pieces) this.#pieces = pieces[1] ?? "";
    else if (view && table !== undefined) this.#references.set(view, table.replaceAll('""', '"'));
    else if (REFERENCES_VIEW.test(statement)) return;
    else if (statement.startsWith("CREATE ") && !COUNTER.test(statement))
      this.#objects.push(statement.trim());
    const [, name = ""] = VIRTUAL.exec(statement) ?? [];
    if (name === "") return;
    const quote = name[0] === "[" ? "]" : (name[0] ?? "");
    const plain = /^["'`[]/.test(name) ? name.slice(1, -1).replaceAll(quote + quote, quote) : name;
    this.#virtual.add(plain.toLowerCase());
  }
}

interface TableHash {
  rows: number;
  /** @param pieces statements of which the first row is made */
  add(pieces: string, statement: string): Promise<void>;
  digest(): string;
}

/** Rows in the order of their keys. */
class OrderedHash implements TableHash {
  readonly #hasher: Hasher;
  rows = 0;

  constructor(hasher: Hasher) {
    this.#hasher = hasher;
  }

  async add(pieces: string, statement: string): Promise<void> {
    this.#hasher.update(encoder.encode(`${pieces}${statement}\n`));
  }

  digest(): string {
    return this.#hasher.digest();
  }
}

/** Rows in whatever order: an R-Tree has them in that of its boxes. The sum of their digests. */
class UnorderedHash implements TableHash {
  #sum = 0n;
  rows = 0;

  async add(pieces: string, statement: string): Promise<void> {
    const starts = rowStarts(statement);
    const rows = starts.map((start, at) => statement.slice(start, starts[at + 1]).replace(/[,;]\s*$/, ""));
    for (const [at, row] of (rows.length > 0 ? rows : [statement]).entries()) {
      const digest = await digestOf(at === 0 ? pieces + row : row);
      this.#sum = BigInt.asUintN(256, this.#sum + BigInt(`0x${digest}`));
    }
  }

  digest(): string {
    return this.#sum.toString(16).padStart(64, "0");
  }
}

async function digestOf(text: string): Promise<string> {
  const hasher = await sha256();
  hasher.update(encoder.encode(text));
  return hasher.digest();
}

/** Where rows begin that stand on lines of their own. */
export function rowStarts(insert: string): number[] {
  return [...insert.matchAll(TEXT_OR_ROW)].flatMap(({ 0: token, index }) => (token === "\n(" ? [index] : []));
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
