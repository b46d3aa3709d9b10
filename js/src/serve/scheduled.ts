// Makes the backups that schedules ask for, as long as the server runs.
import type { Backup } from "../catalog/folder.ts";
import { PagemarkError } from "../errors/index.ts";
import { Agenda, planOf } from "../vault/agenda.ts";
import {
  type SavedSchedule,
  type Schedules,
  type StatementDatabase,
  type StatementHost,
  storeIn,
} from "../vault/statement-host.ts";

/** The schedules are read again so often, in milliseconds: `pagemark sql` changes them, too. */
const READ_EVERY_MS = 60_000;
/** After a backup that failed another one is tried, at first after so long and at most, in milliseconds. */
const RETRY_MS = 60_000;
const MOST_RETRY_MS = 15 * 60_000;

/** What is known of a schedule's backups of one database. */
interface Known {
  /** When the last one was made, RFC 3339; missing where none was in this process. */
  madeAt?: string;
  /** When the one that failed is tried again, in milliseconds since 1970, and after how long the time after. */
  retry?: { atMs: number; pauseMs: number };
}

/** Goes by the schedules of a host. */
export class ScheduledBackups {
  readonly #host: StatementHost;
  readonly #schedules: Schedules;
  readonly #log: (line: string) => void;
  readonly #known = new Map<string, Known>();
  readonly #stopping = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #isAsked = false;

  constructor(host: StatementHost, schedules: Schedules, log: (line: string) => void) {
    this.#host = host;
    this.#schedules = schedules;
    this.#log = log;
  }

  /** Makes what is due now, and goes on by itself. */
  wake(): void {
    this.#isAsked = true;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  async close(): Promise<void> {
    this.#stopping.abort(new PagemarkError("OVERLOADED", "the server is being stopped"));
    clearTimeout(this.#timer);
    await this.#running;
  }

  async #run(): Promise<void> {
    let nextMs = Number.POSITIVE_INFINITY;
    while (this.#isAsked) {
      this.#isAsked = false;
      clearTimeout(this.#timer);
      nextMs = await this.#makeDue().catch((error) => {
        this.#log(`schedules: ${messageOf(error)}`);
        return Number.POSITIVE_INFINITY;
      });
    }
    if (this.#stopping.signal.aborted) return;
    const pauseMs = Math.max(1000, Math.min(nextMs - Date.now(), READ_EVERY_MS));
    this.#timer = setTimeout(() => this.wake(), pauseMs);
    this.#timer.unref();
  }

  /** Gives the time of the next one. */
  async #makeDue(): Promise<number> {
    let nextMs = Number.POSITIVE_INFINITY;
    for (const schedule of await this.#schedules.list()) {
      if (schedule.isPaused) continue;
      for (const name of schedule.databases ?? (await this.#names())) {
        if (this.#stopping.signal.aborted) return nextMs;
        nextMs = Math.min(nextMs, await this.#makeIfDue(schedule, name));
      }
    }
    return nextMs;
  }

  async #names(): Promise<string[]> {
    const names: string[] = [];
    for await (const { name } of this.#host.databases()) names.push(name);
    return names;
  }

  async #makeIfDue(schedule: SavedSchedule, name: string): Promise<number> {
    const key = JSON.stringify([schedule.name, schedule.createdAt, name]);
    const known = this.#known.get(key) ?? {};
    if (known.retry && known.retry.atMs > Date.now()) return known.retry.atMs;
    try {
      const agenda = new Agenda(planOf(schedule));
      const database = await this.#host.database(name);
      const store = schedule.place ? storeIn(schedule.place, this.#host) : undefined;
      const backups = (await database.backups(store)).filter(({ state }) => state === "done");
      // Another schedule may have made the newest one.
      const last = known.madeAt === undefined ? backups[0] : { createdAt: known.madeAt };
      const { atMs } = agenda.due(last, Date.now());
      if (atMs > Date.now()) return atMs;
      const full = agenda.isFull(backups, Date.now());
      const { createdAt } = await this.#backUp(database, { full, store });
      this.#known.set(key, { madeAt: createdAt });
      return agenda.next(Date.now());
    } catch (error) {
      const pauseMs = known.retry ? Math.min(MOST_RETRY_MS, 2 * known.retry.pauseMs) : RETRY_MS;
      const atMs = Date.now() + pauseMs;
      this.#known.set(key, { ...known, retry: { atMs, pauseMs } });
      this.#log(`schedule ${schedule.name}: ${name}: not backed up: ${messageOf(error)}`);
      return atMs;
    }
  }

  async #backUp(
    database: StatementDatabase,
    how: Pick<Parameters<StatementDatabase["backup"]>[0], "full" | "store">,
  ): Promise<Backup> {
    const { signal } = this.#stopping;
    const { backup } = await database.backup({ ...how, automatic: true, revisionHistory: false }, { signal });
    return backup;
  }
}

function messageOf(error: unknown): string {
  return error instanceof PagemarkError ? `${error.message}: ${error.code}` : String(error);
}
