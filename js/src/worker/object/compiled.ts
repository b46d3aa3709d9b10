import type { Database, Statement } from "../../entry/engine.workerd.ts";

/** The first statement of a text, and what follows it. */
export interface Compiled extends Disposable {
  readonly statement: Statement;
  readonly rest: string;
  /** How many rows its executions before this one read and wrote. */
  readonly before: Statement["rowCounts"];
  /** To call when it ran well: it is there for the next request that has the same text. */
  keep(): void;
}

/** Each database's statements, by the text and by who may run it; the one that was used last is the last. */
const kept = new WeakMap<Database, Map<string, Statement>>();
const MOST_KEPT = 64;
/** A longer text is seldom sent again as it is, in characters. */
const LONGEST = 2000;
/** Others change what compiling takes for granted, or do something when they are compiled. */
const KEEPABLE = /^\s*(SELECT|INSERT|UPDATE|DELETE|REPLACE|WITH)\b/i;

/**
 * Compiles the first statement of a text, unless that was done for an earlier request of `kind`, which says who may run
 * it on which schema; nothing when there is none. Compiling takes longer than looking a row up.
 */
export function compiled(db: Database, sql: string, kind: string): Compiled | undefined {
  const key = sql.length <= LONGEST && KEEPABLE.test(sql) ? `${kind} ${sql}` : undefined;
  const statements = kept.get(db) ?? new Map<string, Statement>();
  kept.set(db, statements);
  const known = key === undefined ? undefined : statements.get(key);
  if (key !== undefined) statements.delete(key);
  const next = known ? { statement: known, rest: "" } : nextStatement(db, sql);
  if (!next) return undefined;
  const { statement, rest } = next;
  if (key === undefined && !statement.readonly) dispose(statements);
  let isKept = false;
  return {
    statement,
    rest,
    before: known ? known.rowCounts : { rowsRead: 0, rowsWritten: 0 },
    keep() {
      if (key === undefined || rest !== "" || statements.has(key)) return;
      isKept = true;
      statements.set(key, statement);
      const [oldest] = statements;
      if (statements.size <= MOST_KEPT || !oldest) return;
      statements.delete(oldest[0]);
      oldest[1][Symbol.dispose]();
    },
    [Symbol.dispose]() {
      if (!isKept) statement[Symbol.dispose]();
    },
  };
}

/** Ends them: what follows may change the schema, and SQLite would compile each of them again when it is run. */
function dispose(statements: Map<string, Statement>): void {
  for (const statement of statements.values()) statement[Symbol.dispose]();
  statements.clear();
}

/** Characters that are looked at first; a statement that is longer is looked at again, with so many times more. */
const FIRST = 1024;
const MORE = 8;

/**
 * Compiles the first statement of a text, and gives what follows it; nothing when there is none left. Every text goes
 * into the engine whole: of a long script only the beginning does, or thousands of statements would each cost as much
 * as all of them.
 */
export function nextStatement(db: Database, sql: string): { statement: Statement; rest: string } | undefined {
  for (let length = FIRST; ; length *= MORE) {
    // A cut behind a semicolon is behind a statement, or within a literal, a comment or a trigger, which is no whole
    // statement then, or takes the text to its end. One character more tells the first from the last.
    const end = length < sql.length ? sql.indexOf(";", length) + 2 : 0;
    if (end < FIRST || end >= sql.length) return db.prepareNext(sql);
    const next = tryNext(db, sql.slice(0, end));
    if (next && next.rest !== "") {
      return { statement: next.statement, rest: sql.slice(end - next.rest.length) };
    }
    next?.statement[Symbol.dispose]();
  }
}

function tryNext(db: Database, sql: string) {
  try {
    return db.prepareNext(sql);
  } catch {
    // With all of its text it may be right; if not, that says what is wrong.
    return undefined;
  }
}
