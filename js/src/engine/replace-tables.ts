// Puts tables into a live database: an import, after which everything that was in order must still be.
import { dispose } from "../core/dispose.ts";
import { PagemarkError, SourceError } from "../errors/index.ts";
import type { ReplacedTable, TableReplacement } from "../sources/source.ts";
import { refusedTables, type TableConnection, TableLook } from "../sources/table-look.ts";
import type { Imported } from "./results.ts";
import type { Statement } from "./statement.ts";

/** The part of an open database that this needs. */
interface Open {
  readonly name: string;
  prepare(sql: string): Statement;
  bookmark(): string;
  restore(options: { at: string }): unknown;
}

/** Runs SQL in one commit, and `onEnd` before anybody else sees what it did. */
type Run = (
  sql: AsyncIterable<string>,
  options: { signal: AbortSignal | undefined; onEnd: () => void },
) => Promise<Imported>;

/** Times that somebody may write before it begins. */
const ATTEMPTS = 5;

/** See `PageSource.replaceTables`. */
export async function replaceTables(
  database: Open,
  { tables, statements, before, signal }: TableReplacement,
  run: Run,
): Promise<ReplacedTable[]> {
  const look = new TableLook(connectionOf(database), database.name, tables);
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    await before();
    signal?.throwIfAborted();
    const bookmark = database.bookmark();
    const seen = look.see();
    let isBegun = false;
    let replaced: ReplacedTable[] = [];
    const script = async function* () {
      // Nobody writes from now on.
      isBegun = database.bookmark() === bookmark;
      if (!isBegun) throw changed(database.name);
      yield* scriptOf(look.drops(seen), statements);
    };
    const onEnd = () => {
      replaced = allOrNothing(database, bookmark, () => look.replaced(seen, look.see()));
    };
    try {
      await run(script(), { signal, onEnd });
      return replaced;
    } catch (error) {
      if (isBegun) throw asRefusal(database.name, error);
    }
  }
  throw changed(database.name);
}

/** As a dump, whose foreign keys are checked when all rows are there: dropping a table sets nothing off. */
async function* scriptOf(
  drops: readonly string[],
  statements: AsyncIterable<string>,
): AsyncGenerator<string, void, void> {
  yield `PRAGMA foreign_keys=OFF;\n${drops.join("\n")}\n`;
  for await (const statement of statements) yield `${statement}\n`;
}

/** Goes back to where it began when `check` throws. */
function allOrNothing<T>(database: Open, bookmark: string, check: () => T): T {
  try {
    return check();
  } catch (error) {
    database.restore({ at: bookmark });
    throw error;
  }
}

function connectionOf(database: Open): TableConnection {
  return {
    rows: (sql, ...bound) => database.prepare(sql).all(...bound),
    compile: (sql) => database.prepare(sql)[dispose](),
  };
}

const REFUSALS = new Set(["IMPORT_FOREIGN_KEY", "IMPORT_STATEMENT"]);

function asRefusal(name: string, error: unknown): unknown {
  if (!(error instanceof PagemarkError) || !REFUSALS.has(error.code)) return error;
  return refusedTables(name, error.message, error);
}

function changed(name: string): SourceError {
  const message = `${name}: somebody wrote whenever the tables were to be put into it; try again`;
  return new SourceError("SOURCE_BUSY", message, { name });
}
