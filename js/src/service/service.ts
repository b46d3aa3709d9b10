// What the HTTP API needs of whoever has databases: the Worker with its objects, `pagemark serve` with its files.

import type { Preview, TableChange } from "../backups/preview.ts";
import type { Meta } from "../client/wire.ts";
import type { SqlValue } from "../engine/index.ts";
import { newestFirst, type PartialBackup } from "../run/partial.ts";
import type { ReplacedTable } from "../sources/source.ts";
import type { Store, StoreUploads } from "../stores/store.ts";
import type { Deletion, KeptBackup } from "../vault/kept-backups.ts";
import type { StatementHost } from "../vault/statement-host.ts";
import type { ByteSpan } from "./byte-range.ts";
import type { Identity, Jurisdiction } from "./identity.ts";
import type { ExportRequest, Reply } from "./jobs/exports.ts";
import type { ImportRequest } from "./jobs/imports.ts";
import type { Job } from "./jobs/table.ts";
import type {
  CreateOptions,
  DownloadOptions,
  DumpOptions,
  Query,
  RestoreOptions,
  TablesOptions,
} from "./options.ts";

/** Databases, who may reach them, and the files that clients fetch and send by signed URLs. */
export interface Service {
  readonly access: Access;
  readonly databases: Databases;
  readonly files: JobFiles;
  /** Where programs elsewhere keep objects, under `/store/<name>`; missing where there is no room for them. */
  readonly objects?: Store & { uploads: StoreUploads };
  /** What statements are carried out on, where they can do more than {@link Databases} say: with stores of their own, say. */
  readonly statements?: StatementHost;
  /** What Prometheus reads; missing where nothing is counted. */
  metrics?(): Promise<string>;
}

/** Who has access. */
export interface Access {
  /** Secret. Its holder may do everything. Without this one and the next nobody has access. */
  readonly token?: string | undefined;
  /** Secret. Its holder may read. */
  readonly readToken?: string | undefined;
  /** With it, only this `X-Auth-Email` may come with an `X-Auth-Key`. */
  readonly email?: string | undefined;
  /** With it, other accounts in the path are refused. */
  readonly accountId?: string | undefined;
}

/** A database, as a list shows it. */
export interface Registered extends Identity {
  /** User tables, when it was last heard of. */
  tables: number;
  /** In bytes, when it was last heard of. */
  size: number;
  /** The newest backup; `null` where none was made since it was asked for. */
  lastBackupAt?: string | null;
  lastBackupOrigin?: string | null;
}

/** A database that was deleted, and whose backups are still there. */
export interface Deleted extends Pick<Identity, "uuid" | "name" | "createdAt"> {
  /** RFC 3339. */
  deletedAt: string;
}

export interface ListOptions {
  /** Only databases with it in their name. */
  name?: string | undefined;
  /** Counted from 1. */
  page: number;
  perPage: number;
}

/** Where a new database is to be. */
export interface Whereabouts {
  /** It never leaves this. */
  jurisdiction?: Jurisdiction | null | undefined;
  location?: DatabaseLocation | null | undefined;
}

/** Where a database may be asked to be. */
export const LOCATIONS = ["wnam", "enam", "weur", "eeur", "apac", "oc", "sam", "afr", "me"] as const;
export type DatabaseLocation = (typeof LOCATIONS)[number];

/** All databases: how they are found, come and go. */
export interface Databases {
  /** By its UUID or its name; `null` when there is none. */
  find(idOrName: string): Promise<Registered | null>;
  /** The same, or by its UUID one that was deleted. */
  findBackedUp(idOrName: string): Promise<Registered | Deleted | null>;
  /** A page of them, oldest first, and how many there are in all. */
  list(options: ListOptions): Promise<{ databases: Registered[]; total: number }>;
  /** A page of those that were deleted and whose backups are there, newest first, and how many there are in all. */
  listDeleted(options: ListOptions): Promise<{ databases: Deleted[]; total: number }>;
  /** @throws PagemarkError `NAME_INVALID`, `DATABASE_EXISTS`, `USAGE` */
  create(name: string, whereabouts?: Whereabouts): Promise<Registered>;
  /** Deletes a database; its backups stay. */
  delete(database: Registered): Promise<void>;
  /** Makes a database of a backup of another one, which may have been deleted. */
  restoreToNew(
    uuid: string,
    at: string | undefined,
    name: string,
  ): Promise<Restored & { uuid: string; name: string }>;
  /** The database of a UUID that was found. */
  open(uuid: string): ServedDatabase;
  /** Runs `action` on the database that `lookUp` finds, which need not be asked where that is known. */
  on<T>(
    idOrName: string,
    lookUp: () => Promise<string>,
    action: (database: ServedDatabase) => Promise<T>,
  ): Promise<T>;
  /** 32 random bytes, which URLs are signed with; always the same ones. */
  secret(): Promise<Uint8Array>;
}

