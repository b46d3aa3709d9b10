// What a browser's origin has: its databases with their tables, and its room.
import { checkOptions, PagemarkError } from "../errors/index.ts";
import { readTables, type Table } from "../moments/tables.ts";
import { sweepScratch } from "../opfs/scratch.ts";
import { indexedDb, indexedDbDatabases } from "../sources/indexed-db.ts";
import { type ListedDatabase, listDatabases } from "../sources/opfs/list.ts";
import { opfs } from "../sources/opfs/opfs.ts";
import type { PageSource } from "../sources/source.ts";

/** A database of the origin, with its tables. */
export interface OpfsDatabase extends ListedDatabase {
  /** Name of the IndexedDB database that holds it, for the option `database` of `indexedDb()`; missing for one in the private files. */
  indexedDb?: string;
  /** Missing when they could not be read now: the database is damaged, or its writers left no pause. */
  tables?: Table[];
}

/**
 * The databases in this origin's private files, whatever library keeps them there, and those of wa-sqlite in IndexedDB; in any
 * tab or worker.
 *
 * @param tables whether to read the tables' names, `true` unless given
 * @example
 * ```ts
 * import { opfsDatabases } from "pagemark";
 * for (const { path, library, size } of await opfsDatabases()) console.log(path, library, size);
 * ```
 */
export async function opfsDatabases(options: { tables?: boolean } = {}): Promise<OpfsDatabase[]> {
  // Elsewhere an option of that name lists tables, so that the common check would refuse it.
  const { tables = true, ...others } = options ?? {};
  checkOptions(typeof options === "object" ? options && others : options);
  if (typeof tables !== "boolean") throw new PagemarkError("USAGE", "tables must be true or false");
  const databases: OpfsDatabase[] = [];
  for await (const listed of listDatabases()) {
    const { path, pool, problem } = listed;
    const options = pool !== undefined && problem === undefined ? { pool } : {};
    const names = tables ? await tablesOf(opfs(path, { ...options, busyTimeoutMs: 1000 })) : undefined;
    databases.push({ ...listed, ...(names && { tables: names }) });
  }
  for (const { path, database, size } of await indexedDbDatabases()) {
    const names = tables ? await tablesOf(indexedDb(path, { database })) : undefined;
    const library = "wa-sqlite IDBBatchAtomicVFS";
    databases.push({
      path: path.slice(1),
      indexedDb: database,
      library,
      size,
      ...(names && { tables: names }),
    });
  }
  return databases.sort((a, b) => (a.path < b.path ? -1 : 1));
}

async function tablesOf(source: PageSource): Promise<Table[] | undefined> {
  const moment = await source.pin().catch(() => undefined);
  if (!moment) return undefined;
  try {
    const readPage = async (pgno: number) => {
      const page = new Uint8Array(moment.pageSize);
      await moment.read(pgno, page);
      return page;
    };
    return await readTables(readPage, moment.pageCount, false);
  } catch {
    return undefined;
  } finally {
    await moment.release().catch(() => {}); // what was read may be of no commit then: names, for a list
  }
}

/** The room of this origin. */
export interface BrowserStorage {
  /** What all of its files and databases take, in bytes. */
  used: number;
  /** What the browser gives it, in bytes. */
  quota: number;
  /** Whether the browser removes nothing of it by itself, when the disk is full or the user has not come for long. */
  isPersistent: boolean;
}

/** Tells how much room this origin has. With `persist` the browser is asked to remove nothing by itself. */
export async function browserStorage(options: { persist?: boolean } = {}): Promise<BrowserStorage> {
  const { persist = false } = checkOptions(options);
  if (globalThis.navigator?.storage === undefined) {
    throw new PagemarkError(
      "RUNTIME_UNSUPPORTED",
      "only browsers tell how much room there is, on secure pages",
    );
  }
  const isPersistent = await (persist ? navigator.storage.persist() : navigator.storage.persisted());
  await sweepScratch();
  const { usage = 0, quota = 0 } = await navigator.storage.estimate();
  return { used: usage, quota, isPersistent };
}
