import type { Backup, Backups } from "../../entry/workerd.ts";
import { registry } from "../env.ts";
import { type BackupProgress, BackupRuns } from "./backup-runs.ts";
import type { Home } from "./home.ts";
import { type Deletion, type KeptBackup, KeptBackups } from "./kept-backups.ts";
import { isChainOld, type Origin } from "./retention.ts";
import { delayOf, missedPeriods, nextPeriod, period } from "./schedule.ts";

export interface CreateOptions {
  /** Makes a full backup even where an incremental one would do. */
  full?: boolean | undefined;
  /** Called after every step. */
  onProgress?: ((progress: BackupProgress) => unknown) | undefined;
}

/** All it takes to go on with a backup after an eviction. */
interface Request {
  origin: Origin;
  full: boolean;
  /** Periods of the schedule before it that had none. */
  missed: number;
}

interface Waiting {
  done(backup: Backup): void;
  failed(error: unknown): void;
  onProgress: CreateOptions["onProgress"];
}

/** If this object is evicted in mid-step, another one goes on after so long, in milliseconds. */
const STEP_LEASE_MS = 20_000;

/** The database's backups in R2: makes them one after the other, and keeps what is to be kept. */
export class DatabaseBackups {
  readonly #home: Home;
  readonly #kept: KeptBackups;
  readonly #runs: BackupRuns;
  readonly #waiting = new Map<string, Waiting>();
  #running: Promise<void> | undefined;

  constructor(home: Home) {
    this.#home = home;
    this.#runs = new BackupRuns(home);
    this.#kept = new KeptBackups(home);
    // What an alarm that was cut off took off the agenda, or what was begun before an eviction.
    this.schedule().catch(() => {});
    if (home.jobs.unfinished("backup")) home.agenda.setBy("backup", Date.now()).catch(() => {});
  }

  /** Makes a backup of the database as it is now, after those that are under way. */
  async create(origin: Origin, options: CreateOptions = {}): Promise<KeptBackup> {
    return this.begin(origin, options).made;
  }

  /** Begins one: gives its job, entered already, and the backup that comes of it. */
  begin(
    origin: Origin,
    { full = false, onProgress }: CreateOptions = {},
  ): { id: string; made: Promise<KeptBackup> } {
    const request: Request = { origin, full, missed: 0 };
    const id = this.#home.jobs.begin("backup", request);
    const made = new Promise<Backup>((done, failed) => {
      this.#waiting.set(id, { done, failed, onProgress });
    });
    // It may fail before anybody waits for it.
    made.catch(() => {});
    const run = this.#home.agenda.set("backup", Date.now()).then(() => this.run());
    return { id, made: run.then(async () => ({ ...(await made), origin, missed: 0 })) };
  }

  /** Every backup that is kept, newest first. */
  list(): Promise<KeptBackup[]> {
    return this.#kept.list();
  }

  find(id: string | undefined): Promise<KeptBackup> {
    return this.#kept.find(id);
  }

  /** Deletes a backup; what others are made of it stays till they are gone. */
  async delete(idOrPrefix: string): Promise<Deletion> {
    // It may be the one that has the present state.
    this.#home.storage.kv.delete("backedUpBookmark");
    const deletion = await this.#kept.delete(idOrPrefix);
    this.#tell((await this.list()).find(({ state }) => state === "done"));
    return deletion;
  }

  /** All that is in the store. */
  stored(): Promise<Backups> {
    return this.#kept.stored();
  }

