// Dumps for D1, taken apart as wrangler does it.
import { type DumpOptions, dumpSource, file } from "pagemark";
import { expect } from "vitest";
import { unstable_splitSqlQuery } from "wrangler";

export interface Dumped {
  sql: string;
  statements: string[];
  warnings: string[];
}

/** The database at `path` as SQL for D1. */
export async function d1Dump(path: string, options: DumpOptions = {}): Promise<Dumped> {
  const warnings: string[] = [];
  const onWarning = (message: string) => warnings.push(message);
  const stream = await dumpSource(file(path), { dialect: "d1", onWarning, ...options });
  const sql = await new Response(stream).text();
  const statements = unstable_splitSqlQuery(sql);
  // With the semicolon that wrangler drops.
  for (const statement of statements) expect(Buffer.byteLength(statement)).toBeLessThan(100_000);
  return { sql, statements, warnings };
}
