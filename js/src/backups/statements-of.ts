import { dumpCore, named } from "../core/index.ts";
import { dumpChunks } from "../dump/dump.ts";
import type { DumpDetails, DumpOptions } from "../dump/options.ts";
import type { Moment } from "../sources/source.ts";

/** The database of `moment` as SQL, statement by statement. The moment is released at the end. */
export async function* statementsOf(
  moment: Moment,
  name: string,
  options: DumpDetails,
): AsyncGenerator<string, void, void> {
  const {
    dialect,
    drop,
    inBatches = false,
    noData,
    noSchema,
    signal,
    onProgress,
    onWarning,
    tables,
  } = options;
  const { Statements } = await dumpCore();
  const statements = new Statements();
  try {
    const wanted = { dialect, drop, inBatches, noData, noSchema, tables, signal, onProgress, onWarning };
    for await (const chunk of await dumpChunks(moment, name, wanted)) {
      statements.push(chunk);
      for (let next = statements.nextWhole(); next !== undefined; next = statements.nextWhole()) yield next;
    }
  } catch (error) {
    throw named(error, name);
  } finally {
    statements.free();
  }
}

/** What a dump does with the database as a whole: its transaction, its settings. */
const WHOLE =
  /^(?:BEGIN TRANSACTION|COMMIT|PRAGMA (?:foreign_keys|page_size|encoding|auto_vacuum|user_version|application_id)\b)/;
const DROPS = /^DROP \w+ IF EXISTS /;
const COMMENTS = /^(?:\s*--[^\n]*\n)*\s*/;

/**
 * Some tables and views as SQL for a database that has others: nothing that concerns those. What is to be dropped first is not said,
 * because an index of that name may be another table's there.
 *
 * @throws PagemarkError `TABLE_UNKNOWN` before the first statement
 */
export async function* tableStatements(
  moment: Moment,
  name: string,
  options: DumpOptions,
): AsyncGenerator<string, void, void> {
  let isHead = true;
  // With drops, virtual tables are made as anyone makes them, and not put into the schema.
  for await (const statement of statementsOf(moment, name, { ...options, dialect: "sqlite", drop: true })) {
    const sql = statement.replace(COMMENTS, "");
    if (sql === "" || WHOLE.test(sql) || (isHead && DROPS.test(sql))) continue;
    isHead = false;
    yield sql;
  }
}
