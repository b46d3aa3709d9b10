// What a database's methods are given, and the names of it: of a misspelled one the newest backup would be restored.

import type { DumpOptions } from "../dump/options.ts";
import type { At } from "./backups.ts";
import type { DownloadOptions } from "./damaged-tables.ts";
import type { CompareOptions } from "./preview.ts";

/** What is restored, and how. */
export interface RestoreOptions extends DownloadOptions {
  /** The newest backup unless given. */
  at?: At | undefined;
  /** Whether to back the database up first, so that the restore can be undone; true unless given. */
  safety?: boolean;
  /** These tables alone, with their indexes and triggers, and these views; the others stay as they are, and may be in use. */
  tables?: string[] | undefined;
  /** With one of `tables`, into a file: what it is to be called there. */
  as?: string | undefined;
  /** Whether to read what was restored into D1 or a Durable Object, and compare it; true unless given. */
  verify?: boolean | undefined;
}

/** The restore whose effect is wanted. */
export interface PreviewOptions extends CompareOptions {
  /** The newest backup unless given. */
  at?: At | undefined;
  /** These tables alone. */
  tables?: readonly string[] | undefined;
}

/** What is dumped, and how the file is written. */
export interface DumpToOptions extends DumpOptions {
  /** The backup that is dumped; the database as it is now unless given. */
  at?: At;
  /** Whether to compress. */
  gzip?: boolean;
}

// Every option that there is, as `checkOnly` wants it.

const JOB = { signal: true, onProgress: true } as const;
export const DUMP = {
  ...JOB,
  at: true,
  dialect: true,
  tables: true,
  noData: true,
  noSchema: true,
  drop: true,
  salvage: true,
  freePages: true,
  onWarning: true,
} as const;
export const RESTORE = {
  ...JOB,
  at: true,
  safety: true,
  tables: true,
  as: true,
  verify: true,
  onWarning: true,
} as const;
export const PREVIEW = {
  ...JOB,
  at: true,
  tables: true,
  most: true,
  budget: true,
  differing: true,
  views: true,
  pause: true,
  onWarning: true,
} as const;
export const PRUNE = {
  keepLast: true,
  keepHourly: true,
  keepDaily: true,
  keepWeekly: true,
  keepMonthly: true,
  keepYearly: true,
  keepWithinMs: true,
  keepManual: true,
  keepTagged: true,
  dryRun: true,
  signal: true,
} as const;
