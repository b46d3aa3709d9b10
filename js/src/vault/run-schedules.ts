// CREATE, SHOW, PAUSE, RESUME and DROP SCHEDULE: what is saved. Whoever makes the backups reads it there.
import type { Statement } from "../core/index.ts";
import { PagemarkError } from "../errors/index.ts";
import { redacted } from "../places/secrets.ts";
import {
  type Row,
  type SavedSchedule,
  type Schedules,
  type StatementHost,
  storeIn,
} from "./statement-host.ts";

type CreateSchedule = Extract<Statement, { kind: "create-schedule" }>;

/** Carries out a statement about schedules. */
export async function runScheduleStatement(statement: Statement, host: StatementHost): Promise<Row[]> {
  const { schedules } = host;
  if (!schedules) {
    const message =
      "backups are not scheduled by statements here: SHOW BACKUPS tells of those that were made";
    throw new PagemarkError("STATEMENT_UNSUPPORTED", message);
  }
  switch (statement.kind) {
    case "create-schedule":
      return create(statement, schedules, host);
    case "pause-schedule":
      return change(schedules, statement.name, (schedule) => ({ ...schedule, isPaused: true }));
    case "resume-schedule":
      return change(schedules, statement.name, (schedule) => ({ ...schedule, isPaused: false }));
    case "drop-schedule":
      return change(schedules, statement.name, () => undefined);
    default:
      return (await schedules.list()).map((schedule) => rowOf(schedule, schedules));
  }
}

async function create(statement: CreateSchedule, schedules: Schedules, host: StatementHost): Promise<Row[]> {
  const { name, ifNotExists, targets, place, recurring, full, timezone, revisionHistory } = statement;
  const databases = targets.kind === "databases" ? targets.names : null;
  for (const each of databases ?? []) await host.database(each);
  if (place) storeIn(place, host);
  const schedule = {
    databases,
    place,
    recurring,
    full,
    timezone,
    revisionHistory,
    isPaused: false,
    createdAt: new Date().toISOString(),
  };
  return changed(schedules, (all) => {
    const known = all.find((each) => each.name === name);
    if (known && ifNotExists) return { all, shown: known };
    if (known) {
      const message = `there is a schedule ${known.name}: DROP SCHEDULE it first, or say IF NOT EXISTS`;
      throw new PagemarkError("SCHEDULE_EXISTS", message, { name: known.name });
    }
    const shown = { name: name ?? freeName(all), ...schedule };
    return { all: [...all, shown], shown };
  });
}

/** Changes one, or removes it. @throws PagemarkError `SCHEDULE_UNKNOWN` */
async function change(
  schedules: Schedules,
  name: string,
  to: (schedule: SavedSchedule) => SavedSchedule | undefined,
): Promise<Row[]> {
  return changed(schedules, (all) => {
    const known = all.find((each) => each.name === name);
    if (!known) {
      const message = `there is no schedule ${name}; SHOW SCHEDULES tells which there are`;
      throw new PagemarkError("SCHEDULE_UNKNOWN", message, { name });
    }
    const made = to(known);
    return { all: all.flatMap((each) => (each === known ? (made ?? []) : each)), shown: made ?? known };
  });
}

/** Saves what `make` makes of all of them, and gives the row of one; again where somebody else was faster. */
async function changed(
  schedules: Schedules,
  make: (all: SavedSchedule[]) => { all: SavedSchedule[]; shown: SavedSchedule },
): Promise<Row[]> {
  for (;;) {
    const before = await schedules.list();
    const { all, shown } = make(before);
    const row = rowOf(shown, schedules);
    if (all === before || (await schedules.save(all, before))) return [row];
  }
}

function freeName(all: readonly SavedSchedule[]): string {
  for (let number = 1; ; number++) {
    const name = `schedule_${number}`;
    if (!all.some((each) => each.name === name)) return name;
  }
}

function rowOf(schedule: SavedSchedule, schedules: Schedules): Row {
  const { name, databases, place, recurring, full, timezone, revisionHistory, isPaused, createdAt } =
    schedule;
  const next = isPaused ? Number.POSITIVE_INFINITY : schedules.next(schedule);
  return {
    name,
    databases: databases?.join(", ") ?? "all",
    destination: place?.map(redacted).join(", ") ?? "the usual store",
    recurring,
    full: full.kind === "recurring" ? full.times : full.kind,
    timezone,
    revision_history: revisionHistory,
    state: isPaused ? "paused" : "active",
    next_run: Number.isFinite(next) ? new Date(next).toISOString() : null,
    created_at: createdAt,
  };
}
