import { DurableObject } from "cloudflare:workers";
import type { WireRequest, WireResult } from "../../client/wire.ts";
import type { Verification } from "../../entry/workerd.ts";
import type { PartialBackup } from "../../run/partial.ts";
import * as args from "../../service/arguments.ts";
import { Downloads } from "../../service/downloads.ts";
import { type Identity, unknownDatabase } from "../../service/identity.ts";
import type { ExportRequest, Reply } from "../../service/jobs/exports.ts";
import type { ImportRequest } from "../../service/jobs/imports.ts";
import { shownError } from "../../service/jobs/runner.ts";
import type { Job } from "../../service/jobs/table.ts";
import type {
  CreateOptions,
  DownloadOptions,
  DumpOptions,
  Query,
  RestoreOptions,
  TablesOptions,
} from "../../service/options.ts";
import { previewRestore } from "../../service/preview.ts";
import type {
  Asking,
  CheckpointStatus,
  DatabaseInfo,
  Download,
  MigrationMark,
  QueryOptions,
  QueryResult,
  Restored,
  RestoredTables,
  RestorePreview,
} from "../../service/service.ts";
import type { Deletion, KeptBackup, KeptBackups } from "../../vault/kept-backups.ts";
import type { SavedSchedule } from "../../vault/statement-host.ts";
import { registry } from "../registry.ts";
import type { ObjectEnv } from "../settings.ts";
import { DatabaseBackups } from "./backups.ts";
import { Callers, nameErrors } from "./calls.ts";
import { Checkpoint } from "./checkpoint.ts";
import { DeletedDatabase } from "./deleted.ts";
import { Home } from "./home.ts";
import { Migrations } from "./migrations.ts";
import { PolledJobs } from "./polled.ts";
import { runRequest } from "./queries.ts";
import { Restores } from "./restores.ts";
import { Sending } from "./sending.ts";
import { checkReached, lastOf } from "./sessions.ts";
import { measure, Reports } from "./size.ts";

/** Whoever deletes a database waits no longer than this until all of it is cleared away, in milliseconds. */
const LONGEST_END_MS = 5000;
/** What an argument is called where it is refused. */
const OPTIONS = "the options";
/** What the log calls what an alarm is for. */
const ALARMS = {
  backup: "backups",
  restore: "restores",
  polled: "exports, imports and deletions",
  hourly: "the hourly backup",
} as const;

/** One SQLite database, in the storage of a Durable Object. */
export class Database extends DurableObject<ObjectEnv> {
  #parts: Parts | undefined;
  #deleted: DeletedDatabase | undefined;
  readonly #callers = new Callers();
  readonly #sending = new Sending();

