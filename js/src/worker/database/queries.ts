import type { Database, Parameters, SqlParameter, SqlValue, Statement } from "../../entry/engine.workerd.ts";
import { PagemarkError } from "../../entry/workerd.ts";
import { nextStatement } from "./next-statement.ts";
import { checkStatement } from "./statements.ts";

/** SQL with what is bound to it. Text with several statements takes no parameters. */
export interface Query {
  sql: string;
  params?: readonly SqlParameter[] | undefined;
}

/** What a statement did, in D1's words. */
export interface QueryMeta {
  served_by: string;
  /** In milliseconds. Workers' clocks stand still while a program computes: 0 says that there was no waiting. */
  duration: number;
  /** Rows that were inserted, updated or deleted. */
  changes: number;
  last_row_id: number | bigint;
  changed_db: boolean;
  /** Of the database, in bytes. */
  size_after: number;
  /** Rows in the result. */
  rows_read: number;
  rows_written: number;
}

export interface QueryResult {
  columns: string[];
  /** A row is an array of its values. */
  rows: SqlValue[][];
  meta: QueryMeta;
}

export interface QueryOptions {
  /** Refuses statements that write. */
  readonly?: boolean | undefined;
}

/** Larger results would not fit beside the work, in bytes. */
const MOST_BYTES = 16 << 20;
const MOST_STATEMENTS = 50_000;
/** What a result takes beside its rows, in bytes. */
const STATEMENT = 256;

/** Runs queries of one request: all of them in one transaction. */
export function runQueries(
  db: Database,
  queries: readonly Query[],
  options: QueryOptions = {},
): QueryResult[] {
  const budget = { bytes: MOST_BYTES, statements: MOST_STATEMENTS };
  return db.transaction(() => queries.flatMap((query) => runQuery(db, query, options, budget)));
}

interface Budget {
  bytes: number;
  statements: number;
}

function runQuery(
  db: Database,
  { sql, params = [] }: Query,
  options: QueryOptions,
  budget: Budget,
): QueryResult[] {
  const results: QueryResult[] = [];
  for (let rest = sql; ; ) {
    checkStatement(rest);
    const next = nextStatement(db, rest);
    if (!next) break;
    using statement = next.statement;
    if (options.readonly && !statement.readonly) {
      throw new PagemarkError("READ_ONLY", "this access may only read, and the statement writes");
    }
    if (--budget.statements < 0) {
      throw new PagemarkError(
        "RESULT_SIZE",
        `one request runs at most ${MOST_STATEMENTS} statements; send several`,
      );
    }
    budget.bytes -= STATEMENT;
    const isAll = results.length === 0 && !/\S/.test(next.rest);
    if (params.length > 0 && !isAll && hasStatement(db, next.rest)) {
      throw new PagemarkError(
        "USAGE",
        "parameters are for one statement; send several statements as a batch",
      );
    }
    results.push(runStatement(db, statement, params, budget));
    rest = next.rest;
  }
  return results;
}

function hasStatement(db: Database, sql: string): boolean {
  const next = nextStatement(db, sql);
  next?.statement[Symbol.dispose]();
  return next !== undefined;
}

function runStatement(
  db: Database,
  statement: Statement,
  params: readonly SqlParameter[],
  budget: Budget,
): QueryResult {
  const before = db.totalChanges;
  const rows: SqlValue[][] = [];
  for (const row of statement.iterateValues(...(params as Parameters))) {
    budget.bytes -= sizeOf(row);
    if (budget.bytes < 0) {
      const message = `the result is larger than ${MOST_BYTES >> 20} MiB; ask for fewer rows with LIMIT, or export`;
      throw new PagemarkError("RESULT_SIZE", message);
    }
    rows.push(row);
  }
  const changes = db.totalChanges - before;
  const meta: QueryMeta = {
    served_by: "pagemark",
    duration: 0,
    changes,
    last_row_id: db.lastInsertRowid,
    changed_db: !statement.readonly,
    size_after: 0,
    rows_read: rows.length,
    rows_written: changes,
  };
  return { columns: statement.columns, rows, meta };
}

/** About what a row takes, in bytes. */
function sizeOf(row: readonly SqlValue[]): number {
  let size = 16;
  for (const value of row) {
    if (typeof value === "string") size += 16 + value.length;
    else if (value instanceof Uint8Array) size += 64 + value.length;
    else size += 16;
  }
  return size;
}
