// Which backups are kept. It decides; it deletes nothing.

/** Who wanted a backup. */
export type Origin = "manual" | "automatic" | "restore";

/** A backup, as far as it matters here. */
export interface Kept {
  id: string;
  kind: "full" | "incremental";
  /** In milliseconds since 1970. */
  createdMs: number;
  origin: Origin;
  /** Whether somebody deleted it. */
  deleted: boolean;
}

export interface Retention {
  /** No longer shown. */
  gone: Set<string>;
  /** Those of them that nobody needs: whole chains. What an incremental that is kept is made of stays till then. */
  removable: Set<string>;
}

/**
 * Manual backups stay until they are deleted, others for `keepMs`, and the newest always, as the next one is made on top
 * of it; of a database that is over, the newest can be deleted, too.
 *
 * @param backups oldest first; a chain is a full one and the incrementals after it
 */
export function retention(
  backups: readonly Kept[],
  keepMs: number,
  nowMs: number,
  isOver: boolean,
): Retention {
  const newest = isOver ? undefined : backups.at(-1);
  const isGone = (backup: Kept) =>
    backup !== newest &&
    (backup.deleted || (backup.origin !== "manual" && nowMs - backup.createdMs > keepMs));
  const gone = new Set(backups.filter(isGone).map(({ id }) => id));
  const removable = chains(backups).filter((chain) => chain.every(({ id }) => gone.has(id)));
  return { gone, removable: new Set(removable.flat().map(({ id }) => id)) };
}

/** Whether the next automatic backup should begin a chain, so that the one before it can go as a whole one day. */
export function isChainOld(backups: readonly Kept[], keepMs: number, nowMs: number): boolean {
  const full = backups.findLast(({ kind }) => kind === "full");
  return full !== undefined && nowMs - full.createdMs >= keepMs;
}

function chains(backups: readonly Kept[]): Kept[][] {
  const chains: Kept[][] = [];
  for (const backup of backups) {
    const chain = chains.at(-1);
    if (backup.kind === "full" || !chain) chains.push([backup]);
    else chain.push(backup);
  }
  return chains;
}
