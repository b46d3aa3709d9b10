import { RpcTarget } from "cloudflare:workers";
import type { SqlValue } from "../entry/engine.workerd.ts";
import { PagemarkError } from "../entry/workerd.ts";
import type { Query, QueryMeta, QueryResult } from "./database/queries.ts";

type Value = NonNullable<Query["params"]>[number];
/** A row by its columns' names. Named values, because what a binding cannot send has no type on its other side. */
export type Row = Record<string, SqlValue>;

/** What a statement answers, in D1's shape. */
export interface D1Answer {
  success: true;
  results: Row[];
  meta: QueryMeta;
}

/** A statement with what is bound to it, in D1's shape; it is run by its database. */
export class BoundStatement extends RpcTarget {
  readonly #run: (query: Query) => Promise<QueryResult>;
  readonly #query: Query;

  constructor(run: (query: Query) => Promise<QueryResult>, query: Query) {
    super();
    this.#run = run;
    this.#query = query;
  }

  /** The same statement with other parameters. */
  bind(...params: Value[]): BoundStatement {
    return new BoundStatement(this.#run, { ...this.#query, params });
  }

  async all(): Promise<D1Answer> {
    return d1Answer(await this.#run(this.#query));
  }

  run(): Promise<D1Answer> {
    return this.all();
  }

  /** The first row, or its value of one column; `null` when there is none. */
  async first(column?: string): Promise<Row | SqlValue> {
    const [row] = (await this.all()).results;
    if (!row || column === undefined) return row ?? null;
    if (!Object.hasOwn(row, column)) throw new PagemarkError("USAGE", `the result has no column ${column}`);
    return row[column] ?? null;
  }

  /** Rows as arrays; with `columnNames` the first one has the names. */
  async raw({ columnNames = false }: { columnNames?: boolean } = {}): Promise<SqlValue[][]> {
    const { columns, rows } = await this.#run(this.#query);
    return columnNames ? [columns, ...rows] : rows;
  }

  /** What it is, for a batch. */
  describe(): Query {
    return this.#query;
  }
}

/** The rows as objects. Of columns of the same name the last one counts. */
export function d1Answer({ columns, rows, meta }: QueryResult): D1Answer {
  const results = rows.map((row) =>
    Object.fromEntries(columns.map((column, at) => [column, row[at] ?? null])),
  );
  return { success: true, results, meta };
}
