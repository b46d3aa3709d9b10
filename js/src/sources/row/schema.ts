// The schema of a database that answers SQL: its objects as they stand in sqlite_schema, and what there is to read of
// each table and index, in which order.
import { SourceError } from "../../errors/index.ts";
import { type Cell, CHANGES, NOT_TRACKING, type Query } from "../source.ts";
import { indexTerms } from "./terms.ts";
import { identifier } from "./values.ts";

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
  /** Where in an entry the key of its row is: the rowid, or the primary key. */
  key: SortTerm[];
}

/** A table of which something can be read. */
export interface Table {
  name: string;
  /** The table itself, then its indexes. All are read in this order, so that equal rows give equal pages. */
  trees: Tree[];
  /** What its rows go by, as SQL: the rowid by one of its names, or the columns of the primary key. */
  key: string[];
  /**
   * Which columns must differ in all rows, besides the key; `undefined` where that cannot be told of rows that are yet to
   * come, as an expression or a computed column is among them.
   */
  uniques: Unique[] | undefined;
  /** SQLite's own, or a virtual table's: no trigger can be on it. */
  isInternal: boolean;
  /** Its SQL and that of its indexes. */
  sql: (string | null)[];
}

export interface Unique {
  columns: { name: string; collation: string }[];
  /** The condition of a partial index. */
  where?: string;
}

export interface Schema {
  objects: SchemaObject[];
  tables: Table[];
  /** Equal when nothing of the schema has changed. */
  digest: string;
}

/** Cloudflare's own tables, which nobody may read, are left out, and what tracks changes. */
const FROM = String.raw`FROM sqlite_schema m WHERE m.tbl_name NOT LIKE '\_cf\_%' ESCAPE '\' AND ${NOT_TRACKING}`;
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
  {
    sql: `SELECT name AS a, wr AS b, type AS c FROM pragma_table_list
      WHERE schema = 'main' AND type <> 'view' AND (wr OR type = 'shadow') AND name <> '${CHANGES}' ORDER BY name`,
  },
  {
    sql: tablesWith(
      "pragma_index_list(m.name) i, pragma_index_xinfo(i.name) x",
      'i.name AS b, i.origin AS c, x.cid AS d, x.name AS e, x."desc" AS f, x.coll AS g, x."key" AS h, i."unique" AS k',
    ),
  },
];

interface Column {
  id: number;
  name: string;
  affinity: "real" | "value";
  isStored: boolean;
  isComputed: boolean;
  isKey: boolean;
}

interface IndexColumn {
  /** Number of the table's column; -1 for the rowid, -2 for an expression. */
  id: number;
  name: string | null;
  isDescending: boolean;
  collation: string;
  /** Whether the entries are sorted by it; of an index, the ones behind tell apart what is equal. */
  isSorted: boolean;
}