/** Who asks for a file. */
export interface Asking {
  /** Who may only read has less room. */
  readonly?: boolean | undefined;
}

/** A database, and what can be done with it and its backups. */
export interface ServedDatabase {
  info(): Promise<DatabaseInfo>;
  /** Runs SQL: all of it in one transaction. Gives a result for each statement. */
  query(queries: readonly Query[], options?: QueryOptions): Promise<QueryResult[]>;
  /** The newest state's bookmark. Who may only read is refused where it takes a backup to have one. */
  bookmark(options?: { readonly?: boolean }): Promise<string>;
  /** The bookmark of the state that the database was in at a time. */
  bookmarkAt(at: string | Date): Promise<string>;
  /** The states before migrations, the newest first. */
  migrations(): Promise<MigrationMark[]>;
  backup(options?: CreateOptions): Promise<KeptBackup>;
  /** Newest first. */
  backups(): Promise<KeptBackup[]>;
  /** Backups of some of its tables alone, which are kept apart. Newest first. */
  partialBackups(): Promise<PartialBackup[]>;
  deleteBackup(id: string): Promise<Deletion>;
  restore(options?: RestoreOptions): Promise<Restored>;
  /** Puts tables of a backup into the database, whose others stay. Missing where statements do that in their own way. */
  restoreTables?(options: TablesOptions): Promise<RestoredTables>;
  /** What the restore of a backup would change. */
  preview(at: string): Promise<RestorePreview>;
  /** A backup as a database file; without `at` the database as it is now. */
  download(at?: string, options?: DownloadOptions, asking?: Asking): Promise<Download>;
  /** A state as SQL. */
  dump(options?: DumpOptions, asking?: Asking): Promise<Download>;
  /** A backup as one LTX file. */
  ltx(at: string, options?: DownloadOptions, asking?: Asking): Promise<Download>;
  /** Begins an export for a client that polls, or is its poll. */
  export(request: ExportRequest): Promise<Reply>;
  /** A step of an import. */
  import(request: ImportRequest): Promise<Reply>;
  /** What is under way, and what has ended; newest first. */
  jobs(): Promise<Job[]>;
  /** @throws PagemarkError `JOB_UNKNOWN` */
  cancelJob(id: string): Promise<void>;
  createCheckpoint(): Promise<CheckpointStatus>;
  releaseCheckpoint(): Promise<CheckpointStatus>;
  /** The state that is held. */
  checkpoint(): Promise<CheckpointStatus | undefined>;
}

/** What a database is. */
export interface DatabaseInfo extends Identity {
  /** User tables. */
  tables: number;
  /** In bytes. */
  size: number;
}

/** What a statement did, in D1's words. */
export type QueryMeta = Meta;

export interface QueryResult {
  columns: string[];
  /** A row is an array of its values. */
  rows: SqlValue[][];
  meta: QueryMeta;
}

export interface QueryOptions {
  /** Refuses statements that write. */
  readonly?: boolean | undefined;
  /** Whether parameters are the last statement's where a text has several; otherwise they are refused. */
  paramsForLast?: boolean | undefined;
  /** Refuses what D1 refuses. */
  asD1?: boolean | undefined;
}

/** What a restore put in place, and how to undo it. */
export interface Restored {
  /** The state that is in place now. */
  bookmark: string;
  /** Restoring it undoes this restore. */
  undo: string;
  /** The state that was gone back to, where the one that was asked for is not kept: the one before it. */
  instead?: string;
  /** The backup of what was replaced; its `origin` is `restore`. */
  safety?: KeptBackup;
  /** Which tables have a damaged page, as the database had when it was backed up. */
  warnings?: string[];
}

/** Tables that were restored, and how to undo that. */
export interface RestoredTables extends Restored {
  tables: ReplacedTable[];
}

