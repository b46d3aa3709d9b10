import { damageOf } from "../../backups/damaged-tables.ts";
import { restoreTables, type TableTarget } from "../../backups/restore-tables.ts";
import type { Database } from "../../entry/engine.workerd.ts";
import { Backups, PagemarkError } from "../../entry/workerd.ts";
import { PageHeads } from "../../moments/page-heads.ts";
import { BOOKMARK } from "../../service/arguments.ts";
import { pacedTexts } from "../../service/jobs/pace.ts";
import type { Run } from "../../service/jobs/runner.ts";
import type { JobNotes, JobRow } from "../../service/jobs/table.ts";
import type { RestoreOptions, TablesOptions } from "../../service/options.ts";
import type { Restored, RestoredTables } from "../../service/service.ts";
import { type KeptBackup, wholeBackup } from "../../vault/kept-backups.ts";
import type { DatabaseBackups } from "./backups.ts";
import type { Home } from "./home.ts";
import { Undos } from "./undos.ts";

/** All it takes to go on with a restore after an eviction. */
interface Request {
  /** The backup's id, or the bookmark of a state that history has. */
  id: string;
  /** These tables alone. */
  tables?: string[];
  /** The name in the store of the database that the backup is of; this one unless given. */
  from?: string;
  attempts: number;
  /** The job of the backup of what is replaced, which must have ended well before anything is. */
  safetyJob?: string;
}

/** A restore that is evicted again and again is given up after so many attempts. */
const ATTEMPTS = 5;
/** In one invocation, whose processor time is bounded: some two seconds of work at most. */
const TURN_BYTES = 32 << 20;
/** How far it is is said after so much; saying it takes a write. */
const TELL_BYTES = 1 << 20;

/** Puts earlier states in the database's place. Requests that come meanwhile wait. */
export class Restores {
  readonly #home: Home;
  readonly #backups: DatabaseBackups;
  readonly #undos: Undos;

  constructor(home: Home, backups: DatabaseBackups) {
    this.#home = home;
    this.#backups = backups;
    this.#undos = new Undos(home);
    // Begun before an eviction: nobody may see the database before it has ended.
    if (home.jobs.unfinished("restore")) home.gate.close("being restored");
    home.runner.addQueued({
      kind: "restore",
      work: (row, run) => this.#work(row, run),
      canceled: (row) => this.#canceled(row),
    });
  }

  /** Goes back, to a state that history has, or to a backup. */
  async restore({ at, safety = true }: RestoreOptions): Promise<Restored> {
    const database = await this.#home.database();
    const found = at === undefined ? {} : inHistory(database, at);
    const inPlace = (state: string, more = {}): Restored => {
      const undo = database.restore({ at: state });
      this.#undos.add(database, undo);
      return { bookmark: database.bookmark(), undo, ...more };
    };
    if (found.bookmark !== undefined) return inPlace(found.bookmark);
    const { instead } = found;
    const stored = await this.#backups.stored();
    const backup = await wholeBackup(stored, at).catch((error) => {
      // History says more about a bookmark than backups do.
      if (instead === undefined) throw found.gone ?? error;
    });
    // That very state, rather than one before it.
    if (backup) return this.#begin({ id: backup.id, attempts: 0 }, safety);
    return inPlace(instead ?? "", { instead });
  }

  /** Puts tables of a state that history has, or of a backup, into the database. */
  async tables({ tables, at, from, safety = true }: TablesOptions): Promise<RestoredTables> {
    const database = await this.#home.database();
    const found = from === undefined && at !== undefined ? inHistory(database, at) : {};
    const id = found.bookmark ?? found.instead ?? (await this.#backupOf(from, at, tables));
    const request = { id, tables, ...(from !== undefined && { from }), attempts: 0 };
    return this.#begin<RestoredTables>(request, safety);
  }

  /** The id of the backup that has the tables. */
  async #backupOf(
    from: string | undefined,
    at: string | undefined,
    tables: readonly string[],
  ): Promise<string> {
    const stored = await Backups.open(from ?? this.#home.backupName, this.#home.store);
    const holding = await stored.holding(at, { tables: [...tables] });
    return (await holding.find(at)).id;
  }

  /** Fills the database, which is new, from a backup of another one, by that one's name in the store. */
  adopt(from: string, id: string): Promise<Restored> {
    return this.#begin({ id, from, attempts: 0 }, false);
  }

  async #begin<R extends Restored>(request: Request, safety: boolean): Promise<R> {
    const { jobs, gate, runner } = this.#home;
    if (gate.closedFor !== undefined) {
      throw new PagemarkError("OVERLOADED", "another restore is under way; try again when it has ended");
    }
    gate.close("being restored");
    try {
      // Entered before anything else is done, so that whatever ends this object leaves a trace, and is gone on with.
      const id = runner.begin("restore", request);
      if (safety) {
        // In the same turn: there is no restore that has forgotten its safety.
        const { id: safetyJob } = this.#backups.begin("restore");
        jobs.note(id, { safetyJob } satisfies Partial<Request>);
      }
      const restored = runner.result<R>(id);
      runner.goOn("restore").catch(() => {}); // an alarm does, too
      return await restored;
    } finally {
      if (!jobs.unfinished("restore")) gate.open();
    }
  }

