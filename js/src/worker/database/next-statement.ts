import type { Database, Statement } from "../../entry/engine.workerd.ts";

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
