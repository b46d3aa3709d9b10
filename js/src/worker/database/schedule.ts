// When automatic backups are due. It decides; it sets no alarm.

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

/**
 * How many periods passed without a backup between the one of `lastMs` and that of `nowMs`; less than 0 when this one
 * has its backup already. They are caught up by one backup, not by one each.
 */
export function missedPeriods(lastMs: number, nowMs: number, length: number): number {
  return Math.floor(nowMs / length) - Math.floor(lastMs / length) - 1;
}
