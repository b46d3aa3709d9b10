import { d1Error } from "./errors.ts";
import type { Session } from "./session.ts";
import type { Rows } from "./values.ts";
import { bound, type D1Meta, type Param, sent } from "./values.ts";
import type { WireQuery } from "./wire.ts";

/** What a statement answers. */
export interface D1Result<T = unknown> {
  success: true;
  meta: D1Meta;
  results: T[];
}

/** A statement with what is bound to it; it never changes. */
export class D1PreparedStatement {
  /** Also where a bundler calls the class otherwise. */
  static readonly name = "D1PreparedStatement";
  readonly statement: string;
  readonly params: readonly Param[];
  readonly #session: Session;

  constructor(session: Session, statement: string, params: readonly Param[] = []) {
    this.#session = session;
    this.statement = statement;
    this.params = params;
  }

  /** The same statement with other values. @throws an error that begins with `D1_TYPE_ERROR` */
  bind(...values: unknown[]): D1PreparedStatement {
    return new D1PreparedStatement(this.#session, this.statement, values.map(bound));
  }

  async all<T = Record<string, unknown>>(): Promise<D1Result<T>> {
    return asObjects<T>(await this.#rows());
  }

  run<T = Record<string, unknown>>(): Promise<D1Result<T>> {
    return this.all<T>();
  }

  first<T = unknown>(column: string): Promise<T | null>;
  first<T = Record<string, unknown>>(): Promise<T | null>;
  /** The first row, or its value of one column; null when there is none. */
  async first(column?: string): Promise<unknown> {
    const [row] = asObjects<Record<string, unknown>>(await this.#rows()).results;
    if (row === undefined || column === undefined) return row ?? null;
    if (Object.hasOwn(row, column)) return row[column];
    const text = `Column not found (${column})`;
    throw d1Error("D1_COLUMN_NOTFOUND", text, { code: "USAGE" }, "Column not found");
  }

  raw<T = unknown[]>(options: { columnNames: true }): Promise<[string[], ...T[]]>;
  raw<T = unknown[]>(options?: { columnNames?: false }): Promise<T[]>;
  /** Rows as arrays; with `columnNames` the first one has the names. */
  async raw(options?: { columnNames?: boolean }): Promise<unknown[]> {
    const { columns, rows } = await this.#rows();
    return options?.columnNames ? [columns, ...rows] : rows;
  }

  async #rows(): Promise<Rows> {
    const [rows] = await this.#session.run([queryOf(this)]);
    return rows as Rows;
  }
}

/** A statement, of whichever database it is, for the Worker. */
export function queryOf(prepared: Pick<D1PreparedStatement, "statement" | "params"> | undefined): WireQuery {
  const { statement, params } = prepared ?? {};
  if (statement === undefined || !Array.isArray(params)) throw noStatement();
  return { sql: statement, params: params.map(sent) };
}

export function noStatement(): Error {
  return d1Error("D1_ERROR", "a batch is an array of statements that prepare() made", { code: "USAGE" });
}

/** Makes an object of a row; of columns with the same name the last one counts. */
export function asObjects<T>({ columns, rows, meta }: Rows): D1Result<T> {
  const results = rows.map((row) => Object.fromEntries(columns.map((column, at) => [column, row[at]])) as T);
  return { success: true, meta, results };
}
