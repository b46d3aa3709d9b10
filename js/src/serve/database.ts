// One file, as the API serves it.
import { Backups } from "../backups/backups.ts";
import { pagemark } from "../backups/database.ts";
import type { Backup } from "../catalog/folder.ts";
import { core } from "../core/index.ts";
import { dumpSource } from "../dump/dump.ts";
import { DamageError, PagemarkError } from "../errors/index.ts";
import type { PartialBackup } from "../run/partial.ts";
import * as args from "../service/arguments.ts";
import { Downloads } from "../service/downloads.ts";
import { Gate } from "../service/gate.ts";
import type { ExportRequest, Reply } from "../service/jobs/exports.ts";
import type { ImportRequest } from "../service/jobs/imports.ts";
import type { Run } from "../service/jobs/runner.ts";
import type { Job, JobRow } from "../service/jobs/table.ts";
import { migrationIn } from "../service/migrations.ts";
import type {
  CreateOptions,
  DownloadOptions,
  DumpOptions,
  Query,
  RestoreOptions,
} from "../service/options.ts";
import { previewRestore } from "../service/preview.ts";
import type {
  CheckpointStatus,
  DatabaseInfo,
  Download,
  MigrationMark,
  QueryOptions,
  QueryResult,
  Restored,
  RestorePreview,
  ServedDatabase,
} from "../service/service.ts";
import { file } from "../sources/file/file.ts";
import type { Store } from "../stores/store.ts";
import { OwnCheckpoints } from "../vault/checkpoints.ts";
import type { Deletion, KeptBackup } from "../vault/kept-backups.ts";
import type { CheckpointFacts } from "../vault/statement-host.ts";
import { type DatabaseFile, putAside } from "./folder.ts";
import { FileJobs, type JobsPlace } from "./jobs.ts";
import { lookAt } from "./look.ts";
import { stateOf } from "./state.ts";

/** What the files have in common. */
export interface Place extends JobsPlace {
  readonly store: Store;
  /** So long a request's SQL may take, in milliseconds. */
  readonly timeoutMs: number;
  /** Hears of every backup, and what came of it. */
  onBackup(name: string, backup: Backup | undefined, error?: unknown): void;
}

const OPTIONS = "the options";
/** The tag of backups that were made before a migration, which their notes name. */
const MIGRATION = "migration";

/** What a backup is for. */
interface BackupRequest {
  full?: boolean;
  tables?: string[] | undefined;
  /** A schedule wants it. */
  automatic?: boolean;
  /** It is taken back where the one before it is of the same pages. */
  forBookmark?: boolean;
  /** The migration that comes after it. */
  migration?: string;
}

export class ServedFile implements ServedDatabase {
  readonly file: DatabaseFile;
  readonly #place: Place;
  readonly #jobs: FileJobs;
  readonly #gate = new Gate();
  /** Requests that are at work on the file. */
  readonly #atWork = new Set<Promise<unknown>>();
  /** The newest state that was backed up here. */
  #backedUp: { state: string; bookmark: string } | undefined;
  readonly #checkpoints = new OwnCheckpoints();
  /** The bookmark of the state that is held. */
  #checkpointed = "";

  constructor(file: DatabaseFile, place: Place) {
    this.file = file;
    this.#place = place;
    this.#jobs = new FileJobs(file.uuid, file.path, place, () => this.bookmark());
    this.#jobs.runner.addQueued({ kind: "backup", work: (row, run) => this.#backUp(row, run) });
    this.#jobs.runner.addQueued({ kind: "restore", work: (row, run) => this.#restore(row, run) });
  }

  async info(): Promise<DatabaseInfo> {
    const { uuid, name, createdAt, path } = this.file;
    const { tables, size } = await this.#place.looks.at(path);
    return { uuid, name, createdAt, tables: tables.length, size };
  }

