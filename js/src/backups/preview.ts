import type { Backup } from "../catalog/folder.ts";
import { type Comparison, comparisonOf } from "../core/index.ts";
import { PagemarkError } from "../errors/index.ts";
import { pagesPerBatch } from "../moments/page-runs.ts";
import type { Moment } from "../sources/source.ts";
import { CONNECTIONS } from "../stored/chain-index.ts";
import type { PreviousStates } from "../stored/page-states.ts";
import type { JobOptions, Warned } from "../streams/progress.ts";

/** What a restore would do to a table. */
export interface TableChange {
  name: string;
  /** `vanish`: only the database has it; `come`: only the backup has it; `changed`: its rows or its definition differ, or may. */
  change: "vanish" | "come" | "changed" | "unchanged";
  /** `null` where it has none of its own (a virtual table), or they could not be counted. */
  rowsNow: number | null;
  rowsThen: number | null;
  /** How the rows of a table that both have differ; `null` where to find out would mean reading too much. */
  rows: RowChanges | null;
  /** Whether it is defined in other words. */
  redefined: boolean;
}

/** Numbers of rows by which a table of the backup differs from the database's. */
export interface RowChanges {
  /** Rows that only the backup has. */
  back: number;
  /** Rows that only the database has. */
  gone: number;
  /** Rows of the same rowid with other values; of a table WITHOUT ROWID these count as `back` and `gone`. */
  updated: number;
}

/** What a restore of a backup would change. */
export interface Preview {
  /** Missing for a folder that Litestream wrote. */
  backup?: Backup;
  /** Whether contents were compared: else every table that both have is `changed`. */
  compared: boolean;
  /** Those that vanish first, then those that come back, change and stay. */
  tables: TableChange[];
  /** Why the database as it is now could not be read: all of it is replaced. */
  unreadable?: string;
}

/** How much is compared, in bytes, and what may interrupt it. */
export interface CompareOptions extends JobOptions, Warned {
  /** Databases larger than this are not compared, in bytes; all are unless given. */
  most?: number;
  /** About so many bytes are read to compare rows one by one; 256 MiB unless given. */
  budget?: number;
  /** The only pages of those that both have which may differ, ascending; rows are counted only where they are read anyway. */
  differing?: Uint32Array;
  /** Tells of views, too, among the tables. */
  views?: boolean;
  /** Called before each read: lets others have their turn. */
  pause?: () => Promise<unknown>;
}

const BUDGET = 256 << 20;

/** Compares what is there `now`, if anything, with what was `then`. Without `states` of that all of it is read. */
export async function comparePages(
  now: Moment | undefined,
  then: Moment,
  states: PreviousStates | undefined,
  options: CompareOptions,
): Promise<Omit<Preview, "backup">> {
  const { most = Number.POSITIVE_INFINITY, budget = BUDGET } = options;
  const first = now && (await readPages(now, 1, 1, options));
  const comparison = await comparisonOf(
    first,
    now?.pageCount ?? 0,
    await readPages(then, 1, 1, options),
    then.pageCount,
    budget,
  );
  try {
    const compared = now === undefined || now.pageSize * now.pageCount <= most;
    // Each run of two stored backups is a request, and its answer is far away.
    const together = options.differing ? CONNECTIONS : 1;
    if (options.differing) comparison.tell(options.differing);
    else if (now && compared) await digest(comparison, now, then, states, options);
    for (let asked = comparison.poll(); asked; asked = comparison.poll()) {
      const moment = comparison.side === "now" && now ? now : then;
      for (let at = 0; at < asked.length; at += 2 * together) {
        const runs = asked.subarray(at, at + 2 * together);
        const firsts = runs.filter((_, place) => place % 2 === 0);
        const reading = Array.from(firsts, (first, place) =>
          readPages(moment, first, runs[2 * place + 1] ?? 0, options),
        );
        for (const [place, pages] of (await Promise.all(reading)).entries())
          comparison.feed(firsts[place] ?? 1, pages);
      }
    }
    const views = options.views ? comparison.views() : [];
    return { compared, tables: [...comparison.tables(), ...views] };
  } catch (error) {
    if (!now || options.differing || !comparison.hasNowFailed) throw error;
    const { message } = error as Error;
    return { ...(await comparePages(undefined, then, states, options)), unreadable: message };
  } finally {
    comparison.free();
  }
}

/**
 * What a restore of some tables and views alone would change.
 *
 * @throws PagemarkError `TABLE_UNKNOWN` for one that the backup has not
 */
export function onlyOf(preview: Preview, tables: readonly string[], name: string): Preview {
  const isMeant = (each: TableChange) =>
    tables.some((table) => table.toLowerCase() === each.name.toLowerCase());
  const then = preview.tables.filter(({ change }) => change !== "vanish").filter(isMeant);
  const unknown = tables.filter(
    (table) => !then.some((each) => each.name.toLowerCase() === table.toLowerCase()),
  );
  if (unknown.length === 0) return { ...preview, tables: then };
  const message = `${name}: the backup has no table ${unknown.map((table) => JSON.stringify(table)).join(", ")}`;
  throw new PagemarkError("TABLE_UNKNOWN", message, { name });
}

/** Finds out which pages differ. */
async function digest(
  comparison: Comparison,
  now: Moment,
  then: Moment,
  states: PreviousStates | undefined,
  options: CompareOptions,
): Promise<void> {
  const { pageSize, pageCount } = now;
  const perBatch = pagesPerBatch(pageSize);
  const buffer = new Uint8Array(Math.min(perBatch, pageCount) * pageSize);
  for (let first = 1; first <= pageCount; first += perBatch) {
    const count = Math.min(perBatch, pageCount - first + 1);
    const pages = buffer.subarray(0, count * pageSize);
    await options.pause?.();
    await now.read(first, pages, options.signal);
    // Beyond its end the backup has none.
    const both = Math.max(0, Math.min(count, then.pageCount - first + 1));
    if (!comparison.sharesPages || both === 0) comparison.digest(first, pages, new Uint8Array());
    else if (states) comparison.digest(first, pages, await states.next(both));
    else comparison.digestPages(first, pages, await readPages(then, first, both, options));
    const done = first + count - 1;
    options.onProgress?.({ phase: "compare", done, total: pageCount, bytes: done * pageSize });
  }
}

async function readPages(
  moment: Moment,
  first: number,
  count: number,
  { signal, pause }: CompareOptions,
): Promise<Uint8Array> {
  await pause?.();
  const pages = new Uint8Array(count * moment.pageSize);
  await moment.read(first, pages, signal);
  return pages;
}
