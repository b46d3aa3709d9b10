// What callers of the Worker's databases may ask for. By itself: these types are public, and use nobody's library.
import type { Dialect } from "../dump/options.ts";
import type { SqlParameter } from "../engine/index.ts";
import type { ByteRange } from "./byte-range.ts";

/** SQL with what is bound to it. Text with several statements takes no parameters. */
export interface Query {
  sql: string;
  params?: readonly SqlParameter[] | undefined;
}

/** How a backup is made. */
export interface CreateOptions {
  /** Makes a full backup even where an incremental one would do. */
  full?: boolean | undefined;
  /** These tables alone: a partial backup, which is kept apart. */
  tables?: string[] | undefined;
  /** Called after every step. */
  onProgress?: ((progress: BackupProgress) => unknown) | undefined;
}

/** How far a backup is. */
export interface BackupProgress {
  phase: string;
  /** Pages. */
  done: number;
  total: number;
}

/** What is restored, and whether what it replaces is backed up first. */
export interface RestoreOptions {
  /** A backup's id or bookmark, or a bookmark or time that history still has; the newest backup unless given. */
  at?: string | Date | undefined;
  /** Whether to back up first what a backup replaces; true unless given. */
  safety?: boolean | undefined;
}

/** Which tables are restored, and from where. */
export interface TablesOptions {
  tables: string[];
  /** A backup's id or bookmark, or a time; the newest backup unless given. */
  at?: string | undefined;
  /** The name in the store of another database that the backup is of. */
  from?: string | undefined;
  /** Whether to back the database up first; true unless given. */
  safety?: boolean | undefined;
}

/** Which bytes of a backup's file are downloaded. */
export interface DownloadOptions {
  range?: ByteRange | undefined;
}

/** What is written as SQL. */
export interface DumpOptions {
  /** Only of a backup: what else the dump could be of may be gone before the next range is asked for. */
  range?: ByteRange | undefined;
  /** A backup, or a state that history has; the newest state unless given. */
  at?: string | Date | undefined;
  dialect?: Dialect | undefined;
  tables?: string[] | undefined;
  noData?: boolean | undefined;
  noSchema?: boolean | undefined;
}
