import type { Database } from "../../entry/engine.workerd.ts";
import { Backups, PagemarkError } from "../../entry/workerd.ts";
import { BOOKMARK } from "./at.ts";
import type { DatabaseBackups } from "./backups.ts";
import type { Home } from "./home.ts";
import type { KeptBackup } from "./kept-backups.ts";
import { Turns } from "./turns.ts";
import { Undos } from "./undos.ts";

export interface RestoreOptions {
  /** A backup's id or bookmark, or a bookmark or time that history still has; the newest backup unless given. */
  at?: string | Date | undefined;
  /** Whether to back up first what a backup replaces; true unless given. */
  safety?: boolean | undefined;
}

export interface Restored {
  /** The state that is in place now. */
  bookmark: string;
  /** Restoring it undoes this restore, for a day. */
  undo: string;
  /** The state that was gone back to, where the one that was asked for is thinned away: the one before it. */
  instead?: string;
  /** The backup of what was replaced; its `origin` is `restore`. */
  safety?: KeptBackup;
}

/** All it takes to go on with a restore after an eviction. */
interface Request {
  /** Of the backup. */
  id: string;
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
/** If this object is evicted on the way, another one begins anew after so long, in milliseconds. */
const LEASE_MS = 20_000;
/** How often a restore looks whether the backup that it waits for has ended, in milliseconds. */
const SAFETY_LOOK_MS = 1000;

/** Puts earlier states in the database's place. Requests that come meanwhile wait. */
export class Restores {
  readonly #home: Home;
  readonly #backups: DatabaseBackups;
  readonly #turns: Turns;
  readonly #undos: Undos;
  #running: Promise<void> | undefined;

  constructor(home: Home, backups: DatabaseBackups) {
    this.#home = home;
    this.#backups = backups;
    this.#turns = new Turns(() => home.agenda.setNext("restore"));
    this.#undos = new Undos(home);
    if (!home.jobs.unfinished("restore")) return;
    // Begun before an eviction: nobody is to see the database before it has ended.
    home.gate.close("being restored");
    home.agenda.setBy("restore", Date.now()).catch(() => {});
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
    const backup = await stored.find(at).catch((error) => {
      // Of a bookmark, history says more than backups do.
      if (instead === undefined) throw found.gone ?? error;
    });
    // That very state, rather than one before it.
    if (backup) return this.#fromBackup({ id: backup.id, attempts: 0 }, safety);
    return inPlace(instead ?? "", { instead });
  }

  /** Fills the database, which is new, from a backup of another one, by that one's name in the store. */
  adopt(from: string, id: string): Promise<Restored> {
    return this.#fromBackup({ id, from, attempts: 0 }, false);
  }

  /** Ends all of it, with the database. Nothing is done any more when this resolves. */
  async stop(error: unknown): Promise<void> {
    this.#turns.stop(error);
    await this.#running?.catch(() => {});
  }

  async #fromBackup(request: Request, safety: boolean): Promise<Restored> {
    const { jobs, gate, live } = this.#home;
    if (gate.closedFor !== undefined) {
      throw new PagemarkError("OVERLOADED", "another restore is under way; try again when it has ended");
    }
    gate.close("being restored");
    // Entered before anything else is done, so that whatever ends this object leaves a trace, and is gone on with.
    const job = jobs.begin("restore", request);
    try {
      const { replaced, undo } = await this.#secure(job, request, safety);
      await this.#begin();
      const failure = jobs.find(job)?.error;
      if (failure) throw new PagemarkError(failure.code, failure.message);
      const bookmark = (await live.database()).bookmark();
      return { bookmark, undo, ...(replaced && { safety: replaced }) };
    } finally {
      if (!jobs.unfinished("restore")) gate.open();
    }
  }

  /** Backs up what is replaced, if that is wanted, and names it. What fails here ends the job. */
  async #secure(
    job: string,
    request: Request,
    safety: boolean,
  ): Promise<{ replaced?: KeptBackup; undo: string }> {
    const { jobs } = this.#home;
    try {
      if (!safety) return { undo: await this.#holdPresent() };
      // In the turn in which the restore was entered: there is no restore that has forgotten its safety.
      const { id: safetyJob, made } = this.#backups.begin("restore");
      jobs.setRequest(job, { ...request, safetyJob } satisfies Request);
      const replaced = await made;
      return { replaced, undo: await this.#holdPresent() };
    } catch (error) {
      jobs.end(job, error);
      throw error;
    }
  }

  /** Holds the state that is replaced; its bookmark. */
  async #holdPresent(): Promise<string> {
    const database = await this.#home.live.database();
    const undo = database.bookmark();
    this.#undos.add(database, undo);
    return undo;
  }

  /** Goes on with what there is to do for one turn, for an alarm: the next turn is for the next alarm. */
  async run(): Promise<void> {
    if (await this.#waitsForSafety()) return;
    this.#begin().catch(() => {});
    await this.#turns.give();
  }

  /** Whether the backup of what is replaced has not ended yet: alarms after this one make it. */
  async #waitsForSafety(): Promise<boolean> {
    const { jobs, agenda } = this.#home;
    const job = jobs.unfinished<Request>("restore");
    const safety = job?.request.safetyJob === undefined ? undefined : jobs.find(job.request.safetyJob);
    if (!job || !safety || safety.state === "done") return false;
    if (safety.error) {
      jobs.end(job.id, safety.error);
      return false;
    }
    if (jobs.find(job.id)?.state === "canceling") await agenda.set(jobs.cancel(safety.id), Date.now());
    await agenda.set("restore", Date.now() + SAFETY_LOOK_MS);
    return true;
  }

  /** Does what there is to do, in turns; once at a time. */
  #begin(): Promise<void> {
    if (this.#running !== undefined) return this.#running;
    this.#turns.begin();
    this.#running = this.#all().finally(() => {
      this.#running = undefined;
      this.#turns.end();
    });
    return this.#running;
  }

  async #all(): Promise<void> {
    const { jobs, agenda, gate } = this.#home;
    for (let job = jobs.unfinished<Request>("restore"); job; job = jobs.unfinished<Request>("restore")) {
      const { id, request } = job;
      try {
        await agenda.set("restore", Date.now() + LEASE_MS);
        await this.#load(id, request);
        jobs.end(id);
      } catch (error) {
        jobs.end(id, error);
      }
    }
    await agenda.drop("restore");
    gate.open();
  }

  async #load(id: string, request: Request): Promise<void> {
    const { jobs, live } = this.#home;
    if (request.attempts >= ATTEMPTS) {
      const message = `the restore was interrupted ${ATTEMPTS} times; try again`;
      throw new PagemarkError("RESTORE_EVICTED", message);
    }
    jobs.check(id);
    jobs.setRequest(id, { ...request, attempts: request.attempts + 1 });
    const { from = this.#home.backupName } = request;
    const stored = await Backups.open(from, this.#home.store);
    let told = 0;
    const onProgress = ({ done, total }: { done: number; total: number }) => {
      if (done - told < TELL_BYTES && done < total) return;
      told = done;
      jobs.check(id);
      jobs.progress(id, "restore", done, total);
    };
    const { body } = await stored.download(request.id, { onProgress });
    await (await live.database()).load(this.#turns.slices(body, TURN_BYTES), { ownsChunks: true });
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
