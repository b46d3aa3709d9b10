import type { Preview, TableChange } from "../../entry/workerd.ts";
import { pause } from "../jobs/pace.ts";
import type { DatabaseBackups } from "./backups.ts";
import type { Home } from "./home.ts";

/** What a restore of a backup would change. */
export interface RestorePreview {
  backup: { id: string; bookmark: string; createdAt: string };
  /** Whether contents were compared: not where that means reading too much. */
  compared: boolean;
  /** Why the database as it is now could not be read. */
  unreadable?: Preview["unreadable"];
  tables: TableChange[];
}

/** Databases up to this size are compared, in bytes: all of it is read. */
const MOST_BYTES = 512 << 20;
/** So much is read of leaves that differ, in bytes. */
const BUDGET = 64 << 20;

/** Compares a backup with the database as it is now. Nothing is restored for it. */
export async function previewRestore(
  home: Home,
  backups: DatabaseBackups,
  at: string,
): Promise<RestorePreview> {
  const stored = await backups.stored();
  const { id, bookmark, createdAt } = await stored.find(at);
  const now = await (await home.database()).pin();
  try {
    // Others have their turn between two reads: an object does one thing at a time.
    const preview = await stored.preview(now, id, { most: MOST_BYTES, budget: BUDGET, pause });
    const { compared, tables, unreadable } = preview;
    return {
      backup: { id, bookmark, createdAt },
      compared,
      tables,
      ...(unreadable !== undefined && { unreadable }),
    };
  } finally {
    await now.release();
  }
}
