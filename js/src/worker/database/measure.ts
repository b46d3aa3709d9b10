import type { Database } from "../../entry/engine.workerd.ts";

/** How many user tables a database has, and its size in bytes. */
export function measure(db: Database): { tables: number; size: number } {
  const { tables } = one(
    db,
    `SELECT count(*) AS tables FROM sqlite_schema
      WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE '\\_cf\\_%' ESCAPE '\\'`,
  );
  const { pages } = one(db, "SELECT page_count AS pages FROM pragma_page_count");
  const { bytes } = one(db, "SELECT page_size AS bytes FROM pragma_page_size");
  return { tables: Number(tables), size: Number(pages) * Number(bytes) };
}

function one(db: Database, sql: string): Record<string, unknown> {
  using statement = db.prepare(sql);
  return statement.get() ?? {};
}
