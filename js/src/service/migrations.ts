// Which requests are migrations: whoever changes a schema by a tool finds the way back by the migration's name.
import type { Query } from "./options.ts";

/** Tools note what they have applied in a table whose name says so: `d1_migrations`, `__drizzle_migrations` and others. */
const NOTED =
  /\bINSERT\s+(?:OR\s+\w+\s+)?INTO\s+(?:"[^"]*migration[^"]*"|`[^`]*migration[^`]*`|\[[^\]]*migration[^\]]*\]|\w*migration\w*)/i;
/** Those that note nothing else there. */
const TOOLS =
  /\b(?:d1_migrations|__drizzle_migrations|_prisma_migrations|kysely_migration|knex_migrations)\b/i;
const TEXT = /'((?:[^']|'')+)'/;
const CHANGES_SCHEMA = /(?:^|;)\s*(?:CREATE|ALTER|DROP)\b/i;

/** What a request says of a migration. */
export interface MigrationFound {
  /** What it notes as applied; nothing where it notes none. */
  noted?: {
    /** What the tool calls the migration. */
    name: string;
    /** Whether the table is one where nothing else is noted. */
    isByTool: boolean;
  };
  /** Whether it changes the schema. */
  changes: boolean;
}

/**
 * Looks at the texts alone: what they do is not known before they run.
 *
 * @param queries those of one request
 */
export function migrationIn(queries: readonly Query[]): MigrationFound {
  const noted = queries.find(({ sql }) => NOTED.test(sql));
  const changes = queries.some(({ sql }) => CHANGES_SCHEMA.test(sql));
  return { changes, ...(noted && { noted: { name: nameIn(noted), isByTool: TOOLS.test(noted.sql) } }) };
}

/** The first text that is noted. */
function nameIn({ sql, params = [] }: Query): string {
  const noted = sql.slice(sql.search(NOTED));
  const [, literal] = TEXT.exec(noted) ?? [];
  const bound = params?.find((each) => typeof each === "string");
  return (literal?.replaceAll("''", "'") ?? bound ?? "a migration").slice(0, 200);
}
