import type { Backup } from "../catalog/folder.ts";
import { PagemarkError } from "../errors/index.ts";
import { momentStream } from "../moments/moment-stream.ts";
import { readerOf } from "../moments/page-runs.ts";
import { readTables } from "../moments/tables.ts";
import { momentOfTables } from "../moments/tables-moment.ts";
import type { NewBackup } from "../run/made.ts";
import { inOrder } from "../run/partial.ts";
import type { Moment, PageSource, RenamedTable, ReplacedTable } from "../sources/source.ts";
import type { At, Backups } from "./backups.ts";
import type { DownloadOptions } from "./damaged-tables.ts";
import { tableStatements } from "./statements-of.ts";

/** A database that takes single tables. */
export type TableTarget = PageSource & Required<Pick<PageSource, "replaceTables">>;

export interface TablesOptions extends DownloadOptions {
  at?: At | undefined;
  tables: readonly string[];
  /** What the one table is to be called. */
  as?: string | undefined;
}

/** Where tables come from, and what is done before. */
export interface TablesFrom {
  from: { readonly name: string; pages(at: At | undefined, options: PagesOptions): Promise<TablesMoment> };
  /** Those of the database. */
  backups: Pick<Backups, "takeBack">;
  safetyBackup: () => Promise<NewBackup | undefined>;
}

type PagesOptions = Parameters<Backups["pages"]>[1];
type TablesMoment = Moment & { backup?: Backup };

export interface RestoredTables {
  backup?: Backup;
  undo?: string;
  tables: ReplacedTable[];
  /** What was left out. */
  note?: string;
}

/**
 * Puts tables of a backup into a database, which is backed up at the last moment before; where there is none, they become one.
 *
 * @throws PagemarkError `TABLE_UNKNOWN`; SourceError `SOURCE_REFUSED`
 */
export async function restoreTables(
  target: TableTarget,
  { from, backups, safetyBackup }: TablesFrom,
  { at, tables, as, ...options }: TablesOptions,
): Promise<RestoredTables> {
  const { signal } = options;
  refuseInternal(tables);
  const whole = await from.pages(at, { signal });
  const { backup } = whole;
  const taken =
    as === undefined ? undefined : await renamed(target, whole, from.name, { tables, as, signal });
  const moment = taken?.moment ?? whole;
  const { triggers = [] } = taken ?? {};
  const note = triggers.length > 0 && `triggers are left out under another name: ${triggers.join(", ")}`;
  const restored = { ...(backup && { backup }), ...(note && { note }) };
  const names = as === undefined ? tables : [as];
  const made: NewBackup[] = [];
  try {
    if (target.replace && !(await isThere(target)))
      return { ...restored, tables: await makeOf(target, moment, names, signal) };
    const statements = tableStatements(moment, from.name, { ...options, tables: [...names] });
    try {
      // A name that the backup has not ends it here, before anything is backed up.
      const first = await statements.next();
      const replaced = await target.replaceTables({
        tables: names,
        statements: withFirst(first, statements),
        signal,
        before: async () => {
          const before = await safetyBackup();
          if (before) made.push(before);
        },
      });
      const undo = made.at(-1)?.bookmark;
      return { ...restored, ...(undo !== undefined && { undo }), tables: replaced };
    } finally {
      await statements.return();
    }
  } catch (error) {
    for (const before of made.reverse()) await backups.takeBack(before);
    throw error;
  } finally {
    await moment.release().catch(() => {});
    await taken?.end();
  }
}

/** Whether there is a database already. */
async function isThere(target: PageSource): Promise<boolean> {
  if (target.stamp) return target.stamp() !== undefined;
  try {
    await (await target.pin()).release();
    return true;
  } catch (error) {
    if ((error as PagemarkError).code === "DATABASE_EMPTY") return false;
    throw error;
  }
}

/** SQLite keeps these, and brings them in order when a table goes. */
function refuseInternal(tables: readonly string[]): void {
  const internal = inOrder(tables).find((name) => /^sqlite_/i.test(name));
  if (internal === undefined) return;
  const message = `${internal} is SQLite's own table; what it says of a table is restored with that table`;
  throw new PagemarkError("USAGE", message);
}

/** One table under another name, with its indexes and triggers. `whole` is released. */
async function renamed(
  { name, renameTable }: TableTarget,
  whole: Moment,
  database: string,
  { tables, as, signal }: { tables: readonly string[]; as: string; signal: AbortSignal | undefined },
): Promise<RenamedTable> {
  const [table, ...others] = inOrder(tables);
  if (table === undefined || others.length > 0 || !renameTable) {
    await whole.release().catch(() => {});
    const message = renameTable
      ? "one table at a time is restored under another name"
      : `${name} takes tables under their own names only; download the table instead`;
    throw new PagemarkError("USAGE", message);
  }
  const moment = await momentOfTables(whole, database, [table], signal);
  return renameTable(momentStream(moment, { signal }), table, as);
}

/** Makes a database of the tables, where there is none yet. */
async function makeOf(
  target: PageSource,
  whole: Moment,
  names: readonly string[],
  signal: AbortSignal | undefined,
): Promise<ReplacedTable[]> {
  const moment = await momentOfTables(whole, target.name, inOrder(names), signal);
  try {
    const tables = await readTables(readerOf(moment, signal), moment.pageCount, true);
    await target.replace?.(momentStream(moment, { signal }), { signal, ownsChunks: true, isProved: true });
    return tables.map(({ name, rows }) => ({ name, ...(rows !== undefined && { rows }), replaced: false }));
  } finally {
    await moment.release().catch(() => {});
  }
}

async function* withFirst(
  first: IteratorResult<string, void>,
  rest: AsyncGenerator<string, void, void>,
): AsyncGenerator<string, void, void> {
  if (first.done) return;
  yield first.value;
  yield* rest;
}
