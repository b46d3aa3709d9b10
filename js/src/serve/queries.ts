// Runs the SQL of a request on a file, in a process that can be ended.
import type { DatabaseSync, SQLInputValue, SQLOutputValue, StatementSync } from "node:sqlite";
import type { SqlParameter, SqlValue } from "../engine/index.ts";
import { smallest } from "../engine/values.ts";
import { PagemarkError } from "../errors/index.ts";
import type { Query } from "../service/options.ts";
import type { QueryResult } from "../service/service.ts";
import { checkStatement, firstWords, puttingBack, rowBytes } from "../service/statements.ts";

export interface QueryRequest {
  queries: readonly Query[];
  /** Refuses statements that write. */
  readonly: boolean;
  /** So long it may take, in milliseconds. */
  timeoutMs: number;
}

/** Larger results would not fit beside the work, in bytes. */
const MOST_BYTES = 16 << 20;
const MOST_STATEMENTS = 50_000;
/** What a result takes beside its rows, in bytes. */
const STATEMENT = 256;
/** The clock is looked at after so many rows. */
const ROWS = 1000;

/** What is left of what a request may take. */
interface Budget {
  bytes: number;
  statements: number;
  /** In milliseconds, as `performance.now()`. */
  deadline: number;
}

/** Runs all queries in one transaction. Of each query there are as many results as it has statements. */
export function runQueries(db: DatabaseSync, { queries, readonly, timeoutMs }: QueryRequest): QueryResult[] {
  const budget = { bytes: MOST_BYTES, statements: MOST_STATEMENTS, deadline: performance.now() + timeoutMs };
  const switches = puttingBack(queries);
  try {
    // A transaction that began as a reader's could not become a writer's while others write.
    db.exec(readonly || queries.every((query) => onlyLooks(db, query)) ? "BEGIN" : "BEGIN IMMEDIATE");
    const results = queries.flatMap((query, at) => {
      try {
        return runQuery(db, query, budget);
      } catch (error) {
        throw Object.assign(error as Error, { query: at });
      }
    });
    refuseTemporary(db);
    checkTime(budget);
    const size = sizeOf(db);
    db.exec("COMMIT");
    for (const { meta } of results) meta.size_after = size;
    return results;
  } finally {
    if (db.isTransaction) db.exec("ROLLBACK");
    if (switches !== undefined) db.exec(`PRAGMA foreign_keys = ON; ${switches}`);
  }
}

function sizeOf(db: DatabaseSync): number {
  const [row] = valuesOf(db, "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size");
  return Number(row?.[0]);
}

function valuesOf(db: DatabaseSync, sql: string, ...values: SQLInputValue[]): SQLOutputValue[][] {
  const statement = db.prepare(sql);
  statement.setReturnArrays(true);
  return statement.all(...values) as unknown as SQLOutputValue[][];
}

function runQuery(db: DatabaseSync, { sql, params = [] }: Query, budget: Budget): QueryResult[] {
  if (sql.includes("\0")) throw new PagemarkError("USAGE", "SQL has no NUL characters; bind the value");
  const results: QueryResult[] = [];
  for (let rest = sql; ; ) {
    checkStatement(rest);
    const next = firstStatement(db, rest);
    if (!next) break;
    rest = next.rest;
    if (--budget.statements < 0) {
      const message = `one request runs at most ${MOST_STATEMENTS} statements; send several`;
      throw new PagemarkError("RESULT_SIZE", message);
    }
    if (params.length > 0 && (results.length > 0 || hasStatement(rest))) {
      const message = "parameters are for one statement; send several statements as a batch";
      throw new PagemarkError("USAGE", message);
    }
    results.push(runStatement(db, next.statement, params, budget));
  }
  if (results.length > 0) return results;
  throw new PagemarkError("STATEMENT_NONE", "SQL code did not contain a statement");
}

function hasStatement(sql: string): boolean {
  return firstWords(sql, 1).length > 0;
}

/** The first statement of a text, compiled, and what follows it; nothing where there is none. */
function firstStatement(
  db: DatabaseSync,
  sql: string,
): { statement: StatementSync; rest: string } | undefined {
  if (!hasStatement(sql)) return undefined;
  const statement = db.prepare(sql);
  return { statement, rest: sql.slice(statement.sourceSQL.length) };
}

/** Whether a query is one statement that writes nothing. */
function onlyLooks(db: DatabaseSync, { sql }: Query): boolean {
  const [first = ""] = firstWords(sql, 1);
  if (!/^(SELECT|VALUES|WITH)$/i.test(first)) return false;
  const next = firstStatement(db, sql);
  if (!next || hasStatement(next.rest)) return false;
  if (!/^WITH$/i.test(first)) return true;
  const program = valuesOf(db, `EXPLAIN ${next.statement.sourceSQL}`);
  // https://www.sqlite.org/opcode.html#Transaction
  return !program.some(([, opcode, , writes]) => opcode === "Transaction" && Number(writes) !== 0);
}

