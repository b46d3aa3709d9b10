// What the members of a shared database say to one another. A member is the worker of a tab; one of them, the leader, has the
// database open. Each hears a channel of its own and one for all.

import type { OpenOptions } from "../engine/options.ts";
import type { SqlParameter } from "../engine/values.ts";
import type { Thrown } from "../errors/thrown.ts";
import type { BackupOptions } from "../run/backup.ts";

/** Options of the database, at its first use; those of whoever leads are in force. */
export type SharedOptions = Pick<
  OpenOptions,
  "bigints" | "cacheSize" | "foreignKeys" | "history" | "pageSize"
>;

/** SQL and values for its parameters. */
export type Bound = readonly [sql: string, ...parameters: SqlParameter[]];

/** What a member can ask for, by its name. */
export interface Work {
  exec: string;
  run: Bound;
  all: Bound;
  get: Bound;
  values: Bound;
  batch: readonly Bound[];
  import: string | Blob;
  load: Blob;
  serialize: undefined;
  bookmark: undefined;
  bookmarkAt: string | Date;
  states: undefined;
  restore: string | Date;
  check: undefined;
  backup: { folder: string; options: Pick<BackupOptions, "full" | "note" | "tag"> };
}

/** Asks for work. */
export interface Request<M extends keyof Work = keyof Work> {
  method: M;
  argument: Work[M];
  id: number;
  /** Which member asks. */
  from: string;
  /** The lowest id of a request of this member that was not answered yet: answers to those before have arrived. */
  open: number;
  /** Whether an earlier leader was asked for it, and may have done it. */
  again: boolean;
}

export type Answer = { id: number; value: unknown } | { id: number; thrown: Thrown };

/** Said to all members. */
export type News =
  | { kind: "who" }
  | { kind: "leader"; id: string }
  /** A commit was made. */
  | { kind: "changed"; bookmark: string };

/** What a page says to its worker. */
export type FromPage =
  | { kind: "open"; path: string; options: SharedOptions }
  | { kind: "ask"; id: number; method: keyof Work; argument: unknown }
  | { kind: "close" };

/** What a worker says to its page. */
export type ToPage = Answer | { opened: true } | { changed: string } | { failed: Thrown };

/** The name of a database's lock and of the channel for all of its members. */
export function channelOf(path: string): string {
  return `pagemark-database:${path}`;
}
