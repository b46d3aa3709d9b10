import { type Backups, pagemark } from "../../entry/workerd.ts";
import type { PartialBackup } from "../../run/partial.ts";
import { pacedSource } from "../../service/jobs/pace.ts";
import type { Run } from "../../service/jobs/runner.ts";
import type { JobRow } from "../../service/jobs/table.ts";
import type { BackupProgress, CreateOptions } from "../../service/options.ts";
import { Agenda, planOf } from "../../vault/agenda.ts";
import { type Deletion, type KeptBackup, KeptBackups } from "../../vault/kept-backups.ts";
import type { Origin } from "../../vault/notes.ts";
import { missedPeriods, nextBackup, period } from "../../vault/schedule.ts";
import type { SavedSchedule } from "../../vault/statement-host.ts";
import { registry } from "../registry.ts";
import { BackupRuns } from "./backup-runs.ts";
import type { Home } from "./home.ts";

/** All it takes to go on with a backup after an eviction. */
interface Request {
  origin: Origin;
  full: boolean;
  /** These tables alone. */
  tables?: string[] | undefined;
  /** The schedule that wants it. */
  schedule?: SavedSchedule;
  /** Periods of the schedule before it that had none. */
  missed: number;
}

/** After how long what could not be deleted is tried again, in milliseconds. */
const AGAIN_MS = 60_000;

/** The database's backups in R2: makes them one after the other, and keeps what must be kept. */
export class DatabaseBackups {
  readonly #home: Home;
  readonly #kept: KeptBackups;
  readonly #runs: BackupRuns;
  /** Who hears how far a backup is, by its job. */
  readonly #listeners = new Map<string, NonNullable<CreateOptions["onProgress"]>>();

  constructor(home: Home) {
    this.#home = home;
    this.#runs = new BackupRuns(home);
    this.#kept = new KeptBackups(home.place);
    // What an alarm that was cut off took off the agenda.
    this.schedule().catch(() => {});
    home.runner.addQueued({
      kind: "backup",
      work: (row, run) => this.#work(row, run),
      idle: () => this.#clear(),
    });
  }

  /** Makes a backup of the database as it is now, after those that are under way. */
  async create(origin: Origin, options: CreateOptions = {}): Promise<KeptBackup> {
    return this.begin(origin, options).made;
  }

  /** Begins one: gives its job, entered already, and the backup that comes of it. */
  begin(
    origin: Origin,
    { full = false, tables, onProgress }: CreateOptions = {},
  ): { id: string; made: Promise<KeptBackup> } {
    const id = this.#home.runner.begin("backup", { origin, full, tables, missed: 0 } satisfies Request);
    if (onProgress) this.#listeners.set(id, onProgress);
    const made = this.made(id);
    // It may fail before anybody waits for it.
    made.catch(() => {});
    return { id, made };
  }

  /** What comes of a backup that has not ended; where that takes one turn, what nobody needs any more is gone then. */
  async made(id: string): Promise<KeptBackup> {
    const { runner } = this.#home;
    const result = runner.result<KeptBackup>(id);
    await runner.goOn("backup").catch(() => {}); // an alarm does, too
    return result;
  }

  /** Every backup that is kept, newest first. */
  list(): Promise<KeptBackup[]> {
    return this.#kept.list();
  }

