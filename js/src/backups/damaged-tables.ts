import type { RestorePlan } from "../catalog/folder.ts";
import { named } from "../core/index.ts";
import { PageHeads, withHeads } from "../moments/page-heads.ts";
import { type ReadPage, readerOf } from "../moments/page-runs.ts";
import { readTables, type Table } from "../moments/tables.ts";
import type { Moment, PageSource } from "../sources/source.ts";
import { openStoredMoment } from "../stored/stored-moment.ts";
import type { Store } from "../stores/store.ts";
import type { JobOptions } from "../streams/progress.ts";
import { endingWith } from "../streams/streams.ts";

/** How a backup is downloaded: with what is told of its damage. */
export interface DownloadOptions extends JobOptions {
  /**
   * Called before the stream ends, once for each table with a damaged page: the database had it when it was backed up, and
   * what the backup holds is given all the same. With it, some pages are read from the store a second time.
   */
  onWarning?: ((message: string) => void) | undefined;
  /** These tables alone, with their indexes, triggers and sequences, and these views. */
  tables?: readonly string[] | undefined;
}

/** `body`, the database of `plan`; what is damaged in it is said to `onWarning`. */
export function warningOfDamage(
  body: ReadableStream<Uint8Array>,
  store: Store,
  plan: RestorePlan,
  { signal, onWarning }: DownloadOptions,
): ReadableStream<Uint8Array> {
  if (!onWarning) return body;
  const heads = new PageHeads();
  return endingWith(heads.watch(body), async () => {
    const warnings = await storedDamage(store, plan, heads, signal);
    for (const warning of warnings) onWarning(warning);
  });
}

/** A line for each table that has a damaged page. */
export function damageIn(tables: Table[]): string[] {
  return tables
    .filter(({ damagedPage }) => damagedPage !== undefined)
    .map(
      ({ name, damagedPage }) =>
        `table ${JSON.stringify(name)} has a damaged page (page ${damagedPage}), as it had when it was backed up`,
    );
}

/** The pages are those that were backed up: that they cannot be read as tables undoes nothing. */
export function unlisted(error: unknown, name: string): string {
  return `its tables could not be listed: ${(named(error, name) as Error).message}`;
}

/** The same of a database that is in place now, whose pages passed by `heads` on their way there. */
export async function damageOf(source: PageSource, heads: PageHeads): Promise<string[]> {
  let moment: Moment | undefined;
  try {
    moment = await source.pin();
    return await damageRead(readerOf(moment, undefined), heads);
  } catch (error) {
    return [unlisted(error, source.name)];
  } finally {
    await moment?.release().catch(() => {});
  }
}

async function storedDamage(
  store: Store,
  plan: RestorePlan,
  heads: PageHeads,
  signal: AbortSignal | undefined,
): Promise<string[]> {
  let moment: Moment | undefined;
  try {
    moment = await openStoredMoment(store, plan, { signal });
    return await damageRead(readerOf(moment, signal), heads);
  } catch (error) {
    signal?.throwIfAborted();
    return [unlisted(error, plan.backup?.name ?? "the database")];
  } finally {
    await moment?.release();
  }
}

async function damageRead(read: ReadPage, heads: PageHeads): Promise<string[]> {
  return damageIn(await readTables(await withHeads(read, heads, heads.pageCount), heads.pageCount, true));
}
