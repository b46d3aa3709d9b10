// Schedules that statements made, in the registry: it has one alarm, and tells each database when its backup is due.
import { jurisdictionOf } from "../service/identity.ts";
import { Agenda, planOf } from "../vault/agenda.ts";
import type { SavedSchedule } from "../vault/statement-host.ts";

/** `after` is the last database that was told of the backup that is due; empty when none is under way. */
const TABLE = `CREATE TABLE IF NOT EXISTS schedules (position INTEGER PRIMARY KEY, schedule TEXT NOT NULL,
  due_ms INTEGER NOT NULL, after TEXT NOT NULL DEFAULT '')`;
/** Databases that one alarm tells: an invocation may call so many objects only. */
const MOST = 200;
/** A database that cannot be told is told at the next time; the log says so. */
type Told = { beginScheduled(schedule: SavedSchedule): Promise<void> };

/** What the alarm needs. */
export interface ScheduledEnv {
  DATABASES: DurableObjectNamespace;
}

interface Row {
  position: number;
  schedule: SavedSchedule;
  dueMs: number;
  after: string;
}

/** The schedules in the storage of the registry. */
export class RegistrySchedules {
  readonly #storage: DurableObjectStorage;
  readonly #env: ScheduledEnv;

  constructor(storage: DurableObjectStorage, env: object) {
    this.#storage = storage;
    this.#env = env as ScheduledEnv;
    storage.sql.exec(TABLE);
  }

  list(): SavedSchedule[] {
    return this.#rows().map(({ schedule }) => schedule);
  }

  /** See `Schedules.save`. A new one is due at once; of one that goes on the next time counts. */
  async save(all: readonly SavedSchedule[], before: readonly SavedSchedule[]): Promise<boolean> {
    const rows = this.#rows();
    if (JSON.stringify(rows.map(({ schedule }) => schedule)) !== JSON.stringify(before)) return false;
    this.#storage.transactionSync(() => {
      this.#storage.sql.exec("DELETE FROM schedules");
      for (const schedule of all) {
        const known = rows.find((row) => row.schedule.name === schedule.name);
        const isSame = known && known.schedule.createdAt === schedule.createdAt;
        const goesOn = isSame && known.schedule.isPaused === schedule.isPaused;
        const dueMs = goesOn ? known.dueMs : isSame ? nextOf(schedule) : Date.now();
        const sql = "INSERT INTO schedules (schedule, due_ms, after) VALUES (?, ?, ?)";
        this.#storage.sql.exec(sql, JSON.stringify(schedule), dueMs, goesOn ? known.after : "");
      }
    });
    await this.#arm();
    return true;
  }

  /** Tells databases of the backups that are due. */
  async alarm(): Promise<void> {
    let left = MOST;
    for (const row of this.#rows()) {
      if (row.schedule.isPaused || row.dueMs > Date.now() || left === 0) continue;
      left -= await this.#tell(row, left);
    }
    await this.#arm();
  }

  /** Tells up to `most` databases, and gives how many. */
  async #tell({ position, schedule, after }: Row, most: number): Promise<number> {
    const names = schedule.databases;
    const chosen = names === null ? "" : "AND name IN (SELECT value FROM json_each(?))";
    const sql = `SELECT uuid FROM databases WHERE uuid > ? ${chosen} ORDER BY uuid LIMIT ?`;
    const bound = [after, ...(names === null ? [] : [JSON.stringify(names)]), most];
    const uuids = this.#storage.sql.exec<{ uuid: string }>(sql, ...bound).toArray();
    const tellings = uuids.map(({ uuid }) => this.#object(uuid).beginScheduled(schedule));
    for (const told of await Promise.allSettled(tellings)) {
      // biome-ignore lint/suspicious/noConsole: this is the Worker's log
      if (told.status === "rejected") console.error(`schedule ${schedule.name}: ${told.reason}`);
    }
    const last = uuids.length < most ? undefined : uuids.at(-1)?.uuid;
    const update = "UPDATE schedules SET after = ?, due_ms = ? WHERE position = ?";
    const dueMs = last === undefined ? nextOf(schedule) : Date.now();
    this.#storage.sql.exec(update, last ?? "", dueMs, position);
    return uuids.length;
  }

  async #arm(): Promise<void> {
    const due = this.#rows().flatMap(({ schedule, dueMs }) => (schedule.isPaused ? [] : [dueMs]));
    if (due.length === 0) await this.#storage.deleteAlarm();
    else await this.#storage.setAlarm(Math.min(...due));
  }

  #object(uuid: string): Told {
    const { DATABASES } = this.#env;
    const jurisdiction = jurisdictionOf(uuid);
    const objects = jurisdiction ? DATABASES.jurisdiction(jurisdiction) : DATABASES;
    return objects.get(objects.idFromName(uuid)) as unknown as Told;
  }

  #rows(): Row[] {
    const sql = "SELECT position, schedule, due_ms AS dueMs, after FROM schedules ORDER BY position";
    const rows = this.#storage.sql.exec<Record<string, string | number>>(sql).toArray();
    return rows.map((row) => ({ ...row, schedule: JSON.parse(String(row.schedule)) }) as unknown as Row);
  }
}

/** When the next backup is due, in milliseconds since 1970. */
export function nextOf(schedule: SavedSchedule): number {
  return new Agenda(planOf(schedule)).next(Date.now());
}
