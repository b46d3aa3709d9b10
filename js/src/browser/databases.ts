// What a browser's origin has: its databases with their tables, and its room.
import { readTables, type Table } from "../moments/tables.ts";
import { opfs } from "../sources/opfs.ts";
import { type ListedDatabase, listDatabases } from "../sources/opfs-list.ts";

/** A database in the origin's private files, with its tables. */
export interface OpfsDatabase extends ListedDatabase {
  /** Missing when they could not be read now: the database is damaged, or its writers left no pause. */
  tables?: Table[];
}

/**
 * The databases in this origin's private files, whatever library keeps them there, in any tab or worker.
 *
 * @param tables whether to read the tables' names, `true` unless given
 * @example
 * ```ts
 * import { opfsDatabases } from "pagemark";
 * for (const { path, library, size } of await opfsDatabases()) console.log(path, library, size);
 * ```
 */
export async function opfsDatabases({ tables = true } = {}): Promise<OpfsDatabase[]> {
  const databases: OpfsDatabase[] = [];
  for await (const listed of listDatabases()) {
    const { path, pool, problem } = listed;
    const options = pool !== undefined && problem === undefined ? { pool } : {};
    const names = tables ? await tablesOf(path, options).catch(() => undefined) : undefined;
    databases.push({ ...listed, ...(names && { tables: names }) });
  }
  return databases.sort((a, b) => (a.path < b.path ? -1 : 1));
}

async function tablesOf(path: string, options: { pool?: string }): Promise<Table[]> {
  const moment = await opfs(path, { ...options, busyTimeoutMs: 1000 }).pin();
  try {
    const readPage = async (pgno: number) => {
      const page = new Uint8Array(moment.pageSize);
      await moment.read(pgno, page);
      return page;
    };
    return await readTables(readPage, moment.pageCount, false);
  } finally {
    await moment.release();
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
export async function browserStorage({ persist = false } = {}): Promise<BrowserStorage> {
  const isPersistent = await (persist ? navigator.storage.persist() : navigator.storage.persisted());
  const { usage = 0, quota = 0 } = await navigator.storage.estimate();
  return { used: usage, quota, isPersistent };
}
