// The schema of a database that answers SQL: its objects as they stand in sqlite_schema, and what there is to read of
// each table and index, in which order.
import { SourceError } from "../errors/index.ts";
import { indexTerms } from "./row-terms.ts";
import { identifier } from "./row-values.ts";
import type { Cell, Query } from "./source.ts";

/** A row of sqlite_schema. */
export interface SchemaObject {
  type: "table" | "index" | "view" | "trigger";
  name: string;
  table: string;
  sql: string | null;
  hasTree: boolean;
}

/** What a tree is sorted by. */
export interface SortTerm {
  /** As SQL. */
  expr: string;
  collation?: string;
  isDescending: boolean;
}

/** A b-tree of the database. */
export interface Tree {
  /** Which of the objects it belongs to. */
  object: number;
  kind: "table" | "index";
  /** The table, quoted. */
  table: string;
  /** Where to read it, as SQL: the table, and by which index. */
  from: string;
  /** The condition of a partial index. */
  where?: string;
  /** What the values of an entry are, as SQL; of a rowid table the rowid first. */
  exprs: string[];
  /** What they are to the builder; one more than `exprs` where the rowid has a column. */
  kinds: ("value" | "real" | "rowid")[];
  order: SortTerm[];
}

export interface Schema {
  objects: SchemaObject[];
  /** Of each table its trees: itself, then its indexes. All are read in this order, so that equal rows give equal pages. */
  tables: Tree[][];
  /** Equal when nothing of the schema has changed. */
  digest: string;
}

/** Cloudflare's own tables, which nobody may read, are left out. */
const FROM = String.raw`FROM sqlite_schema m WHERE m.tbl_name NOT LIKE '\_cf\_%' ESCAPE '\'`;
const tablesWith = (pragma: string, what: string) =>
  `SELECT m.name AS a, ${what} ${FROM.replace("m WHERE", `m, ${pragma} WHERE`)} AND m.type = 'table'`;

/** What {@link schemaOf} takes the answers of. Names of columns are of no account, but D1 wants them to differ. */
export const schemaQueries: Query[] = [
  {
    sql: `SELECT m.rowid AS a, type AS b, name AS c, tbl_name AS d, rootpage AS e, sql AS f ${FROM} ORDER BY m.rowid`,
  },
  {
    sql: tablesWith(
      "pragma_table_xinfo(m.name) x",
      "cid AS b, x.name AS c, x.type AS d, hidden AS e, pk AS f",
    ),
  },
  { sql: "SELECT name AS a FROM pragma_table_list WHERE schema = 'main' AND type <> 'view' AND wr" },
  {
    sql: tablesWith(
      "pragma_index_list(m.name) i, pragma_index_xinfo(i.name) x",
      'i.name AS b, i.origin AS c, x.cid AS d, x.name AS e, x."desc" AS f, x.coll AS g, x."key" AS h',
    ),
  },
];

interface Column {
  id: number;
  name: string;
  affinity: "real" | "value";
  isStored: boolean;
  isKey: boolean;
}

interface IndexColumn {
  /** Of the table's columns; -1 for the rowid, -2 for an expression. */
  id: number;
  name: string | null;
  isDescending: boolean;
  collation: string;
  /** Whether the entries are sorted by it; of an index, the ones behind tell apart what is equal. */
  isSorted: boolean;
}

/** What the answers to {@link schemaQueries} say. @throws SourceError `SOURCE_UNREADABLE` where SQL cannot read a table */
export function schemaOf(answers: Cell[][][], source: string): Schema {
  const [objectRows = [], columnRows = [], withoutRowid = [], indexRows = []] = answers;
  const columns = grouped(columnRows, columnOf);
  const clustered = new Set(withoutRowid.map(([name]) => String(name)));
  const indexes = grouped(
    indexRows.map(([, index, , ...column]) => [index, ...column] as Cell[]),
    indexColumnOf,
  );
  const keys = new Map(
    indexRows.flatMap(([table, index, origin]) => (origin === "pk" ? [[String(table), String(index)]] : [])),
  ) as Map<string, string>;
  const objects = objectRows.map(objectOf);
  const trees = objects.flatMap((object, index): Tree[] => {
    if (!object.hasTree) return [];
    const key = keys.get(object.table);
    const isClustered = clustered.has(object.table);
    const table = new TableReading(object.table, columns.get(object.table) ?? [], {
      isClustered,
      key,
      source,
    });
    if (object.type === "index") return [table.index(index, object, indexes.get(object.name) ?? [])];
    return [isClustered ? table.clustered(index, indexes.get(key ?? "") ?? []) : table.rows(index)];
  });
  return {
    objects,
    tables: [...Map.groupBy(trees, ({ table }) => table).values()],
    digest: JSON.stringify(answers),
  };
}

