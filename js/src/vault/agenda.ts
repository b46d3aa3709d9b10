// When a database's next backup is due, by its schedule; it decides, and makes none.
import { Cron } from "croner";
import type { Backup } from "../catalog/folder.ts";
import { PagemarkError } from "../errors/index.ts";
import type { SavedSchedule } from "./statement-host.ts";

/** Which backups are full ones: only those that must be, all of them, those of a weekday, or the first of each time of a schedule. */
export type FullOn = "auto" | "always" | number | { schedule: string };

/** When a database is backed up. */
export interface Plan {
  /** What errors call it. */
  name: string;
  /** A cron expression, or a word such as `@hourly`. */
  schedule: string;
  /** Time zone of the schedule and the weekday; this machine's unless given. */
  timezone: string | undefined;
  full: FullOn;
  /** A backup that is older is too old, in milliseconds; by the schedule unless given. */
  maxAgeMs?: number | undefined;
}

const DAYS = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];

/** The number of a weekday by its English name, in any case; Sunday is 0. */
export function weekdayOf(text: string): number | undefined {
  const day = DAYS.indexOf(text.toLowerCase());
  return day < 0 ? undefined : day;
}

/** What a schedule says that a statement made. */
export function planOf({ name, recurring, full, timezone }: SavedSchedule): Plan {
  const on = full.kind === "recurring" ? (weekdayOf(full.times) ?? { schedule: full.times }) : full.kind;
  return { name, schedule: recurring, timezone: timezone ?? undefined, full: on };
}

export interface Due {
  /** When the next one is to be made, in milliseconds since 1970; in the past when it is late. */
  atMs: number;
  /** How many times before that one passed without a backup. One backup catches up for all of them. */
  missed: number;
}

/** Times that are counted at most. */
const MOST_MISSED = 1000;

export class Agenda {
  readonly #cron: Cron;
  readonly #planned: Plan;
  /** When full backups are due. */
  readonly #fullCron: Cron | undefined;

  /** @throws PagemarkError `USAGE` for what is no schedule, or no time zone */
  constructor(planned: Plan) {
    const { schedule, full } = planned;
    this.#planned = planned;
    this.#cron = cronOf(schedule, planned);
    this.#fullCron = typeof full === "object" ? cronOf(full.schedule, planned) : undefined;
  }

  /** What comes after the newest backup; at once where there is none. */
  due(newest: Pick<Backup, "createdAt"> | undefined, nowMs: number): Due {
    if (!newest) return { atMs: nowMs, missed: 0 };
    // A clock that was ahead must not put the next one off.
    const lastMs = Math.min(Date.parse(newest.createdAt), nowMs);
    const first = this.next(lastMs);
    if (first > nowMs) return { atMs: first, missed: 0 };
    let [latest, missed] = [first, 0];
    for (let next = this.next(latest); next <= nowMs && missed < MOST_MISSED; next = this.next(next)) {
      [latest, missed] = [next, missed + 1];
    }
    return { atMs: latest, missed };
  }

  /** The first time after `ms`. */
  next(ms: number): number {
    return this.#cron.nextRun(new Date(ms))?.getTime() ?? Number.POSITIVE_INFINITY;
  }

  /** Whether the backup that is made now is a full one by the plan. */
  isFull(backups: readonly Backup[], nowMs: number): boolean {
    const { full } = this.#planned;
    if (this.#fullCron) return this.#isFullDue(this.#fullCron, backups, nowMs);
    if (typeof full !== "number") return full === "always";
    const today = this.#dayOf(nowMs);
    if (today.weekday !== full) return false;
    return !backups.some(
      ({ kind, createdAt }) => kind === "full" && this.#dayOf(Date.parse(createdAt)).date === today.date,
    );
  }

  /** Whether a time for a full one has come since the last of them. */
  #isFullDue(cron: Cron, backups: readonly Backup[], nowMs: number): boolean {
    const last = Math.max(
      0,
      ...backups.flatMap((each) => (each.kind === "full" ? Date.parse(each.createdAt) : [])),
    );
    const next = last > 0 ? cron.nextRun(new Date(last))?.getTime() : nowMs;
    return next !== undefined && next <= nowMs;
  }

  /** When a backup is too old, in milliseconds. */
  get maxAgeMs(): number {
    const { maxAgeMs } = this.#planned;
    if (maxAgeMs !== undefined) return maxAgeMs;
    const next = this.next(Date.now());
    return 2 * (this.next(next) - next);
  }

  #dayOf(ms: number): { date: string; weekday: number } {
    const { timezone } = this.#planned;
    const date = new Intl.DateTimeFormat("sv-SE", {
      dateStyle: "short",
      ...(timezone !== undefined && { timeZone: timezone }),
    }).format(ms);
    return { date, weekday: new Date(`${date}T00:00:00Z`).getUTCDay() };
  }
}

function cronOf(schedule: string, { name, timezone }: Plan): Cron {
  try {
    const cron = new Cron(schedule.trim(), { paused: true, ...(timezone !== undefined && { timezone }) });
    // The zone is looked at only now.
    if (cron.nextRun(new Date()) === null) throw new Error("it never comes");
    return cron;
  } catch (error) {
    const what = timezone === undefined ? schedule : `${schedule} in ${timezone}`;
    throw new PagemarkError(
      "USAGE",
      `${name}: ${JSON.stringify(what)} is no schedule: ${(error as Error).message}`,
    );
  }
}
