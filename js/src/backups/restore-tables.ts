import type { Backup } from "../catalog/folder.ts";
import { PagemarkError } from "../errors/index.ts";
import type { NewBackup } from "../run/made.ts";
import type { PageSource, ReplacedTable } from "../sources/source.ts";
import type { At, Backups } from "./backups.ts";
import type { DownloadOptions } from "./damaged-tables.ts";
import { tableStatements } from "./statements-of.ts";

/** A database that takes single tables. */
export type TableTarget = PageSource & Required<Pick<PageSource, "replaceTables">>;

export interface TablesOptions extends DownloadOptions {
  at?: At | undefined;
  tables: readonly string[];
}

export interface RestoredTables {
  backup?: Backup;
  undo?: string;
  tables: ReplacedTable[];
}

/**
 * Puts tables of a backup into a database, which is backed up by `safety` at the last moment before.
 *
 * @throws PagemarkError `TABLE_UNKNOWN`; SourceError `SOURCE_REFUSED`
 */
export async function restoreTables(
  target: TableTarget,
  backups: Backups,
  { at, tables, ...options }: TablesOptions,
  safety: () => Promise<NewBackup | undefined>,
): Promise<RestoredTables> {
  const { signal } = options;
  refuseInternal(tables);
  const moment = await backups.pages(at, { signal });
  const statements = tableStatements(moment, backups.name, { ...options, tables: [...tables] });
  const made: NewBackup[] = [];
  try {
    // A name that the backup has not ends it here, before anything is backed up.
    const first = await statements.next();
    const replaced = await target.replaceTables({
      tables,
      statements: withFirst(first, statements),
      signal,
      before: async () => {
        const before = await safety();
        if (before) made.push(before);
      },
    });
    const { backup } = moment;
    const undo = made.at(-1)?.bookmark;
    return { ...(backup && { backup }), ...(undo !== undefined && { undo }), tables: replaced };
  } catch (error) {
    for (const before of made.reverse()) await backups.takeBack(before);
    throw error;
  } finally {
    await statements.return();
    await moment.release().catch(() => {});
  }
}

/** SQLite keeps these, and brings them in order when a table goes. */
function refuseInternal(tables: readonly string[]): void {
  if (tables.length === 0) throw new PagemarkError("USAGE", "tables is empty: leave it out for all tables");
  const internal = tables.find((name) => /^sqlite_/i.test(name));
  if (internal === undefined) return;
  const message = `${internal} is SQLite's own table; what it says of a table is restored with that table`;
  throw new PagemarkError("USAGE", message);
}

async function* withFirst(
  first: IteratorResult<string, void>,
  rest: AsyncGenerator<string, void, void>,
): AsyncGenerator<string, void, void> {
  if (first.done) return;
  yield first.value;
  yield* rest;
}