  /** All that is kept of some tables alone, newest first. */
  partial(): Promise<PartialBackup[]> {
    return this.#kept.partial();
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

  /** Begins what a schedule wants; an alarm makes it. */
  beginScheduled(schedule: SavedSchedule): void {
    const request = { origin: "scheduled", full: false, schedule, missed: 0 } satisfies Request;
    this.#home.runner.begin("backup", request);
  }

  /** What is due by the schedule, for an alarm: it makes a slice of it, and leaves the others to the next alarms. */
  async hourly(nowMs: number): Promise<void> {
    const { env, agenda, storage, live, runner, identity } = this.#home;
    const length = period(env.PAGEMARK_SCHEDULE);
    if (length === undefined) return;
    await agenda.set("hourly", nextBackup(identity.uuid, nowMs, length));
    const { kv } = storage;
    const last = kv.get<number>("backedUpMs");
    const skipped = last === undefined ? 0 : missedPeriods(last, nowMs, length);
    if (skipped < 0) return;
    const database = await live.database();
    // In one turn with the job: whatever ends this object before, the period has had no backup.
    kv.put("backedUpMs", nowMs);
    // The newest backup has the state of this period, too.
    if (kv.get<string>("backedUpBookmark") === database.bookmark()) return;
    const missed = skipped + (kv.get<number>("failedPeriods") ?? 0);
    runner.begin("backup", { origin: "automatic", full: false, missed } satisfies Request);
    await runner.goOn("backup");
  }

  /** Puts the schedule on the agenda, unless it is there. */
  async schedule(): Promise<void> {
    const { env, agenda, identity } = this.#home;
    const length = period(env.PAGEMARK_SCHEDULE);
    if (length === undefined) await agenda.drop("hourly");
    else await agenda.setBy("hourly", nextBackup(identity.uuid, Date.now(), length));
  }

  async #work({ id, request }: JobRow, run: Run): Promise<KeptBackup> {
    const { kv } = this.#home.storage;
    const { origin, full, tables, schedule, missed } = request as Request;
    const isFull = async () => {
      if (schedule) return this.#isFull(schedule);
      return full || (origin === "automatic" && (await this.#kept.isChainOld(Date.now())));
    };
    const onProgress = ({ phase, done, total }: BackupProgress) => {
      run.progress(phase, done, total);
      this.#listeners.get(id)?.({ phase, done, total });
    };
    try {
      if (tables) return await this.#backUpTables({ full, tables }, run.signal, onProgress);
      const how = { full: isFull, safety: origin === "restore" };
      const backup = await this.#runs.make(id, how, run, onProgress);
      this.#kept.add(backup.id, origin, missed);
      this.#tell({ ...backup, origin });
      const { bookmark } = this.#runs;
      if (bookmark !== undefined) kv.put("backedUpBookmark", bookmark);
      if (origin === "automatic") kv.delete("failedPeriods");
      return { ...backup, origin, missed };
    } catch (error) {
      // Reply by the next one that is made.
      if (origin === "automatic") kv.put("failedPeriods", missed + 1);
      throw error;
    } finally {
      this.#runs.end();
      this.#listeners.delete(id);
    }
  }

  async #isFull(schedule: SavedSchedule): Promise<boolean> {
    const made = (await this.list()).filter(({ state }) => state === "done");
    return new Agenda(planOf(schedule)).isFull(made, Date.now());
  }

  /** In one go, and kept apart from the backups of the whole, until somebody deletes it from the bucket. */
  async #backUpTables(
    what: { full: boolean; tables: string[] },
    signal: AbortSignal,
    onProgress: (progress: BackupProgress) => void,
  ): Promise<KeptBackup> {
    const { live, store, backupName: name } = this.#home;
    const source = pacedSource(await live.database());
    const told = ({ phase, done, total }: BackupProgress) => onProgress({ phase, done, total });
    const backup = await pagemark(source, { store, name }).backup({ ...what, signal, onProgress: told });
    return { ...backup, origin: "manual", missed: 0 };
  }

  /** What cannot be deleted now stays noted down, for the next time. */
  async #clear(): Promise<void> {
    try {
      await this.#kept.removeUnneeded();
    } catch {
      await this.#home.agenda.setBy("polled", Date.now() + AGAIN_MS);
    }
  }

  /** Tells the registry, whose list shows it. What is lost there the next backup makes good. */
  #tell(newest: Pick<KeptBackup, "createdAt" | "origin"> | undefined): void {
    const { env, identity } = this.#home;
    const { createdAt = null, origin = null } = newest ?? {};
    Promise.resolve(registry(env).reportBackup(identity.uuid, createdAt, origin)).catch(() => {});
  }
}
