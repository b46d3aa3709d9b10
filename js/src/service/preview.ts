import type { Backups } from "../backups/backups.ts";
import type { Moment } from "../sources/source.ts";
import { wholeBackup } from "../vault/kept-backups.ts";
import { pause } from "./jobs/pace.ts";
import type { RestorePreview } from "./service.ts";

/** Databases up to this size are compared, in bytes: all of it is read. */
const MOST_BYTES = 512 << 20;
/** So much is read of leaves that differ, in bytes. */
const BUDGET = 64 << 20;

/**
 * Compares a backup with the database as it is now. Nothing is restored for it, and nothing is written.
 *
 * @throws PagemarkError `BACKUP_UNKNOWN`
 *
 * @param database it is pinned for as long as it is read
 * @param stored its backups
 * @param at the backup, by its id
 */
export async function previewRestore(
  database: { pin(): Promise<Moment> },
  stored: Backups,
  at: string,
): Promise<RestorePreview> {
  const { id, bookmark, createdAt } = await wholeBackup(stored, at);
  const now = await database.pin();
  try {
    // Others have their turn between two reads.
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
