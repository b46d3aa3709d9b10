import type { WireResult } from "../../client/wire.ts";
import type { Database } from "../../entry/engine.workerd.ts";
import { PagemarkError } from "../../entry/workerd.ts";
import { BOOKMARK } from "../../service/arguments.ts";
import type { QueryResult } from "../../service/service.ts";

/**
 * Refuses the bookmark of a state that the database has not been in: there is one copy, so whatever it was in it is past.
 *
 * @throws PagemarkError `BOOKMARK_SYNTAX`, `BOOKMARK_LINEAGE`, `HISTORY_UNKNOWN`
 */
export function checkReached(db: Database, bookmark: string): void {
  if (!BOOKMARK.test(bookmark)) {
    const message =
      "a session begins with first-primary, first-unconstrained, or a bookmark that getBookmark() gave";
    throw new PagemarkError("BOOKMARK_SYNTAX", message);
  }
  try {
    db.bookmarkAt(bookmark);
  } catch (error) {
    // Only the bookmark is left of a state that is too long ago.
    if ((error as PagemarkError).code !== "HISTORY_GONE") throw error;
  }
}

/** The result of a query's last statement, with what all of its statements did. */
export function lastOf(results: readonly QueryResult[]): WireResult {
  // A query has one statement at least.
  const last = results.at(-1) as QueryResult;
  const sum = (count: (result: QueryResult) => number) =>
    results.reduce((total, each) => total + count(each), 0);
  const messages = results.flatMap(({ meta }) => meta.messages ?? []);
  const meta = {
    ...last.meta,
    changes: sum(({ meta }) => meta.changes),
    changed_db: results.some(({ meta }) => meta.changed_db),
    rows_read: sum(({ meta }) => meta.rows_read),
    rows_written: sum(({ meta }) => meta.rows_written),
    ...(messages.length > 0 && { messages }),
  };
  return { ...last, meta, statements: results.length };
}
