import { type Backup, Folder } from "../catalog/folder.ts";
import { PERIODS, type Reason, type Rules, retain } from "../catalog/retention.ts";
import { PagemarkError } from "../errors/index.ts";
import { finishRemovals, type Place, removeBackups } from "./removal.ts";

/** Which backups to keep. A backup stays that any rule keeps; the newest always does, and what a kept one is made of. */
export interface PruneOptions {
  /** So many of the newest. */
  keepLast?: number;
  /** The newest of each of the last so many hours that have one. Hours and days are those of this machine's zone. */
  keepHourly?: number;
  keepDaily?: number;
  /** Weeks begin on Monday. */
  keepWeekly?: number;
  keepMonthly?: number;
  keepYearly?: number;
  /** All that are not older, in milliseconds. */
  keepWithinMs?: number;
  /** Those that somebody made by hand; false unless given. */
  keepManual?: boolean;
  /** Those with a tag; true unless given. */
  keepTagged?: boolean;
  /** Says what would go, and deletes nothing. */
  dryRun?: boolean;
  signal?: AbortSignal;
}

/** A backup, and why it stays. */
export interface KeptReason {
  backup: Backup;
  /** `needed`: one that is kept is made of it. */
  reasons: Reason[];
}

/** What {@link prune} kept, and what it removed. */
export interface Pruned {
  /** Newest first. */
  kept: KeptReason[];
  /** Newest first; with `dryRun`, what would have been removed. */
  removed: Backup[];
}

/**
 * Deletes the backups that no rule keeps.
 *
 * @throws PagemarkError `USAGE` when no rule keeps anything
 */
export async function prune(place: Place, options: PruneOptions): Promise<Pruned> {
  const rules = rulesOf(options);
  const { keepManual = false, keepTagged = true, dryRun = false, signal } = options;
  if (!dryRun) await finishRemovals(place, signal);
  const folder = await Folder.load(place.store, place.folder, { signal });
  const all = await folder.use(() => folder.list());
  const backups = all.filter(({ state }) => state === "done");
  const candidates = backups.map(({ kind, createdAt, tag, automatic }) => ({
    kind,
    createdMs: Date.parse(createdAt),
    pinned: (keepManual && !automatic) || (keepTagged && tag !== undefined),
    deleted: false,
  }));
  const fates = await retain(candidates, rules, Date.now());
  const reasonsOf = (at: number) => fates[at]?.reasons ?? [];
  const removed = backups.filter((_, at) => fates[at]?.isRemovable);
  const kept = backups.map((backup, at) => ({ backup, reasons: reasonsOf(at) }));
  // A damaged record may be of any chain: what is around it stays until somebody has looked.
  if (removed.length > 0 && all.length > backups.length) {
    const message =
      "a record is damaged, so nothing is pruned: verify says which; delete single backups instead";
    throw new PagemarkError("RECORD_DIGEST", message);
  }
  if (!dryRun && removed.length > 0) await removeBackups(place, new Set(removed.map(({ id }) => id)), signal);
  return { kept: kept.filter((_, at) => !fates[at]?.isRemovable).reverse(), removed: removed.reverse() };
}

function rulesOf(options: PruneOptions): Rules {
  const rules: Rules = { last: count("keepLast", options.keepLast) };
  for (const period of PERIODS) {
    const name = `keep${period.charAt(0).toUpperCase()}${period.slice(1)}` as keyof PruneOptions;
    rules[period] = count(name, options[name]);
  }
  rules.withinMs = count("keepWithinMs", options.keepWithinMs);
  if (Object.values(rules).some((rule) => Number(rule ?? 0) > 0)) return rules;
  const message =
    "no rule keeps anything but the newest backup: give at least one, such as keepDaily: 7 (--keep-daily 7)";
  throw new PagemarkError("USAGE", message);
}

function count(name: string, value: unknown): number | undefined {
  if (value === undefined || (Number.isInteger(value) && Number(value) >= 0))
    return value as number | undefined;
  throw new PagemarkError("USAGE", `${name} must be a whole number, 0 or more, not ${value}`);
}