/** What a restore of a backup would change. */
export interface RestorePreview {
  backup: { id: string; bookmark: string; createdAt: string };
  /** Whether contents were compared: not where that means reading too much. */
  compared: boolean;
  /** Why the database as it is now could not be read. */
  unreadable?: Preview["unreadable"];
  tables: TableChange[];
}

/** A state that a migration has changed. */
export interface MigrationMark {
  /** Bookmark of the state before it: restoring it undoes the migration, and all that came after. */
  bookmark: string;
  /** What the tool calls the migration. */
  migration: string;
  /** When it was applied, RFC 3339. */
  created_at: string;
  /** Rows of other tables that went with it, a sentence each. */
  messages?: string[];
}

/** A state that somebody holds, to copy it in peace. */
export interface CheckpointStatus {
  bookmark: string;
  /** RFC 3339. */
  createdAt: string;
  /** When it is released by itself. RFC 3339. */
  expiresAt: string;
}

/** What is downloaded, and what of it. */
export interface Download {
  /** `<database>.<first eight digits of the id>.sqlite3` for a backup. */
  filename: string;
  /** Size of the whole file, in bytes; not known of a whole SQL or LTX file, which is made on the way. */
  size?: number;
  /** What of it `body` is; missing for all of it. */
  span?: ByteSpan;
  body: ReadableStream<Uint8Array>;
}

/** The files of exports and imports, by key: `exports/…` and `imports/…`. */
export interface JobFiles {
  find(key: string): Promise<JobFileInfo | undefined>;
  /** All of it or a range; nothing when the file of that tag is not there any more. */
  read(key: string, etag: string, span?: ByteSpan): Promise<ReadableStream<Uint8Array> | undefined>;
  /**
   * Stores what is sent, of a length that is known, and gives its MD5.
   *
   * @throws PagemarkError `IMPORT_UPLOAD` when it has not the MD5 that was announced
   */
  put(
    key: string,
    body: ReadableStream<Uint8Array>,
    length: number,
    md5: string | undefined,
  ): Promise<string>;
  delete(key: string): Promise<void>;
}

export interface JobFileInfo {
  /** In bytes. */
  size: number;
  /** Another one for other bytes; the MD5 of what was put. */
  etag: string;
  /** What HTTP says of it. */
  headers: Readonly<Record<string, string>>;
}

/** Databases in a page, where all are wanted. */
const PAGE = 1000;

/** All databases that there are, or all that were deleted and have backups, a page at a time. */
export async function* everyDatabase<T>(
  list: (options: ListOptions) => PromiseLike<{ databases: T[]; total: number }>,
): AsyncGenerator<T, void, void> {
  for (let page = 1, left = true; left; page++) {
    const { databases, total } = await list({ page, perPage: PAGE });
    yield* databases;
    left = databases.length === PAGE && page * PAGE < total;
  }
}

/** Every backup of a database, with those of some tables alone; newest first. */
export async function everyBackup(
  database: Pick<ServedDatabase, "backups" | "partialBackups">,
): Promise<(KeptBackup | PartialBackup)[]> {
  return newestFirst([...(await database.backups()), ...(await database.partialBackups())]);
}

/** A backup of a database that was deleted. */
export type OrphanedBackup = (KeptBackup | PartialBackup) & { database: Deleted };

/** All of them, newest first of each database; of the database that was deleted last first. */
export async function* orphanedBackups(databases: Databases): AsyncGenerator<OrphanedBackup, void, void> {
  for await (const each of everyDatabase((options) => databases.listDeleted(options))) {
    yield* await orphanedBackupsOf(databases, each);
  }
}

export async function orphanedBackupsOf(databases: Databases, database: Deleted): Promise<OrphanedBackup[]> {
  const backups = await everyBackup(databases.open(database.uuid));
  return backups.map((backup) => ({ ...backup, database }));
}

/** The rows as objects, in D1's shape. Of columns of the same name the last one counts. */
export function d1Answer({ columns, rows, meta }: Omit<QueryResult, "statements">): D1Answer {
  const results = rows.map((row) =>
    Object.fromEntries(columns.map((column, at) => [column, row[at] ?? null])),
  );
  return { success: true, results, meta };
}

/** A row by its columns' names. Named values, because what a binding cannot send has no type on its other side. */
export type Row = Record<string, SqlValue>;

/** What a statement answers, in D1's shape. */
export interface D1Answer {
  success: true;
  results: Row[];
  meta: QueryMeta;
}
