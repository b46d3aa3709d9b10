// What statements are carried out on: the databases of a Worker, of a server, or of a program.
import type { Shown } from "../backups/backups.ts";
import type { Backup } from "../catalog/folder.ts";
import type { Full } from "../core/index.ts";
import { PagemarkError } from "../errors/index.ts";
import type { Store } from "../stores/store.ts";
import type { JobOptions } from "../streams/progress.ts";

/** A value of an answer. */
export type Value = string | number | boolean | null;
/** A row of an answer, by its columns' names. */
export type Row = Record<string, Value>;

/** Databases, and where their backups can be. */
export interface StatementHost {
  /** All of them, as they are listed. */
  databases(): AsyncIterable<StatementDatabase>;
  /** @throws PagemarkError `DATABASE_UNKNOWN` */
  database(name: string): Promise<StatementDatabase>;
  /** A new one, for a restore. Missing where a statement cannot make any. @throws PagemarkError `DATABASE_EXISTS` */
  create?(name: string): Promise<StatementDatabase>;
  /** The store of a URL, or of the URLs of several localities. Missing where backups go to one place only. */
  openStore?(urls: readonly string[]): Store;
  /** Backups of databases that were deleted. Missing where none are kept. */
  orphans?(): AsyncIterable<Row>;
  /** Missing where backups are scheduled in another way. */
  readonly schedules?: Schedules;
}

/** The store of the URLs in a statement. @throws PagemarkError `STATEMENT_UNSUPPORTED` where they may name none */
export function storeIn(urls: readonly string[], host: StatementHost): Store {
  if (host.openStore) return host.openStore(urls);
  const message = "backups go to one place here: leave TO, FROM and IN with their URLs out";
  throw new PagemarkError("STATEMENT_UNSUPPORTED", message);
}

/** A database, and what statements do with it. Where no `store` is given, the usual one is meant. */
export interface StatementDatabase {
  readonly name: string;
  /** Its row in `SHOW DATABASES`. */
  describe(): Promise<Row>;
  /** Makes a backup; resolves once it is durable. */
  backup(request: BackupRequest, options: JobOptions): Promise<BackupMade>;
  /** Newest first. */
  backups(store?: Store): Promise<readonly Backup[]>;
  /** Those of some tables alone, newest first. */
  partialBackups(): Promise<readonly Backup[]>;
  /** What is in a backup, the newest unless `at` is given. Missing where only its record can be told. */
  show?(at: string | undefined, store?: Store): Promise<Shown>;
  restore(request: RestoreRequest, options: JobOptions): Promise<RestoreDone>;
  /** Makes a new database of one of its backups. Missing where {@link StatementHost.create} makes them. */
  restoreTo?(name: string, at: string | undefined): Promise<RestoreDone>;
  /** Missing where a database's files cannot be held still. */
  createCheckpoint?(): Promise<CheckpointFacts>;
  releaseCheckpoint?(): Promise<CheckpointFacts>;
  checkpoint?(): Promise<CheckpointFacts | undefined>;
}

/** The backup that a statement asks for. */
export interface BackupRequest {
  store?: Store | undefined;
  /** Makes a full one. */
  full: boolean;
  /** The time whose state is wanted, in milliseconds since 1970; the newest state unless given. */
  timeMs?: number | undefined;
  /** These tables alone. */
  tables?: readonly string[] | undefined;
  /** Whether the states since the last backup must be restorable, too. */
  revisionHistory: boolean;
  tag?: string | undefined;
  note?: string | undefined;
  /** Says that a schedule wants it, and nobody by hand. */
  automatic?: boolean | undefined;
}

/** A backup that a statement made. */
export interface BackupMade {
  backup: Backup;
  /** Why it is a full one, where an incremental one could have been. */
  fullBecause?: string | undefined;
  /** What the user should know, a sentence each. */
  notices: readonly string[];
}

/** The restore that a statement asks for. */
export interface RestoreRequest {
  store?: Store | undefined;
  /** The name under which the backups are stored; the database's own unless given. */
  from?: string | undefined;
  /** A time, an id, a bookmark; the newest backup unless given. */
  at?: string | undefined;
  /** These tables alone. */
  tables?: readonly string[] | undefined;
  /** Whether what is replaced is backed up first. */
  safety: boolean;
}

/** What a statement restored. */
export interface RestoreDone {
  /** What was restored, where it is a backup. */
  backup?: Pick<Backup, "id"> | undefined;
  /** Restoring this bookmark undoes the restore. */
  undo?: string | undefined;
  /** The tables that are there now, with their rows. */
  tables: readonly { name: string; rows?: number | undefined }[];
  notices: readonly string[];
}

/** A state that is held, to be copied in peace. */
export interface CheckpointFacts {
  bookmark?: string;
  /** RFC 3339. */
  createdAt: string;
  /** When it is released by itself. RFC 3339. */
  expiresAt: string;
  /** What to copy, in this order, with commas between. */
  files?: string;
}

/** A schedule, as `CREATE SCHEDULE` made it. */
export interface SavedSchedule {
  name: string;
  /** `null` for every database. */
  databases: string[] | null;
  /** Where to; `null` for the usual store. */
  place: string[] | null;
  /** A cron expression, or a word such as `@daily`. */
  recurring: string;
  full: Full;
  timezone: string | null;
  /** Whether the databases are watched between backups. */
  revisionHistory: boolean;
  isPaused: boolean;
  /** RFC 3339. */
  createdAt: string;
}

/** Keeps schedules; whoever makes the backups reads them there. */
export interface Schedules {
  list(): Promise<SavedSchedule[]>;
  /** Puts `all` in the place of `before`, which were listed; `false`, and nothing is changed, where others are there by now. */
  save(all: readonly SavedSchedule[], before: readonly SavedSchedule[]): Promise<boolean>;
  /** When the next backup is due, in milliseconds since 1970. @throws PagemarkError `USAGE` for what is no schedule */
  next(schedule: SavedSchedule): number;
}
