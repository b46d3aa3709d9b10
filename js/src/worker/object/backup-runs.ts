import type { Database, Hold } from "../../entry/engine.workerd.ts";
import {
  type Backup,
  type BackupRunState,
  type BackupSteps,
  backupSteps,
  type PagemarkError,
  type Store,
} from "../../entry/workerd.ts";
import { abandon } from "../../run/backup-steps.ts";
import type { Run } from "../../service/jobs/runner.ts";
import type { BackupProgress } from "../../service/options.ts";
import type { Home } from "./home.ts";
import { SavedState } from "./saved-state.ts";

/** What is saved of the backup under way. */
interface Saved {
  /** Its job. */
  id: string;
  run: BackupRunState;
}

/** Name of the saved state. */
const NAME = "backup";
/** Pages packed in one request or alarm, whose processor time is bounded: one or two seconds of work. */
const SLICE_BYTES = 16 << 20;
/** For how long a backup may take with nobody going on with it, in milliseconds. */
const LEASE_MS = 3_600_000;

/** Makes one backup at a time, in slices; an object that is evicted goes on where it was. */
export class BackupRuns {
  readonly #home: Home;
  readonly #saved: SavedState<Saved>;
  #hold: Hold | undefined;

  constructor(home: Home) {
    this.#home = home;
    this.#saved = new SavedState(home.storage, NAME);
    home.live.onOpened((database) => {
      const saved = this.#saved.load();
      // Before the next commit, which may drop the state that is backed up.
      if (saved) this.#hold = holdAgain(database, saved.run.bookmark);
    });
  }

  /** The state that is backed up. */
  get bookmark(): string | undefined {
    return this.#hold?.bookmark;
  }

  /** Makes the backup of a job, a slice in each turn, or goes on with it. */
  async make(
    id: string,
    { full, safety }: { full: () => Promise<boolean>; safety: boolean },
    { signal, turns }: Run,
    onProgress: (progress: BackupProgress) => void,
  ): Promise<Backup> {
    const { live, store, backupName: name } = this.#home;
    const database = await live.database();
    const steps = backupSteps(database, { store, name, safety });
    let run = await this.#begun(id, database, steps, full, signal);
    try {
      for (let end = Number.POSITIVE_INFINITY; ; ) {
        signal.throwIfAborted();
        const step = await steps.step(run, {
          maxMs: Number.POSITIVE_INFINITY,
          pause: () => scheduler.wait(0),
        });
        run = step.state;
        this.#saved.save({ id, run });
        this.#hold?.renew();
        onProgress(step.progress);
        if (step.done) return step.done;
        const { bytes } = step.progress;
        if (bytes >= end) await turns.next();
        end = bytes >= end ? Number.POSITIVE_INFINITY : Math.min(end, bytes + SLICE_BYTES);
      }
    } catch (error) {
      await steps.abort(run).catch(() => {});
      throw error;
    }
  }

  /** Forgets the run that has ended, and lets its state go. */
  end(): void {
    this.#saved.drop();
    this.#hold?.release();
    this.#hold = undefined;
  }

  async #begun(
    id: string,
    database: Database,
    steps: BackupSteps,
    full: () => Promise<boolean>,
    signal: AbortSignal,
  ): Promise<BackupRunState> {
    const saved = this.#saved.load();
    if (saved?.id === id) return saved.run;
    // A job that ended without a word left this.
    if (saved) await steps.abort(saved.run).catch(() => {});
    this.end();
    signal.throwIfAborted();
    const isFull = await full();
    this.#hold = database.hold({ leaseMs: LEASE_MS });
    const run = await steps.start({ full: isFull, at: this.#hold.bookmark });
    this.#saved.save({ id, run });
    return run;
  }
}

/** Gives up the backup that an object left under way when its database was deleted: nothing of it stays in the store. */
export async function abandonBackup(
  storage: DurableObjectStorage,
  place: { store: Store; name: string },
): Promise<void> {
  const saved = new SavedState<Saved>(storage, NAME);
  const left = saved.load();
  try {
    if (left) await abandon(place, left.run);
  } catch (error) {
    // The state is another version's, or damaged: what lies in the store for it is swept a day later.
    if ((error as PagemarkError).code !== "SAVED_STATE") throw error;
  }
  saved.drop();
}

/** Nothing when history has it no more: then the next step says so. */
function holdAgain(database: Database, bookmark: string): Hold | undefined {
  try {
    return database.hold({ at: bookmark, leaseMs: LEASE_MS });
  } catch {
    return undefined;
  }
}
