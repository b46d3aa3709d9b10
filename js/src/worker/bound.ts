import { RpcTarget } from "cloudflare:workers";
import type { WireQuery, WireRequest, WireResult } from "../client/wire.ts";
import type { SqlValue } from "../entry/engine.workerd.ts";
import { PagemarkError } from "../entry/workerd.ts";
import type { Query } from "../service/options.ts";
import { type D1Answer, d1Answer, type QueryResult, type Row } from "../service/service.ts";

type Value = NonNullable<Query["params"]>[number];
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
  async raw(options?: { columnNames?: boolean }): Promise<SqlValue[][]> {
    const { columns, rows } = await this.#run(this.#query);
    return options?.columnNames ? [columns, ...rows] : rows;
  }

  /** What it is, for a batch. */
  describe(): Query {
    return this.#query;
  }
}

type Send = (request: WireRequest) => Promise<{ results: WireResult[]; bookmark: string }>;

/** Statements whose answers are never older than one before them. */
export class BoundSession extends RpcTarget {
  readonly #send: Send;
  #bookmark: string | undefined;

  /** A session whose answers are never older than `bookmark`. */
  constructor(send: Send, bookmark: string | undefined) {
    super();
    this.#send = send;
    this.#bookmark = bookmark;
  }

  prepare(sql: string): BoundStatement {
    return new BoundStatement(
      async (query) => {
        const [result] = await this.#run([query]);
        if (result?.statements === 1) return result;
        throw new PagemarkError("USAGE", "a prepared statement is one statement; exec() runs several");
      },
      { sql },
    );
  }

  /** Runs statements in one transaction: prepared ones, or SQL with parameters. */
  async batch(statements: readonly BatchItem[]): Promise<D1Answer[]> {
    return (await this.#run(await describedAll(statements))).map(d1Answer);
  }

  /** The newest state that an answer was of; null before the first. */
  getBookmark(): string | null {
    return this.#bookmark ?? null;
  }

  async #run(queries: readonly Query[]): Promise<WireResult[]> {
    const { results, bookmark } = await this.#send({
      queries: queries as WireQuery[],
      bookmark: this.#bookmark,
    });
    if (this.#bookmark === undefined || this.#bookmark < bookmark) this.#bookmark = bookmark;
    return results;
  }
}

/** What a batch takes: SQL with parameters, or a prepared statement once it has arrived. */
export type BatchItem = Query | Pick<BoundStatement, "describe">;

/** What the statements of a batch are; everything else is looked at by the database. */
export async function describedAll(statements: readonly BatchItem[]): Promise<Query[]> {
  if (!Array.isArray(statements)) throw new PagemarkError("USAGE", "a batch is an array of statements");
  return Promise.all(
    statements.map(async (statement) => {
      // A prepared statement says it, over there.
      const describe = Object(statement).describe as unknown;
      return typeof describe === "function" ? (statement as BoundStatement).describe() : (statement as Query);
    }),
  );
}