  static {
    nameErrors(
      Database.prototype,
      ({ ctx: { storage } }) => storage.kv.get<Identity>("identity") ?? DeletedDatabase.identity(storage),
      // Who deletes waits for the end, and the alarm is nobody's call.
      (object, name, call) => (name === "destroy" || name === "alarm" ? call : object.#callers.wait(call)),
    );
  }

  constructor(ctx: DurableObjectState, env: ObjectEnv) {
    super(ctx, env);
    this.#deleted = DeletedDatabase.load(ctx.storage, env);
    const identity = ctx.storage.kv.get<Identity>("identity");
    if (identity) this.#parts = new Parts(ctx, env, identity);
  }

  /** Makes the database, unless it is there. */
  async create(identity: Identity): Promise<DatabaseInfo> {
    if (this.#parts) return this.info();
    this.ctx.storage.kv.put("identity", identity);
    this.#parts = new Parts(this.ctx, this.env, identity);
    // A commit, so that even an empty database has a bookmark and can be backed up.
    (await this.#parts.home.database()).exec("PRAGMA user_version = 0");
    return this.info();
  }

  /**
   * Ends it; also one that has ended already. All calls end at once, with `DATABASE_UNKNOWN`, and what is under way leaves
   * nothing. Backups stay; gives whether there may be any.
   */
  async destroy(identity: Identity): Promise<boolean> {
    const parts = this.#parts;
    this.#parts = undefined;
    this.#deleted ??= DeletedDatabase.begin(this.ctx.storage, this.env, parts?.home.identity ?? identity);
    const error = unknownDatabase();
    this.#callers.end(error);
    const cleared = this.#deleted.clear(parts?.stop(error));
    return Promise.race([cleared, scheduler.wait(LONGEST_END_MS).then(() => true)]);
  }

  async info(): Promise<DatabaseInfo> {
    const { home } = this.#known;
    const { tables, size } = measure(await home.database());
    return { ...home.identity, tables, size };
  }

  /**
   * Runs SQL: all of it in one transaction. Gives a result for each statement.
   *
   * @throws SqlError, and PagemarkError `STATEMENT_REFUSED`, `STATEMENT_NONE`, `READ_ONLY`, `RESULT_SIZE`, `USAGE`,
   *   `OVERLOADED`
   */
  async query(queries: readonly Query[], options: QueryOptions = {}): Promise<QueryResult[]> {
    return (await this.#query(queries, options)).flat();
  }

  /**
   * Runs SQL as D1's binding does: of a query with several statements the last one's result counts, and takes what is
   * bound.
   *
   * @throws what `query` throws, and of the bookmark `BOOKMARK_SYNTAX`, `BOOKMARK_LINEAGE`, `HISTORY_UNKNOWN`
   */
  async d1({ queries, bookmark }: WireRequest): Promise<{ results: WireResult[]; bookmark: string }> {
    const db = await this.#known.home.database();
    if (bookmark !== undefined) checkReached(db, args.checked(args.Text, bookmark, "the bookmark"));
    const all = await this.#query(queries, { paramsForLast: true });
    return { results: all.map(lastOf), bookmark: db.bookmark() };
  }

  async #query(queries: readonly Query[], options: QueryOptions): Promise<QueryResult[][]> {
    const { home, reports, migrations } = this.#known;
    const checked = args.checkedQueries(queries);
    const db = await home.database();
    const { steps, asD1 } = home;
    const ran = options.readonly ? undefined : migrations.before(db, checked);
    const results = runRequest(db, steps, checked, { ...options, asD1 });
    ran?.(results);
    const size = measure(db);
    for (const { meta } of results.flat()) meta.size_after = size.size;
    this.ctx.waitUntil(reports.tell(size));
    return results;
  }

  /** The newest commit's bookmark. */
  async bookmark(): Promise<string> {
    return (await this.#known.home.database()).bookmark();
  }

  /** The bookmark of the state that the database was in at a time. */
  async bookmarkAt(at: string | Date): Promise<string> {
    return (await this.#known.home.database()).bookmarkAt(args.checked(args.At, at, "the moment"));
  }

  /** The states before migrations, the newest first. */
  async migrations(): Promise<MigrationMark[]> {
    return this.#known.migrations.all();
  }

  /** Makes a backup; resolves when it is stored. */
  async backup(options: CreateOptions = {}): Promise<KeptBackup> {
    return this.#known.backups.create("manual", args.checked(args.Create, options, OPTIONS));
  }

  /** Begins the backup that a schedule wants. */
  async beginScheduled(schedule: SavedSchedule): Promise<void> {
    this.#known.backups.beginScheduled(schedule);
  }

  /** Every backup that is kept, newest first. */
  backups(): Promise<KeptBackup[]> {
    return this.#kept.backups.list();
  }

  /** Backups of some of its tables alone, newest first. */
  partialBackups(): Promise<PartialBackup[]> {
    return this.#kept.backups.partial();
  }

  /** The backup that an id means, or its first eight digits; the newest unless given. @throws PagemarkError `BACKUP_UNKNOWN` */
  findBackup(at?: string): Promise<KeptBackup> {
    return this.#kept.backups.find(args.checked(args.OptionalText, at, "the id"));
  }

  async deleteBackup(id: string): Promise<Deletion> {
    args.checked(args.Text, id, "the id");
    return this.#parts || !this.#deleted ? this.#known.backups.delete(id) : this.#deleted.deleteBackup(id);
  }

  /** Puts an earlier state in the place of this one. */
  async restore(options: RestoreOptions = {}): Promise<Restored> {
    const { restores } = this.#known;
    return this.#restored(restores.restore(args.checked(args.Restore, options, OPTIONS)));
  }

  /** Fills the database, which is new, from a backup of another one, by that one's name in the store. */
  async adopt(from: string, id: string): Promise<Restored> {
    return this.#restored(this.#known.restores.adopt(from, id));
  }

  /** Puts tables of a backup into the database, or of a state that history has; the others stay. */
  async restoreTables(options: TablesOptions): Promise<RestoredTables> {
    const { restores } = this.#known;
    return this.#restored(restores.tables(args.checked(args.TableRestore, options, OPTIONS)));
  }

  async #restored<R extends Restored>(restoring: Promise<R>): Promise<R> {
    const { home, reports } = this.#known;
    const restored = await restoring;
    this.ctx.waitUntil(reports.tell(measure(await home.database())));
    return restored;
  }

  /** What the restore of a backup would change. */
  async preview(at: string): Promise<RestorePreview> {
    const { home, backups } = this.#known;
    return previewRestore(await home.database(), await backups.stored(), at);
  }

  /** A backup as a database file; without `at` the database as it is now. */
  async download(at?: string, options: DownloadOptions = {}, asking?: Asking): Promise<Download> {
    const id = args.checked(args.OptionalText, at, "the id");
    const { range } = args.checked(args.Download, options, OPTIONS);
    return this.#sending.send(() => this.#kept.downloads.file(id, { range }), asking);
  }

  /** A state as SQL. */
  async dump(options: DumpOptions = {}, asking?: Asking): Promise<Download> {
    const checked = args.checked(args.Dump, options, OPTIONS);
    return this.#sending.send(() => this.#kept.downloads.sql(checked), asking);
  }

  /** A backup as one LTX file that `litestream restore` takes. */
  async ltx(at: string, options: DownloadOptions = {}, asking?: Asking): Promise<Download> {
    const checked = args.checked(args.Download, options, OPTIONS);
    return this.#sending.send(() => this.#kept.downloads.ltx(at, checked), asking);
  }

  /** A copy without free space, as a database file. */
  async compact(): Promise<Download> {
    const { home } = this.#known;
    const filename = `${home.identity.name}.sqlite3`;
    return this.#sending.send(async () => ({ filename, body: (await home.database()).compact() }));
  }

  /** Proves what is stored, of one backup or of all. */
  async verify(at?: string): Promise<Verification> {
    const id = args.checked(args.OptionalText, at, "the id");
    return (await this.#kept.backups.stored()).verify(id === undefined ? {} : { at: id });
  }

  /** What is under way, and what ended during the last day; newest first. */
  async jobs(): Promise<Job[]> {
    return this.#known.home.jobs.list();
  }

  /**
   * Ends a job that is under way, soon: who waits for it gets an error with the code `CANCELED`, and nothing has changed.
   * One that has ended stays as it is.
   *
   * @throws PagemarkError `JOB_UNKNOWN`
   */
  async cancelJob(id: string): Promise<void> {
    const { live, runner } = this.#known.home;
    const checked = args.checked(args.Text, id, "the id");
    // What an object before this one has left is taken over when the database is opened.
    await live.database();
    await runner.cancel(checked);
  }

  /** Holds the newest state readable while writes go on, to be copied in peace. */
  createCheckpoint(): Promise<CheckpointStatus> {
    return this.#known.checkpoint.create();
  }

  releaseCheckpoint(): Promise<CheckpointStatus> {
    return this.#known.checkpoint.release();
  }

  /** The state that is held. */
  async checkpoint(): Promise<CheckpointStatus | undefined> {
    return this.#known.checkpoint.status();
  }

  /** Begins an export for a client that polls, or is its poll. */
  async export(request: ExportRequest): Promise<Reply> {
    return this.#known.polled.export(request);
  }

  /** A step of an import, for a client that polls. @throws PagemarkError `IMPORT_UPLOAD` */
  async import(request: ImportRequest): Promise<Reply> {
    const { polled, home, reports } = this.#known;
    const told = await polled.import(request);
    if (told.answer?.success && told.answer.status === "complete") {
      this.ctx.waitUntil(reports.tell(measure(await home.database())));
    }
    return told;
  }

  override async alarm(): Promise<void> {
    if (!this.#parts) {
      await this.#deleted?.clear();
      return;
    }
    const { home, backups, polled } = this.#parts;
    const now = Date.now();
    for (let task = home.agenda.take(now); task; task = home.agenda.take(now)) {
      try {
        if (task === "backup") await home.runner.goOn("backup");
        if (task === "restore") await home.runner.goOn("restore");
        if (task === "polled") await polled.alarm();
        if (task === "hourly") await backups.hourly(Date.now()).finally(() => this.#parts?.home.live.sweep());
      } catch (error) {
        // Each keeps its own record of what failed, and has put down when it comes up again.
        home.log(`the alarm for ${ALARMS[task]}`, shownError(error));
      }
    }
    await home.agenda.rearm();
  }

  get #known(): Parts {
    if (this.#parts) return this.#parts;
    throw unknownDatabase();
  }

  /** What a database that was deleted has, too. */
  get #kept(): {
    readonly backups: Pick<KeptBackups, "list" | "partial" | "find" | "stored">;
    readonly downloads: Downloads;
  } {
    return this.#parts ?? this.#deleted ?? this.#known;
  }
}

/** What an object is made of, once there is a database. */
class Parts {
  readonly home: Home;
  readonly backups: DatabaseBackups;
  readonly restores: Restores;
  readonly downloads: Downloads;
  readonly checkpoint: Checkpoint;
  readonly reports: Reports;
  readonly migrations: Migrations;
  readonly polled: PolledJobs;

  constructor(ctx: DurableObjectState, env: ObjectEnv, identity: Identity) {
    this.home = new Home(ctx, env, identity);
    this.backups = new DatabaseBackups(this.home);
    this.restores = new Restores(this.home, this.backups);
    this.downloads = new Downloads(this.home, this.backups);
    this.checkpoint = new Checkpoint(this.home);
    this.migrations = new Migrations(this.home);
    this.polled = new PolledJobs(this.home);
    this.reports = new Reports((tables, size) => registry(env).report(identity.uuid, tables, size));
  }

  /** Ends all that is under way: what waits gets `error`, and nothing is done any more when this resolves. */
  async stop(error: unknown): Promise<void> {
    const { agenda, gate, runner, live } = this.home;
    agenda.end();
    gate.end(error);
    await runner.stop(error);
    await live.close();
  }
}
