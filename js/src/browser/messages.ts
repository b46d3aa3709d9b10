// What a page and its worker say to one another.
import type { BackupOptions } from "../run/backup.ts";
import type { OpfsOptions } from "../sources/opfs.ts";
import type { Progress } from "../streams/progress.ts";

/** Which database, and where its backups go: paths in the origin's private files. */
export interface Subject extends OpfsOptions {
  database: string;
  /** Of the store's folder. */
  store: string;
  /** Of the database in the store. */
  name?: string;
}

/** What crosses to the worker of the options of a job. */
export type Plain<T> = Omit<T, "signal" | "onProgress" | "onWarning">;

/** The work that a worker does, by its name. */
export interface Work {
  backup: Plain<BackupOptions>;
  list: undefined;
  restore: { at?: string | undefined; safety?: boolean | undefined };
  verify: { at?: string | undefined };
  download: { at?: string | undefined };
  dump: { at?: string | undefined };
  delete: { id: string };
}

export type Request =
  | { id: number; subject: Subject; method: keyof Work; options: unknown }
  | { id: number; abort: true };

/** An error, as it crosses. */
export interface Thrown {
  name: string;
  code: string;
  message: string;
  at: object;
}

export type Answer =
  | { id: number; progress: Progress }
  | { id: number; warning: string }
  | { id: number; value: unknown }
  | { id: number; thrown: Thrown };
