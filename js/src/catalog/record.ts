import type { ObjectProof } from "../objects/upload.ts";

/** A backup's record as it is stored; the core writes and proves it (`src/catalog/record.rs`). */
export interface BackupRecord {
  version: 1;
  id: string;
  name: string;
  createdAt: string;
  kind: "full" | "incremental";
  bookmark: string;
  first: string;
  previous: { first: string; sha256: string } | null;
  pageSize: number;
  pageCount: number;
  tables: number;
  taken: "start" | "end";
  ltx: ObjectProof;
  changed: number;
  fingerprints: ObjectProof;
  complete: boolean;
  safety?: true;
  mark?: string;
  identity?: Identity;
  /** Pages that hold nothing. */
  free?: number;
}

/** What tells a database from others; the core's `catalog::Identity`. */
export interface Identity {
  place?: string;
  file?: string;
  changes: number;
  schema: number;
  tables: string[];
}

/** A backup, as users see it. */
export interface Backup {
  /** UUID. */
  id: string;
  /** Names the state it restores to. */
  bookmark: string;
  /** Number of that state, 16 hex digits. */
  txid: string;
  /** RFC 3339 in UTC, with microseconds. */
  createdAt: string;
  kind: "full" | "incremental";
  /** User tables. */
  tables: number;
  /** Size of the database, in bytes. */
  size: number;
  /** What was stored for it, in bytes. */
  storedSize: number;
  /** `damaged`: its record cannot be read; `error` says why. */
  state: "done" | "damaged";
  pageSize: number;
  pageCount: number;
  /** Pages of the database that hold nothing; backups of before 2026-12 do not say. */
  freePages?: number;
  /** Pages stored. */
  changedPages: number;
  /** Whether its state is that of the start of the run, or of the end. */
  taken: "start" | "end";
  /** Whether a restore made it of what it then replaced. */
  safety: boolean;
  error?: { code: string; message: string };
}

/** TXID of a record's state, 16 hex digits. */
export function txidOf(record: BackupRecord): string {
  return txidIn(record.bookmark);
}

/** When a backup was made, in milliseconds since 1970. */
export function momentOf({ createdAt }: BackupRecord): number {
  return Date.parse(createdAt);
}

/** The TXID in a bookmark, 16 hex digits. */
export function txidIn(bookmark: string): string {
  return bookmark.slice(0, 17).replace("-", "");
}

/** The database checksum in a bookmark, 16 hex digits. */
export function checksumIn(bookmark: string): string {
  return bookmark.slice(27, 43);
}

/** The lineage in a bookmark, 16 hex digits. */
export function lineageIn(bookmark: string): string {
  return bookmark.slice(-16);
}

export function toBackup(record: BackupRecord): Backup {
  return {
    id: record.id,
    bookmark: record.bookmark,
    txid: txidOf(record),
    createdAt: record.createdAt,
    kind: record.kind,
    tables: record.tables,
    size: record.pageSize * record.pageCount,
    storedSize: record.ltx.size + record.fingerprints.size,
    state: "done",
    pageSize: record.pageSize,
    pageCount: record.pageCount,
    ...(record.free !== undefined && { freePages: record.free }),
    changedPages: record.changed,
    taken: record.taken,
    safety: record.safety === true,
  };
}