/** What the answers to {@link schemaQueries} say. @throws SourceError `SOURCE_UNREADABLE` where SQL cannot read a table */
export function schemaOf(answers: Cell[][][], source: string): Schema {
  const [objectRows = [], columnRows = [], listedRows = [], indexRows = []] = answers;
  const columns = grouped(columnRows, columnOf);
  const clustered = new Set(listedRows.filter(([, wr]) => wr === 1).map(([name]) => String(name)));
  const shadows = new Set(listedRows.filter(([, , type]) => type === "shadow").map(([name]) => String(name)));
  const indexes = grouped(
    indexRows.map(([, index, , ...column]) => [index, ...column] as Cell[]),
    indexColumnOf,
  );
  const keys = new Map(
    indexRows.flatMap(([table, index, origin]) => (origin === "pk" ? [[String(table), String(index)]] : [])),
  ) as Map<string, string>;
  const uniques = Map.groupBy(
    indexRows.filter((row) => row[8] === 1),
    ([table]) => String(table),
  );
  const objects = objectRows.map(objectOf);
  const tables: Table[] = [];
  const trees = Map.groupBy(
    objects.entries().filter(([, { hasTree }]) => hasTree),
    ([, { table }]) => table,
  );
  for (const [name, some] of trees) {
    const key = keys.get(name);
    const isClustered = clustered.has(name);
    const reading = new TableReading(name, columns.get(name) ?? [], { isClustered, key, source });
    const clusteredKey = indexes.get(key ?? "") ?? [];
    const keyTerms = isClustered ? clusteredKey.filter(({ isSorted }) => isSorted) : undefined;
    const names = new Set((uniques.get(name) ?? []).map(([, index]) => String(index)));
    if (isClustered) names.delete(key ?? "");
    tables.push({
      name,
      trees: some.map(([index, object]) => {
        if (object.type === "index")
          return reading.index(index, object, indexes.get(object.name) ?? [], keyTerms);
        return isClustered ? reading.clustered(index, clusteredKey) : reading.rows(index);
      }),
      key: keyTerms ? keyTerms.map((column) => identifier(column.name ?? "")) : [reading.rowid],
      uniques: reading.uniques(
        objects.filter((object) => names.has(object.name)),
        indexes,
      ),
      isInternal: /^sqlite_/i.test(name) || shadows.has(name),
      sql: some.map(([, { sql }]) => sql),
    });
  }
  return { objects, tables, digest: JSON.stringify(answers) };
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
    const rowid = `${identifier(this.#name)}.${this.rowid}`;
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
      key: [],
    };
  }

  /** @param key what is stored: first what it is sorted by */
  clustered(object: number, key: IndexColumn[]): Tree {
    const table = identifier(this.#name);
    const entries = this.#entries(key);
    const order = entries.order.filter((_, place) => key[place]?.isSorted);
    return { object, kind: "index", table, from: table, ...entries, order, key: order };
  }

  /** @param clusteredKey the primary key of a table without rowids */
  index(
    object: number,
    { name, sql }: SchemaObject,
    key: IndexColumn[],
    clusteredKey: IndexColumn[] | undefined,
  ): Tree {
    const table = identifier(this.#name);
    const { terms, where } = sql === null ? { terms: [], where: undefined } : indexTerms(sql);
    const from = `${table} INDEXED BY ${identifier(name)}`;
    const entries = this.#entries(key, terms);
    return {
      object,
      kind: "index",
      table,
      from,
      ...(where && { where }),
      ...entries,
      // The rowid is an entry's last.
      key: clusteredKey ? this.#entries(clusteredKey).order : entries.order.slice(-1),
    };
  }

  /** What {@link Table.uniques} says of these indexes. */
  uniques(indexes: SchemaObject[], columns: Map<string, IndexColumn[]>): Unique[] | undefined {
    const all = indexes.map(({ name, sql }): Unique | undefined => {
      const sorted = (columns.get(name) ?? []).filter(({ isSorted }) => isSorted);
      // Two rows of one rowid are the same row.
      if (sorted.some(({ id }) => id === -1)) return { columns: [] };
      const isTold = sorted.every(({ id }) =>
        this.#columns.some((column) => column.id === id && !column.isComputed),
      );
      if (!isTold) return undefined;
      const where = sql === null ? undefined : indexTerms(sql).where;
      const named = sorted.map((column) => ({ name: column.name ?? "", collation: column.collation }));
      return { columns: named, ...(where && { where }) };
    });
    return all.every((unique) => unique !== undefined) ? all : undefined;
  }

  #entries(key: IndexColumn[], terms: string[] = []): Pick<Tree, "exprs" | "kinds" | "order"> {
    const exprs = key.map(({ id, name }, place) => {
      if (id === -1) return `${identifier(this.#name)}.${this.rowid}`;
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

  /** A name for the rowid. */
  get rowid(): string {
    const taken = new Set(this.#columns.map(({ name }) => name.toLowerCase()));
    const free = ["rowid", "_rowid_", "oid"].find((name) => !taken.has(name));
    if (free) return free;
    if (this.#alias) return identifier(this.#alias.name);
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
    isComputed: hidden === 2 || hidden === 3,
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