/** A table, and how its trees are read. */
class TableReading {
  readonly #name: string;
  readonly #columns: Column[];
  readonly #source: string;
  /** The column that is the rowid by another name: no index has to keep it. */
  readonly #alias: Column | undefined;

  constructor(
    name: string,
    columns: Column[],
    { isClustered, key, source }: { isClustered: boolean; key: string | undefined; source: string },
  ) {
    this.#name = name;
    this.#columns = columns;
    this.#source = source;
    const hasAlias = !isClustered && key === undefined;
    this.#alias = hasAlias ? columns.find(({ isKey }) => isKey) : undefined;
  }

  rows(object: number): Tree {
    const rowid = this.#rowid();
    const stored = this.#columns.filter(({ isStored }) => isStored);
    const values = stored.filter((column) => column !== this.#alias);
    return {
      object,
      kind: "table",
      table: identifier(this.#name),
      from: `${identifier(this.#name)} NOT INDEXED`,
      exprs: [rowid, ...values.map(({ name }) => this.#column(name))],
      kinds: stored.map((column) => (column === this.#alias ? "rowid" : column.affinity)),
      order: [{ expr: rowid, isDescending: false }],
    };
  }

  /** @param key what is stored: first what it is sorted by */
  clustered(object: number, key: IndexColumn[]): Tree {
    const table = identifier(this.#name);
    const entries = this.#entries(key);
    const order = entries.order.filter((_, place) => key[place]?.isSorted);
    return { object, kind: "index", table, from: table, ...entries, order };
  }

  index(object: number, { name, sql }: SchemaObject, key: IndexColumn[]): Tree {
    const table = identifier(this.#name);
    const { terms, where } = sql === null ? { terms: [], where: undefined } : indexTerms(sql);
    const from = `${table} INDEXED BY ${identifier(name)}`;
    return { object, kind: "index", table, from, ...(where && { where }), ...this.#entries(key, terms) };
  }

  #entries(key: IndexColumn[], terms: string[] = []): Pick<Tree, "exprs" | "kinds" | "order"> {
    const exprs = key.map(({ id, name }, place) => {
      if (id === -1) return this.#rowid();
      return id === -2 ? `(${terms[place]})` : this.#column(name ?? "");
    });
    return {
      exprs,
      kinds: key.map(({ id }) => this.#columns.find((column) => column.id === id)?.affinity ?? "value"),
      order: key.map(({ id, collation, isDescending }, place) => ({
        expr: exprs[place] ?? "",
        ...(id !== -1 && { collation }),
        isDescending,
      })),
    };
  }

  /** With its table: ORDER BY would take a name of the result's for it otherwise. */
  #column(name: string): string {
    return `${identifier(this.#name)}.${identifier(name)}`;
  }

  #rowid(): string {
    const taken = new Set(this.#columns.map(({ name }) => name.toLowerCase()));
    const free = ["rowid", "_rowid_", "oid"].find((name) => !taken.has(name));
    if (free) return `${identifier(this.#name)}.${free}`;
    if (this.#alias) return this.#column(this.#alias.name);
    const message = `${this.#source}: no SQL can tell the rowids of table ${identifier(this.#name)}, as it has columns named rowid, _rowid_ and oid; rename one of them`;
    throw new SourceError("SOURCE_UNREADABLE", message, { name: this.#source });
  }
}

function objectOf([, type, name, table, root, sql]: Cell[]): SchemaObject {
  return {
    type: String(type) as SchemaObject["type"],
    name: String(name),
    table: String(table),
    sql: sql === null ? null : String(sql),
    hasTree: Number(root ?? 0) !== 0,
  };
}

/** `hidden`: 1 is hidden in a virtual table, 2 is computed when it is read, 3 is computed and stored. */
function columnOf([id, name, type, hidden, key]: Cell[]): Column {
  return {
    id: Number(id),
    name: String(name),
    affinity: isReal(String(type)) ? "real" : "value",
    isStored: hidden === 0 || hidden === 3,
    isKey: key !== 0,
  };
}

/** File format, section 3.1 of datatype3: the first rule that fits counts. */
function isReal(type: string): boolean {
  return !/INT|CHAR|CLOB|TEXT|BLOB/i.test(type) && /REAL|FLOA|DOUB/i.test(type);
}

function indexColumnOf([id, name, descending, collation, key]: Cell[]): IndexColumn {
  return {
    id: Number(id),
    name: name === null ? null : String(name),
    isDescending: descending === 1,
    collation: String(collation),
    isSorted: key === 1,
  };
}

function grouped<T>(rows: Cell[][], read: (rest: Cell[]) => T): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const [name, ...rest] of rows) {
    const group = groups.get(String(name));
    if (group) group.push(read(rest));
    else groups.set(String(name), [read(rest)]);
  }
  return groups;
}
