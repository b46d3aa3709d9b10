import type { Database, Statement } from "../../entry/engine.workerd.ts";

/** Statements of which the number of rows they changed says whether they changed anything. */
const ROWS = /^\s*(INSERT|UPDATE|DELETE|REPLACE|WITH)\b/i;

/** Look at it before a statement runs; what it gives says afterwards what the statement changed. */
export function changeOf(db: Database, statement: Statement): () => { changes: number; changed_db: boolean } {
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