  async query(queries: readonly Query[], { readonly = false }: QueryOptions = {}): Promise<QueryResult[]> {
    const { timeoutMs, processes } = this.#place;
    const { path } = this.file;
    const checked = args.checkedQueries(queries);
    const takeBack = readonly ? undefined : await this.#beforeMigration(checked);
    const results = this.#entered<QueryResult[]>(() =>
      processes.ask({ what: "query", path, queries: checked, readonly, timeoutMs }, { timeoutMs, readonly }),
    );
    return results.catch(async (error) => {
      await takeBack?.();
      throw error;
    });
  }

  /** That of a backup, which is made when the newest one is not of this state: nothing else keeps a file's states. */
  async bookmark({ readonly = false }: { readonly?: boolean } = {}): Promise<string> {
    const state = stateOf(this.file.path);
    if (this.#backedUp?.state === state) return this.#backedUp.bookmark;
    if (!readonly)
      return (await this.#run<KeptBackup>("backup", { full: false, forBookmark: true })).bookmark;
    const message =
      "the bookmark of now is that of a backup, which this access may not make; with a timestamp it is that of the backup before it";
    throw new PagemarkError("READ_ONLY", message);
  }

  /** That of the newest backup, or state that `pagemark watch` stored, at or before a time. */
  async bookmarkAt(at: string | Date): Promise<string> {
    const checked = args.checked(args.At, at, "the moment");
    const found = await (await this.#backups()).state(checked);
    if (found) return found.bookmark;
    throw new PagemarkError(
      "BACKUP_UNKNOWN",
      "backups of Litestream have no bookmarks; restore by the time itself",
    );
  }

  /** A migration is backed up before, under its name. */
  async migrations(): Promise<MigrationMark[]> {
    const all = await (await this.#backups()).list();
    const before = all.filter(({ tag }) => tag === MIGRATION);
    return before.map(({ bookmark, note = "", createdAt }) => {
      return { bookmark, migration: note, created_at: createdAt };
    });
  }

  async backup(options: CreateOptions = {}, automatic = false): Promise<KeptBackup> {
    const { full = false, tables } = args.checked(args.Create, options, OPTIONS);
    return this.#run<KeptBackup>("backup", { full, tables, automatic } satisfies BackupRequest);
  }

  async backups(): Promise<KeptBackup[]> {
    return (await (await this.#backups()).list()).map(toKept);
  }

  async partialBackups(): Promise<PartialBackup[]> {
    return (await this.#backups()).partial();
  }

  async deleteBackup(id: string): Promise<Deletion> {
    await (await this.#backups()).delete(args.checked(args.Text, id, "the id"));
    return { stays: false };
  }

  async restore(options: RestoreOptions = {}): Promise<Restored> {
    const { at, safety = true } = args.checked(args.Restore, options, OPTIONS);
    const text = at instanceof Date ? at.toISOString() : at;
    return this.#run<Restored>("restore", { at: text, safety });
  }

  async preview(at: string): Promise<RestorePreview> {
    return previewRestore(file(this.file.path), await this.#backups(), at);
  }

  async download(at?: string, options: DownloadOptions = {}): Promise<Download> {
    const id = args.checked(args.OptionalText, at, "the id");
    return (await this.#downloads()).file(id, args.checked(args.Download, options, OPTIONS));
  }

  async dump(options: DumpOptions = {}): Promise<Download> {
    return (await this.#downloads()).sql(args.checked(args.Dump, options, OPTIONS));
  }

  async ltx(at: string, options: DownloadOptions = {}): Promise<Download> {
    return (await this.#downloads()).ltx(at, args.checked(args.Download, options, OPTIONS));
  }

  export(request: ExportRequest): Promise<Reply> {
    return this.#jobs.export(request);
  }

  async import(request: ImportRequest): Promise<Reply> {
    await this.#gate.enter();
    return this.#jobs.import(request);
  }

  async jobs(): Promise<Job[]> {
    return this.#jobs.list();
  }

  async cancelJob(id: string): Promise<void> {
    await this.#jobs.runner.cancel(args.checked(args.Text, id, "the id"));
  }

  async createCheckpoint(): Promise<CheckpointStatus> {
    const { name, path } = this.file;
    const facts = await this.#checkpoints.create(name, file(path));
    this.#checkpointed = stateOf(path);
    return this.#checkpointStatus(facts);
  }

  async releaseCheckpoint(): Promise<CheckpointStatus> {
    return this.#checkpointStatus(await this.#checkpoints.release(this.file.name));
  }

  async checkpoint(): Promise<CheckpointStatus | undefined> {
    const facts = await this.#checkpoints.status(this.file.name);
    return facts && this.#checkpointStatus(facts);
  }

  #checkpointStatus(facts: CheckpointFacts): CheckpointStatus {
    return { ...facts, bookmark: this.#checkpointed };
  }

  /** Runs `work`, which may replace the file, while nobody else is at it; requests wait. */
  async alone<T>(work: () => Promise<T>): Promise<T> {
    if (this.#gate.closedFor !== undefined) {
      throw new PagemarkError("OVERLOADED", "a restore is under way; try again when it has ended");
    }
    this.#gate.close("being restored");
    try {
      await this.#letGo();
      return await work();
    } finally {
      this.#gate.open();
    }
  }

  /** Ends all that is under way, and lets go of the file. */
  async close(error: unknown): Promise<void> {
    this.#gate.end(error);
    await this.#jobs.stop(error);
    await this.#checkpoints.release(this.file.name).catch(() => {});
    await this.#letGo();
  }

  async #backups(): Promise<Backups> {
    return Backups.open(this.file.name, this.#place.store);
  }

  async #downloads(): Promise<Downloads> {
    const { path, name } = this.file;
    const refuse = (at: unknown) => {
      if (at === undefined) return;
      const message = "a file keeps no earlier states: give the id or the bookmark of a backup";
      throw new PagemarkError("HISTORY_UNKNOWN", message);
    };
    const database = {
      pin: async ({ at }: { at?: string | Date | undefined }) => {
        refuse(at);
        return file(path).pin();
      },
      dump: async ({ at, ...options }: Parameters<typeof dumpSource>[1] & { at?: string | Date }) => {
        refuse(at);
        return dumpSource(file(path), options);
      },
    };
    const stored = await this.#backups();
    return new Downloads(
      { identity: { name }, database: async () => database },
      { stored: async () => stored },
    );
  }

  /** Runs a job, after those of its kind, and gives what comes of it. */
  #run<T>(kind: "backup" | "restore", request: object): Promise<T> {
    const { runner } = this.#jobs;
    const result = runner.result<T>(runner.begin(kind, request));
    runner.goOn(kind).catch(() => {});
    return result;
  }

  async #backUp({ request }: JobRow, { signal, progress }: Run): Promise<KeptBackup> {
    const { name, path } = this.file;
    const { store, onBackup } = this.#place;
    const {
      full = false,
      tables,
      automatic = false,
      forBookmark = false,
      migration,
    } = request as BackupRequest;
    try {
      const database = pagemark(file(path), { store, name });
      const onProgress = ({ done, total }: { done: number; total: number }) => progress("pages", done, total);
      const before = stateOf(path);
      const label = migration === undefined ? {} : { tag: MIGRATION, note: migration };
      const backup = await database.backup({ full, tables, automatic, signal, onProgress, ...label });
      // Kept apart: it says nothing of the whole.
      if (tables) return toKept(backup);
      const isKept = !forBookmark || !(await this.#isKnown(backup));
      const bookmark = isKept ? backup.bookmark : (this.#backedUp?.bookmark ?? "");
      // Unless somebody wrote meanwhile.
      this.#backedUp = { state: stateOf(path) === before ? before : "", bookmark };
      if (isKept) onBackup(name, backup);
      return toKept({ ...backup, bookmark });
    } catch (error) {
      onBackup(name, undefined, error);
      throw error;
    }
  }

  /** Backs up what a migration is about to change; gives what takes that back, should the migration fail. */
  async #beforeMigration(queries: readonly Query[]): Promise<(() => Promise<void>) | undefined> {
    const { noted, changes } = migrationIn(queries);
    if (!noted || !changes) return undefined;
    const backup = await this.#run<KeptBackup>("backup", { full: false, migration: noted.name });
    return async () => (await this.#backups()).takeBack(backup);
  }

  /** Whether the backup before it has the same pages: a checkpoint moves them, and changes none. Then it is taken back. */
  async #isKnown(backup: Backup): Promise<boolean> {
    const { namesSamePages } = await core();
    if (!this.#backedUp || !namesSamePages(backup.bookmark, this.#backedUp.bookmark)) return false;
    await (await this.#backups()).takeBack(backup);
    return true;
  }

  async #restore({ request }: JobRow, { signal, progress }: Run): Promise<Restored> {
    const { name, path } = this.file;
    const { at, safety } = request as { at?: string; safety: boolean };
    const warnings: string[] = [];
    return this.alone(async () => {
      const database = pagemark(file(path), { store: this.#place.store, name });
      const options = {
        ...(at !== undefined && { at }),
        signal,
        onProgress: ({ done, total }: { done: number; total: number }) => progress("restore", done, total),
        onWarning: (message: string) => void warnings.push(message),
      };
      const restored = await database.restore({ ...options, safety }).catch(async (error) => {
        // What is too damaged to be backed up is what a restore is for most of all.
        if (!safety || !(error instanceof DamageError) || !(await this.#isDamaged())) throw error;
        warnings.push(
          `what was there is damaged and cannot be backed up: it is kept as ${await putAside(path)}`,
        );
        return database.restore({ ...options, safety: false });
      });
      const { backup, undo } = restored;
      const bookmark = backup?.bookmark ?? stateOf(path);
      const before = undo === undefined ? undefined : await (await this.#backups()).find(undo);
      if (before) this.#place.onBackup(name, before);
      return {
        bookmark,
        undo: undo ?? bookmark,
        ...(isOther(at, bookmark) && { instead: bookmark }),
        ...(before && { safety: toKept(before) }),
        ...(warnings.length > 0 && { warnings }),
      };
    });
  }

  /** Whether it is the file that cannot be read, and not the backup. */
  async #isDamaged(): Promise<boolean> {
    return (await lookAt(this.file.path)).isDamaged;
  }

  /** Waits until nobody is at work on the file, and has all connections to it closed. */
  async #letGo(): Promise<void> {
    await Promise.allSettled(this.#atWork);
    await this.#place.processes.closeFile(this.file.path);
  }

  /** Runs `work` once nothing replaces the file. */
  async #entered<T>(work: () => Promise<T>): Promise<T> {
    await this.#gate.enter();
    const working = work();
    this.#atWork.add(working);
    try {
      return await working;
    } finally {
      this.#atWork.delete(working);
    }
  }
}

/** A bookmark between two backups that `watch` stored no longer has, say. */
function isOther(at: string | undefined, bookmark: string): boolean {
  return at !== undefined && args.BOOKMARK.test(at) && at !== bookmark;
}

export function toKept(backup: Backup): KeptBackup {
  const origin = backup.safety ? "restore" : backup.automatic ? "automatic" : "manual";
  return { ...backup, origin, missed: 0 };
}
