// When automatic backups are due. It decides; it sets no alarm.
import type { Candidate } from "../catalog/retention.ts";

const HOUR_MS = 3_600_000;

/** How long a period of the schedule is, in milliseconds; `undefined` for `off`. A word that is none means `hourly`. */
export function period(schedule = "hourly"): number | undefined {
  const word = schedule.trim().toLowerCase();
  if (word === "off") return undefined;
  return word === "daily" ? 24 * HOUR_MS : HOUR_MS;
}

/** The start of the period after the one that `nowMs` is in. */
export function nextPeriod(nowMs: number, length: number): number {
  return (Math.floor(nowMs / length) + 1) * length;
}

/** At most so much after the start of a period does a backup begin, in milliseconds. */
const LONGEST_DELAY_MS = HOUR_MS / 4;

/**
 * How long after the start of each period a database is backed up, in milliseconds: always the same for one UUID, so
 * that thousands of them do not begin all at once.
 */
export function delayOf(uuid: string): number {
  const digits = Number.parseInt(uuid.replaceAll("-", "").slice(-8), 16);
  return Number.isNaN(digits) ? 0 : Math.floor((digits / 2 ** 32) * LONGEST_DELAY_MS);
}

/**
 * How many periods passed without a backup between the one of `lastMs` and that of `nowMs`; less than 0 when this one
 * has its backup already. They are caught up by one backup, not by one each.
 */
export function missedPeriods(lastMs: number, nowMs: number, length: number): number {
  return Math.floor(nowMs / length) - Math.floor(lastMs / length) - 1;
}

/** When the backup of the period after the one that `nowMs` is in begins, in milliseconds since 1970. */
export function nextBackup(uuid: string, nowMs: number, length: number): number {
  return nextPeriod(nowMs, length) + delayOf(uuid);
}

/** Whether the next automatic backup should begin a chain, so that the one before it can go as a whole one day. */
export function isChainOld(backups: readonly Candidate[], keepMs: number, nowMs: number): boolean {
  const full = backups.findLast(({ kind }) => kind === "full");
  return full !== undefined && nowMs - full.createdMs >= keepMs;
}