  async #work(row: JobRow, run: Run): Promise<Restored | RestoredTables> {
    const request = row.request as Request;
    const { gate, live } = this.#home;
    try {
      const safety = request.safetyJob && (await this.#secured(request.safetyJob, run));
      run.signal.throwIfAborted();
      const undo = await this.#holdPresent();
      this.#attempt(row.id, request, run);
      const { tables } = request;
      const done = tables
        ? await this.#putTables({ ...request, tables }, run)
        : await this.#load(row.id, request, run);
      const bookmark = (await live.database()).bookmark();
      return { bookmark, undo, ...(safety && { safety }), ...done };
    } finally {
      gate.open();
    }
  }

  /** Waits for the backup of what is replaced. Of one that was made before an eviction nobody waits to hear. */
  async #secured(safetyJob: string, { turns }: Run): Promise<KeptBackup | undefined> {
    const job = this.#home.jobs.row(safetyJob);
    if (!job || job.state === "done") return undefined;
    if (job.error) throw new PagemarkError(job.error.code, job.error.message);
    // Alarms after this one make it.
    turns.end();
    try {
      return await this.#backups.made(safetyJob);
    } finally {
      turns.begin();
    }
  }

  #canceled({ request }: JobRow): void {
    const { safetyJob } = request as Request;
    if (safetyJob !== undefined) this.#home.runner.cancel(safetyJob).catch(() => {});
  }

  /** Holds the state that is replaced; its bookmark. */
  async #holdPresent(): Promise<string> {
    const database = await this.#home.live.database();
    const undo = database.bookmark();
    this.#undos.add(database, undo);
    return undo;
  }

  #attempt(id: string, { attempts }: Request, { signal }: Run): void {
    if (attempts >= ATTEMPTS) {
      const message = `the restore was interrupted ${ATTEMPTS} times; try again`;
      throw new PagemarkError("RESTORE_EVICTED", message);
    }
    signal.throwIfAborted();
    this.#home.jobs.note(id, { attempts: attempts + 1 } satisfies Partial<Request>);
  }

  /** Puts tables into the database. What is replaced, history has. */
  async #putTables(
    { id, from, tables }: Request & { tables: string[] },
    { signal }: Run,
  ): Promise<Pick<RestoredTables, "tables" | "warnings">> {
    const { live, store, backupName } = this.#home;
    const database = await live.database();
    const isState = BOOKMARK.test(id);
    const own = await Backups.open(from ?? backupName, store);
    const source = isState
      ? { name: backupName, pages: () => database.pin({ at: id }) }
      : await own.holding(id, { tables: [...tables] });
    const nothing = async () => undefined;
    const places = { from: source, backups: own, safetyBackup: nothing };
    const options = isState ? { tables, signal } : { at: id, tables, signal };
    const target: TableTarget = {
      name: database.name,
      pin: (wanted) => database.pin(wanted),
      replaceTables: (replacement) =>
        database.replaceTables({ ...replacement, statements: pacedTexts(replacement.statements) }),
    };
    const restored = await restoreTables(target, places, options);
    return { tables: restored.tables };
  }

  /** Puts the backup in place; what is damaged in it. */
  async #load(id: string, request: Request, { signal, turns, progress }: Run): Promise<JobNotes> {
    const { jobs, live } = this.#home;
    const { from = this.#home.backupName } = request;
    const stored = await Backups.open(from, this.#home.store);
    let told = 0;
    const onProgress = ({ done, total }: { done: number; total: number }) => {
      if (done - told < TELL_BYTES && done < total) return;
      told = done;
      signal.throwIfAborted();
      progress("restore", done, total);
    };
    const { body } = await stored.download(request.id, { onProgress });
    const database = await live.database();
    const heads = new PageHeads();
    await database.load(turns.slices(heads.watch(body), TURN_BYTES), { ownsChunks: true });
    const warnings = await damageOf(database, heads);
    if (warnings.length === 0) return {};
    jobs.note(id, { warnings } satisfies JobNotes);
    return { warnings };
  }
}

/** What `at` means in the database's own history, or what that has instead; nothing when it can only be a backup's. */
function inHistory(
  database: Database,
  at: string | Date,
): { bookmark?: string; instead?: string; gone?: unknown } {
  try {
    const bookmark = database.bookmarkAt(at);
    const isOther = typeof at === "string" && BOOKMARK.test(at) && bookmark !== at;
    return isOther ? { instead: bookmark } : { bookmark };
  } catch (error) {
    const { code } = error as PagemarkError;
    if (code === "AT_SYNTAX") return {};
    if (code === "BOOKMARK_LINEAGE") return { gone: error };
    // A time that history no longer has is not the time of the last backup before it: that would be another state.
    if (typeof at !== "string" || !BOOKMARK.test(at)) throw error;
    return { gone: error };
  }
}