function runStatement(
  db: DatabaseSync,
  statement: StatementSync,
  params: readonly SqlParameter[],
  budget: Budget,
): QueryResult {
  const began = performance.now();
  const before = stateOf(db);
  statement.setReturnArrays(true);
  statement.setReadBigInts(true);
  const rows: SqlValue[][] = [];
  for (const row of iterated(statement, params.map(toBound))) {
    const values = (row as unknown as SQLOutputValue[]).map(fromSqlite);
    budget.bytes -= rowBytes(values);
    if (budget.bytes < 0) {
      const message = `the result is larger than ${MOST_BYTES >> 20} MiB; ask for fewer rows with LIMIT, or export`;
      throw new PagemarkError("RESULT_SIZE", message);
    }
    rows.push(values);
    if (rows.length % ROWS === 0) checkTime(budget);
  }
  budget.bytes -= STATEMENT;
  checkTime(budget);
  const after = stateOf(db);
  const changes = after.changes - before.changes;
  const duration = performance.now() - began;
  const meta = {
    served_by: "pagemark",
    served_by_primary: true,
    total_attempts: 1,
    timings: { sql_duration_ms: duration },
    duration,
    changes,
    last_row_id: after.lastRowid,
    changed_db: changes > 0 || after.head !== before.head,
    size_after: 0,
    // This SQLite does not count what it looks at.
    rows_read: rows.length,
    rows_written: changes,
  };
  return { columns: statement.columns().map(({ name }) => name), rows, meta };
}

/** Binds the parameters, of which there must be as many as the statement takes, and runs it. */
function* iterated(statement: StatementSync, values: SQLInputValue[]): Generator<unknown, void, void> {
  if (takesMore(statement, values)) {
    throw new PagemarkError(
      "ENGINE_PARAMETERS",
      `the statement takes more parameters than the ${values.length} that are given`,
    );
  }
  yield* statement.iterate(...values);
}

/** Binding one more is refused exactly when there is no place for it. Nothing is run for that. */
function takesMore(statement: StatementSync, values: SQLInputValue[]): boolean {
  try {
    statement.iterate(...values, null);
    return true;
  } catch {
    return false;
  }
}

const STATE = `SELECT total_changes(), last_insert_rowid(), s.schema_version || ' ' || u.user_version || ' ' ||
  a.application_id || ' ' || c.page_count || ' ' || f.freelist_count FROM pragma_schema_version s, pragma_user_version u,
  pragma_application_id a, pragma_page_count c, pragma_freelist_count f`;
/** Compiled once, as it is asked twice for every statement. */
const states = new WeakMap<DatabaseSync, StatementSync>();

/** What a statement may change: rows, and else what is in the database's header. */
function stateOf(db: DatabaseSync): { changes: number; lastRowid: number | bigint; head: string } {
  const statement = states.get(db) ?? db.prepare(STATE);
  states.set(db, statement);
  statement.setReturnArrays(true);
  statement.setReadBigInts(true);
  const [changes, lastRowid, head] = statement.get() as unknown as [bigint, bigint, string];
  return { changes: Number(changes), lastRowid: smallest(lastRowid), head };
}

/** What is temporary would be there for the next request, whoever sends it. */
function refuseTemporary(db: DatabaseSync): void {
  const [row] = valuesOf(db, "SELECT 1 FROM sqlite_temp_schema LIMIT 1");
  if (row)
    throw new PagemarkError("STATEMENT_REFUSED", "temporary tables, views and triggers are not for requests");
}

function checkTime({ deadline }: Budget): void {
  if (performance.now() > deadline) throw timeout();
}

/** What a request ends with that took too long: it was rolled back. */
export function timeout(): PagemarkError {
  const message =
    "the request took longer than it may, and was rolled back; do less at a time, or raise --timeout";
  return new PagemarkError("SQL_TIMEOUT", message);
}

/** SQLite stores integers as such; Node would bind every number as a REAL. */
function toBound(value: SqlParameter): SQLInputValue {
  if (typeof value === "boolean") return value ? 1n : 0n;
  if (typeof value === "number" && Number.isSafeInteger(value) && !Object.is(value, -0)) return BigInt(value);
  return value as SQLInputValue;
}

function fromSqlite(value: SQLOutputValue): SqlValue {
  return typeof value === "bigint" ? smallest(value) : (value as SqlValue);
}
