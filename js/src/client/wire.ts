// What a D1Database of this package and the Pagemark Worker say to each other.

/** What a statement may be given. */
export type WireValue = null | number | bigint | string | Uint8Array;

/** SQL, of one statement or of several, with what the last of them is given. */
export interface WireQuery {
  sql: string;
  params?: readonly WireValue[];
}

/** Queries that are one transaction. */
export interface WireRequest {
  queries: readonly WireQuery[];
  /** A state that the answer must not be older than. */
  bookmark?: string | undefined;
}

/** What a query gave: its last statement, if it has several. */
export interface WireResult {
  /** How many statements the query had. */
  statements: number;
  columns: string[];
  rows: WireValue[][];
  meta: Meta;
}

/** What a query did, in D1's words. */
export interface Meta {
  served_by: string;
  /** There is one copy of a database. */
  served_by_primary: boolean;
  /** Nothing is tried again by itself. */
  total_attempts: number;
  timings: { sql_duration_ms: number };
  /** In milliseconds. Workers' clocks stand still while a program computes: 0 says that there was no waiting. */
  duration: number;
  /** Rows that were inserted, updated or deleted. */
  changes: number;
  last_row_id: number | bigint;
  changed_db: boolean;
  /** Size of the database, in bytes. */
  size_after: number;
  /** Rows of tables and indexes that were looked at. */
  rows_read: number;
  /** Rows of tables and entries of indexes that were written. */
  rows_written: number;
  /** What the caller should know, in sentences. */
  messages?: string[];
}

/** Why nothing of a request was done. Plain data: an error loses its properties on the way to Workers of an older date. */
export interface WireFailure {
  message: string;
  code: string;
  /** SQLite's extended result code. */
  sqlite?: number | undefined;
  at?: object | undefined;
  /** Which of the queries, counted from 0. */
  query?: number | undefined;
}

/** With the `bookmark` of the state after the request. */
export type WireReply = { results: WireResult[]; bookmark: string } | { failure: WireFailure };

/** What a binding to the Pagemark Worker has that this needs: `env.DB`, or what `env.DB.database(name)` gives. */
export interface PagemarkBinding {
  d1(request: WireRequest): PromiseLike<WireReply>;
  download(): PromiseLike<ReadableStream<Uint8Array>>;
}