  /** Ends all of it, with the database: those who wait get `error`. Nothing is done any more when this resolves. */
  async stop(error: unknown): Promise<void> {
    for (const { failed } of this.#waiting.values()) failed(error);
    await this.#running?.catch(() => {});
  }

  /** Goes on with what there is to do, and sees to it that the next alarm does. Once at a time. */
  async run(): Promise<void> {
    this.#running ??= this.#runSome().finally(() => {
      this.#running = undefined;
    });
    await this.#running;
  }

  /** What is due by the schedule, for an alarm: it makes a slice of it, and leaves the others to the next alarms. */
  async hourly(nowMs: number): Promise<void> {
    const length = period(this.#home.env.PAGEMARK_SCHEDULE);
    if (length === undefined) return;
    await this.#home.agenda.set("hourly", this.#nextTime(nowMs, length));
    const { kv } = this.#home.storage;
    const last = kv.get<number>("backedUpMs");
    const skipped = last === undefined ? 0 : missedPeriods(last, nowMs, length);
    if (skipped < 0) return;
    const database = await this.#home.live.database();
    // In one turn with the job: whatever ends this object before, the period has had no backup.
    kv.put("backedUpMs", nowMs);
    // The newest backup has the state of this period, too.
    if (kv.get<string>("backedUpBookmark") === database.bookmark()) return;
    const missed = skipped + (kv.get<number>("failedPeriods") ?? 0);
    this.#home.jobs.begin("backup", { origin: "automatic", full: false, missed } satisfies Request);
    await this.#home.agenda.set("backup", Date.now());
    await this.run();
  }

  /** Puts the schedule on the agenda, unless it is there. */
  async schedule(): Promise<void> {
    const length = period(this.#home.env.PAGEMARK_SCHEDULE);
    if (length === undefined) await this.#home.agenda.drop("hourly");
    else await this.#home.agenda.setBy("hourly", this.#nextTime(Date.now(), length));
  }

  #nextTime(nowMs: number, length: number): number {
    return nextPeriod(nowMs, length) + delayOf(this.#home.identity.uuid);
  }

  async #runSome(): Promise<void> {
    const { jobs, agenda } = this.#home;
    for (let job = jobs.unfinished<Request>("backup"); job; job = jobs.unfinished<Request>("backup")) {
      await agenda.set("backup", Date.now() + STEP_LEASE_MS);
      if (await this.#slice(job.id, job.request)) continue;
      // An invocation has only so much processor time: the next one goes on.
      await agenda.setNext("backup");
      return;
    }
    // What cannot be deleted now stays noted down, for the next time.
    await this.#kept.removeUnneeded().catch(() => {});
    // One may have come meanwhile, and waits.
    if (jobs.unfinished("backup")) await agenda.setNext("backup");
    else await agenda.drop("backup");
  }

  /** Whether it has ended. */
  async #slice(id: string, { origin, full, missed }: Request): Promise<boolean> {
    const { jobs } = this.#home;
    const waiting = this.#waiting.get(id);
    const isFull = async () => full || (origin === "automatic" && (await this.#isChainOld()));
    try {
      const onProgress = ({ phase, done, total }: BackupProgress) => {
        jobs.progress(id, phase, done, total);
        waiting?.onProgress?.({ phase, done, total });
      };
      const backup = await this.#runs.slice(
        id,
        { full: isFull, safety: origin === "restore" },
        onProgress,
        () => jobs.check(id),
      );
      if (!backup) return false;
      this.#kept.add(backup.id, origin, missed);
      this.#tell({ ...backup, origin });
      const { bookmark } = this.#runs;
      const { kv } = this.#home.storage;
      if (bookmark !== undefined) kv.put("backedUpBookmark", bookmark);
      if (origin === "automatic") kv.delete("failedPeriods");
      jobs.end(id);
      waiting?.done(backup);
    } catch (error) {
      // Told by the next one that is made.
      if (origin === "automatic") this.#home.storage.kv.put("failedPeriods", missed + 1);
      jobs.end(id, error);
      waiting?.failed(error);
    }
    this.#runs.end();
    this.#waiting.delete(id);
    return true;
  }

  /** Tells the registry, whose list shows it. What is lost there the next backup makes good. */
  #tell(newest: Pick<KeptBackup, "createdAt" | "origin"> | undefined): void {
    const { env, identity } = this.#home;
    const { createdAt = null, origin = null } = newest ?? {};
    Promise.resolve(registry(env).reportBackup(identity.uuid, createdAt, origin)).catch(() => {});
  }

  async #isChainOld(): Promise<boolean> {
    const known = this.#kept.known(await (await this.stored()).list());
    return isChainOld(known, this.#home.keepMs, Date.now());
  }
}
