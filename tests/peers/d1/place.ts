// Where SQL can be run, and all that SQL can see there, cell by cell.
import { DatabaseSync } from "node:sqlite";

export interface Place {
  name: string;
  /** Runs statements in one transaction. */
  run(statements: string[]): Promise<void>;
  rows(sql: string): Promise<unknown[][]>;
  /** The rows of several queries in one call, where a place takes them together. */
  all?(queries: string[]): Promise<unknown[][][]>;
}

/** A database file, read by Node's SQLite. */
export function fileAt(path: string): Place {
  const rows = (sql: string) => {
    const db = new DatabaseSync(path, { readOnly: true });
    try {
      const statement = db.prepare(sql);
      statement.setReturnArrays(true);
      return statement.all() as unknown as unknown[][];
    } finally {
      db.close();
    }
  };
  const run = () => Promise.reject(new Error("it is only read"));
  return { name: path, run, rows: async (sql) => rows(sql) };
}

/** Objects with their SQL, and the rows of each table and view; by name. */
export type Contents = Record<string, unknown[]>;

/** Bytes of a value that are asked for at once: D1's values, hexadecimal ones too, have at most 2,000,000. */
const CHUNK = 400_000;
/** Columns that are asked for at once; D1 gives at most 100. */
const WIDTH = 50;

/** All that is in a place, but for Cloudflare's own tables, what tracks changes, and what virtual tables keep. */
export async function contents(place: Place): Promise<Contents> {
  const all: Contents = {};
  const [listed = [], objects = []] = await ask(place, [
    "SELECT name, type, wr FROM pragma_table_list WHERE schema = 'main'",
    "SELECT type, name, tbl_name, sql FROM sqlite_schema",
  ]);
  const kinds = new Map(listed.map(([name, type, wr]) => [name, { type, hasRowid: wr === 0 }]));
  const tables: Listed[] = [];
  for (const [type, name, table, sql] of objects) {
    const of = kinds.get(table);
    if (/^(_cf_|pagemark_changes$)/i.test(String(table)) || String(name).startsWith("pagemark_tracks_"))
      continue;
    if (of?.type === "shadow" || name === "sqlite_stat4") continue;
    all[`${type} ${name} on ${table}`] = [sql];
    if (type === "table") tables.push({ name: String(name), hasRowid: of?.hasRowid ?? false });
    if (type === "view") tables.push({ name: String(name), hasRowid: false });
  }
  const rows = await rowsOf(place, tables);
  for (const [at, { name }] of tables.entries()) all[`rows of ${name}`] = rows[at] ?? [];
  return all;
}

function ask(place: Place, queries: string[]): Promise<unknown[][][]> {
  return place.all?.(queries) ?? Promise.all(queries.map((sql) => place.rows(sql)));
}

/** What is only in one of the two, a few lines of each part; to compare with nothing, as a test's own diff of all takes minutes. */
export function differences(found: Contents, expected: Contents): string[] {
  const names = [...new Set([...Object.keys(expected), ...Object.keys(found)])];
  return names.flatMap((name) => {
    const [lines, wanted] = [found[name]?.map(String), expected[name]?.map(String)];
    if (lines === undefined) return [`${name}: missing`];
    if (wanted === undefined) return [`${name}: too much`];
    const [here, there] = [new Set(lines), new Set(wanted)];
    const shown = [
      ...wanted.filter((line) => !here.has(line)).map((line) => `- ${line}`),
      ...lines.filter((line) => !there.has(line)).map((line) => `+ ${line}`),
    ];
    if (lines.length !== wanted.length) shown.push(`${lines.length} lines, not ${wanted.length}`);
    return shown.slice(0, 6).map((line) => `${name}: ${line.slice(0, 400)}`);
  });
}

/** A table or view whose rows are read. */
interface Listed {
  name: string;
  hasRowid: boolean;
}

/** Some columns of a table. */
interface Part {
  /** Of the table, among all. */
  at: number;
  name: string;
  columns: string[];
}

/** Of each table, its rows as text, sorted. */
async function rowsOf(place: Place, tables: Listed[]): Promise<string[][]> {
  const infos = await ask(
    place,
    tables.map(({ name }) => `SELECT name FROM pragma_table_xinfo(${literal(name)}) WHERE hidden <> 1`),
  );
  const parts = tables.flatMap((table, at) => partsOf(table, at, infos[at] ?? []));
  const sizes = await ask(
    place,
    parts.map(({ name, columns }) => `SELECT ${longestOf(columns)} FROM ${identifier(name)}`),
  );
  const longest = parts.map((_, part) => Number(sizes[part]?.[0]?.[0] ?? 0));
  const lines = tables.map((): string[][] => []);
  for (let from = 0; from === 0 || longest.some((size) => from < size); from += CHUNK) {
    const some = parts.filter((_, part) => from === 0 || from < (longest[part] ?? 0));
    const found = await ask(
      place,
      some.map(({ name, columns }) => `SELECT ${columns.map((c) => cell(c, from))} FROM ${identifier(name)}`),
    );
    for (const [part, { at }] of some.entries()) {
      for (const [index, row] of (found[part] ?? []).entries()) {
        const line = (lines[at] as string[][])[index] ?? [];
        line.push(...row.map((value) => (typeof value === "number" ? `real ${value}` : String(value))));
        (lines[at] as string[][])[index] = line;
      }
    }
  }
  return lines.map((rows) => rows.map((line) => line.join(", ")).sort((a, b) => (a < b ? -1 : 1)));
}

function partsOf({ name, hasRowid }: Listed, at: number, info: unknown[][]): Part[] {
  const names = info.map(([column]) => String(column));
  const taken = new Set(names.map((column) => column.toLowerCase()));
  // Those of SQLite's own tables mean nothing.
  const isNumbered = hasRowid && !name.startsWith("sqlite_");
  const rowid = ["rowid", "_rowid_", "oid"].find((column) => isNumbered && !taken.has(column));
  const columns = [...(rowid === undefined ? [] : [rowid]), ...names.map(identifier)];
  const count = Math.ceil(columns.length / WIDTH);
  return Array.from({ length: count }, (_, part) => ({
    at,
    name,
    columns: columns.slice(part * WIDTH, (part + 1) * WIDTH),
  }));
}

function longestOf(columns: string[]): string {
  return `max(0, ${columns.map((column) => `ifnull(max(length(CAST(${column} AS BLOB))), 0)`)})`;
}

/** The type and the exact value; a number for a real one, as both ways to JavaScript carry its bits. */
function cell(column: string, at: number): string {
  const bytes = `hex(substr(CAST(${column} AS BLOB), ${at + 1}, ${CHUNK}))`;
  return `CASE typeof(${column})
    WHEN 'integer' THEN 'integer ' || CAST(${column} AS TEXT)
    WHEN 'real' THEN CASE
      WHEN ${column} = 0.0 THEN iif(atan2(${column}, -1) < 0, 'real -0', 'real 0')
      WHEN abs(${column}) = 9e999 THEN 'real ' || CAST(${column} AS TEXT)
      ELSE ${column} END
    ELSE typeof(${column}) || ' ' || ${bytes} END`;
}

export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
