import type { Database, Parameters, SqlParameter, SqlValue, Statement } from "../../entry/engine.workerd.ts";
import { PagemarkError } from "../../entry/workerd.ts";
import type { Query } from "../../service/options.ts";
import type { QueryMeta, QueryOptions, QueryResult } from "../../service/service.ts";
import { checkStatement, puttingBack, rowBytes } from "../../service/statements.ts";
import { type Compiled, compiled, nextStatement } from "./compiled.ts";
import { noticesOf } from "./notices.ts";
import { measure } from "./size.ts";

/** Larger results would not fit beside the work, in bytes. */
const MOST_BYTES = 16 << 20;
const MOST_STATEMENTS = 50_000;
/** What a result takes beside its rows, in bytes. */
const STATEMENT = 256;

/** Runs queries of one request, which may take so many steps; what they switch on the connection ends with it. */
export function runRequest(
  db: Database,
  steps: number,
  queries: readonly Query[],
  options: QueryOptions,
): QueryResult[][] {
  try {
    const { readonly = false, asD1 = false } = options;
    const kind = `${readonly ? "reads" : "writes"} ${asD1 ? "as D1" : ""} ${measure(db).schema}`;
    return db.limited(steps, () => runQueries(db, queries, kind, options), { readonly, asD1 });
  } finally {
    const switches = puttingBack(queries);
    if (switches !== undefined) db.exec(switches);
  }
}

/**
 * Runs queries of one request: all of them in one transaction. Of each query there are as many results as it has
 * statements. What is thrown has as `query` which of the queries failed, counted from 0.
 */
function runQueries(
  db: Database,
  queries: readonly Query[],
  kind: string,
  options: QueryOptions,
): QueryResult[][] {
  const budget = { bytes: MOST_BYTES, statements: MOST_STATEMENTS };
  return db.transaction(() =>
    queries.map((query, at) => {
      try {
        return runQuery(db, query, kind, options, budget);
      } catch (error) {
        throw Object.assign(refused(error as Error, options), { query: at });
      }
    }),
  );
}

/** SQLite's code for what the authorizer refuses. */
const AUTH = 23;

/** What is not authorized to who may only read, writes. */
function refused(error: Error & { sqlite?: number }, { readonly }: QueryOptions): Error {
  if (!readonly || error.sqlite !== AUTH) return error;
  return new PagemarkError(
    "READ_ONLY",
    "this access may only read, and the statement writes",
    {},
    { cause: error },
  );
}

interface Budget {
  bytes: number;
  statements: number;
}

function runQuery(
  db: Database,
  { sql, params = [] }: Query,
  kind: string,
  options: QueryOptions,
  budget: Budget,
): QueryResult[] {
  const results: QueryResult[] = [];
  for (let rest = sql; ; ) {
    checkStatement(rest, options);
    using next = compiled(db, rest, kind);
    if (!next) break;
    const { statement } = next;
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
    const isLast = params.length === 0 || !/\S/.test(next.rest) || !hasStatement(db, next.rest);
    if (params.length > 0 && !options.paramsForLast && !(isLast && results.length === 0)) {
      throw new PagemarkError(
        "USAGE",
        "parameters are for one statement; send several statements as a batch",
      );
    }
    results.push(runStatement(db, next, isLast ? params : [], budget));
    next.keep();
    rest = next.rest;
  }
  if (results.length > 0) return results;
  throw new PagemarkError("STATEMENT_NONE", "SQL code did not contain a statement");
}

function hasStatement(db: Database, sql: string): boolean {
  try {
    const next = nextStatement(db, sql);
    next?.statement[Symbol.dispose]();
    return next !== undefined;
  } catch {
    // It may need what the statement before it makes; if not, that is said when its turn comes.
    return true;
  }
}

function runStatement(
  db: Database,
  { statement, before }: Compiled,
  params: readonly SqlParameter[],
  budget: Budget,
): QueryResult {
  const change = changeOf(db, statement);
  const notices = noticesOf(db, statement.sql);
  const rows: SqlValue[][] = [];
  for (const row of statement.iterateValues(...(params as Parameters))) {
    budget.bytes -= rowBytes(row);
    if (budget.bytes < 0) {
      const message = `the result is larger than ${MOST_BYTES >> 20} MiB; ask for fewer rows with LIMIT, or export`;
      throw new PagemarkError("RESULT_SIZE", message);
    }
    rows.push(row);
  }
  const { changes, changed_db } = change();
  const messages = notices();
  const { rowsRead, rowsWritten } = countedSince(before, statement.rowCounts);
  const meta: QueryMeta = {
    served_by: "pagemark",
    served_by_primary: true,
    total_attempts: 1,
    timings: { sql_duration_ms: 0 },
    duration: 0,
    changes,
    last_row_id: db.lastInsertRowid,
    changed_db,
    size_after: 0,
    rows_read: rowsRead,
    rows_written: rowsWritten,
    ...(messages.length > 0 && { messages }),
  };
  return { columns: statement.columns, rows, meta };
}

/** What one execution did. Where SQLite compiled the statement again meanwhile, it counts from 0 again. */
function countedSince(before: Statement["rowCounts"], now: Statement["rowCounts"]): Statement["rowCounts"] {
  const isAnew = now.rowsRead < before.rowsRead || now.rowsWritten < before.rowsWritten;
  return isAnew
    ? now
    : { rowsRead: now.rowsRead - before.rowsRead, rowsWritten: now.rowsWritten - before.rowsWritten };
}

/** Statements of which the number of rows they changed says whether they changed anything. */
const ROWS = /^\s*(INSERT|UPDATE|DELETE|REPLACE|WITH)\b/i;

/** Look at it before a statement runs; what it gives says afterwards what the statement changed. */
function changeOf(db: Database, statement: Statement): () => { changes: number; changed_db: boolean } {
  if (statement.readonly) return () => ({ changes: 0, changed_db: false });
  const changesBefore = db.totalChanges;
  const before = ROWS.test(statement.sql) ? "" : headOf(db);
  return () => {
    const changes = db.totalChanges - changesBefore;
    return { changes, changed_db: changes > 0 || (before !== "" && before !== headOf(db)) };
  };
}

/** What the database's header says: other than rows, a statement changes nothing that is not in it. */
function headOf(db: Database): string {
  using statement = db.prepare(
    `SELECT * FROM pragma_schema_version, pragma_user_version, pragma_application_id, pragma_page_count,
      pragma_freelist_count`,
  );
  return statement.values().join();
}
