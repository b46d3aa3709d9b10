import { StoreScratch } from "../catalog/scratch.ts";
import type { Machine } from "../core/index.ts";
import { core, free, naming } from "../core/index.ts";
import { checkOptions, DamageError, PagemarkError } from "../errors/index.ts";
import { drive, type FileName, type Perform, type Request } from "../host/drive.ts";
import { Chunks } from "../objects/chunks.ts";
import { ResumableObject, type ResumableState } from "../objects/resumable-object.ts";
import { BLOCK, isRowSource, laidSource, layOn, newRows, type RowsState } from "../sources/row/steps.ts";
import type { PageSource } from "../sources/source.ts";
import type { Store, StoreUploads } from "../stores/store.ts";
import type { Progress } from "../streams/progress.ts";
import { randomBytes } from "./backup.ts";
import { BackupHost } from "./backup-host.ts";
import { type Job, type Made, madeBy, type NewBackup } from "./made.ts";
import { type PagemarkOptions, subjectOf } from "./subject.ts";

/**
 * A backup in steps, whose state the caller keeps between them: for Durable Objects and whatever else may be evicted at
 * any moment. A step that is made again from the same state does no harm. `safety` says that a restore is about to replace
 * what is backed up.
 *
 * @example
 * ```ts
 * import { backupSteps, r2 } from "pagemark";
 * import { LiveDatabase, durableObjectStore } from "pagemark/engine";
 * const db = await LiveDatabase.open({ name: "shop", store: durableObjectStore(ctx.storage) });
 * const steps = backupSteps(db, { store: r2(env.BACKUPS) });
 * let state = await steps.start();           // in a transaction: hold `state.bookmark`, keep the state, set an alarm
 * const step = await steps.step(state);      // in each alarm, until there is `step.done`
 * ```
 */
export function backupSteps(
  source: PageSource,
  options: PagemarkOptions & { safety?: boolean },
): BackupSteps {
  const subject = subjectOf("backupSteps", source, options);
  return new BackupSteps(subject, options.safety ?? false);
}

/**
 * A backup under way, between two steps: plain data that can be cloned and stored. No array in it has more than 512 KiB.
 * All arrays of a list but the last are the same objects as the step before.
 */
export interface BackupRunState {
  version: typeof VERSION;
  /** What comes next. */
  phase: "rows" | "pages" | "fingerprints" | "ltx" | "record" | "sweep" | "done";
  /** Names the state of the source that is backed up. */
  bookmark: string;
  progress: Progress;
  /** The core's machine: see `src/run/saved.rs`. */
  head: Uint8Array;
  /** The log of the pages that are packed. */
  index: Uint8Array[];
  /** The numbers of the pages to pack, 4 bytes each; missing when it is all of them. */
  changed?: Uint8Array[];
  ltx?: ResumableState;
  fingerprints?: ResumableState;
  /** How far the rows are laid into pages, of a source that gives rows; and what {@link BackupSteps.start} was told. */
  rows?: RowsState & Pick<StartOptions, "full" | "sameDatabase">;
  /** The backup, once it is made. */
  done?: NewBackup;
}

const VERSION = 2;

/** How a backup that is made in steps begins. */
export interface StartOptions {
  /** Makes a full backup even where an incremental one would do. */
  full?: boolean;
  /** Says that it is the database whose backups go by that name, where it looks like another one. */
  sameDatabase?: boolean;
  /** Which state to back up, by its bookmark; the newest unless given. */
  at?: string;
  signal?: AbortSignal | undefined;
}

/** How much one step may do. It also ends when it has stored a part. */
export interface StepOptions {
  /** In milliseconds; 500 unless given. In a Worker, whose clock stands still while it works, `maxBytes` is what counts. */
  maxMs?: number;
  /** Bytes of pages to read and pack; 32 MiB unless given, about 0.1 s of work. */
  maxBytes?: number;
  /** Called between two batches of 256 KiB: others may have their turn meanwhile. */
  pause?: (() => Promise<void>) | undefined;
  signal?: AbortSignal | undefined;
}

/** What one step came to: the state from which the next one goes on, or the backup. */
export interface BackupStep {
  /** For the next step. Keep it before that; then the step may end anywhere, and be made again. */
  state: BackupRunState;
  progress: Progress;
  /** The backup, once it is made. */
  done?: NewBackup;
}

/** See {@link backupSteps}. */
export class BackupSteps {
  readonly #job: Job & { source: PageSource };
  readonly #safety: boolean;

  constructor(job: Job & { source: PageSource }, safety: boolean) {
    this.#job = job;
    this.#safety = safety;
  }

  /**
   * Begins; nothing is stored yet. The source must name its states, and keep this one (`state.bookmark`) until the
   * backup is done: hold it before, and name it in `at`.
   *
   * @throws PagemarkError `USAGE` when the source or the store cannot do it; `NAME_INVALID`
   */
  async start(options: StartOptions = {}): Promise<BackupRunState> {
    const { full = false, sameDatabase = false } = checkOptions(options);
    const { store, source } = this.#job;
    if (!isRowSource(source)) return this.#begin(source, options);
    uploadsOf(store);
    const rows = { ...newRows(), full, sameDatabase };
    const progress = { phase: "pages", done: 0, total: 0, bytes: 0 } as const;
    return {
      version: VERSION,
      phase: "rows",
      bookmark: rows.id,
      progress,
      head: new Uint8Array(),
      index: [],
      rows,
    };
  }

  async #begin(
    source: PageSource,
    { full, sameDatabase, at, signal }: StartOptions,
  ): Promise<BackupRunState> {
    const { store, name } = this.#job;
    const uploads = uploadsOf(store);
    const { Machine, nameToSegment } = await core();
    const set = { safety: this.#safety, full, sameDatabase, inSteps: true };
    const flags = Object.entries(set).flatMap(([flag, isSet]) => (isSet ? [flag] : []));
    const segment = nameToSegment(name);
    const machine = Machine.backup(segment, store.layout, name, flags, undefined, at, randomBytes());
    const run = new Run({ ...this.#job, source, folder: segment }, uploads, machine, { signal });
    return (await run.go(() => "stop")).state;
  }

  /**
   * Goes on for about a part of an object, or as long as `options` says. When it throws, the state it was given still
   * holds: make the step again, or {@link abort}.
   *
   * @throws ConflictError when another backup was quicker; nothing of this one stays then
   * @throws PagemarkError `SOURCE_OTHER_STATE` when the source gives another state, `SAVED_STATE` when `state` is damaged
   */
  async step(state: BackupRunState, options: StepOptions = {}): Promise<BackupStep> {
    checkVersion(state);
    checkOptions(options);
    if (state.done) return { state, progress: state.progress, done: state.done };
    const { rows } = state;
    if (!rows) return this.#go(this.#job.source, state, options);
    if (rows.next !== "nothing") return this.#lay(state, rows, options);
    const scratch = await this.#scratch(rows);
    const source = laidSource(this.#job.source.name, rows, scratch, isTracked(this.#job.source));
    const begun =
      state.phase === "rows" ? await this.#begin(source, { ...rows, signal: options.signal }) : state;
    const step = await this.#go(source, begun, options);
    if (!step.done) return { ...step, state: { ...step.state, rows } };
    await scratch.drop();
    const done = { ...step.done, ...(isTracked(this.#job.source) && { taken: "tracked" as const }) };
    return { ...step, done, state: { ...step.state, done, rows } };
  }

  /** Lays rows into pages for a while. */
  async #lay(
    state: BackupRunState,
    rows: NonNullable<BackupRunState["rows"]>,
    { maxMs = 500, maxBytes = 32 << 20, signal }: StepOptions,
  ): Promise<BackupStep> {
    const { source } = this.#job;
    if (!isRowSource(source)) throw new DamageError("SAVED_STATE", `${source.name} gives no rows`);
    const deadline = performance.now() + maxMs;
    const isSpent = (bytes: number) => bytes >= maxBytes || performance.now() >= deadline;
    const laid = await layOn(source, rows, await this.#scratch(rows), isSpent, signal);
    const { full = false, sameDatabase = false } = rows;
    const progress = { ...state.progress, bytes: laid.blocks * BLOCK };
    return { state: { ...state, progress, rows: { ...laid, full, sameDatabase } }, progress };
  }

  async #scratch({ id }: RowsState): Promise<StoreScratch> {
    const { nameToSegment } = await core();
    return new StoreScratch(this.#job.store, nameToSegment(this.#job.name), { id, size: BLOCK });
  }

  async #go(source: PageSource, state: BackupRunState, options: StepOptions): Promise<BackupStep> {
    const run = await Run.resume({ ...this.#job, source }, state, options);
    const { maxMs = 500, maxBytes = 32 << 20, pause } = options;
    const deadline = performance.now() + maxMs;
    return run.go(() => {
      const isSpent = run.hasStored || run.packed >= maxBytes || performance.now() >= deadline;
      return isSpent ? "stop" : pause?.();
    });
  }

  /** Gives the backup up: nothing of it stays in the store. One that is made already stays. */
  async abort(state: BackupRunState): Promise<void> {
    if (state.phase !== "rows") await abandon(this.#job, state);
    if (state.rows) await (await this.#scratch(state.rows)).drop();
  }
}

function isTracked(source: PageSource): boolean {
  return isRowSource(source) && source.tracking === true;
}

/** Gives up what was saved of a backup: nothing of it stays in the store, unless it is made already. */
export async function abandon(place: { store: Store; name: string }, state: BackupRunState): Promise<void> {
  checkVersion(state);
  const run = await Run.resume(place, state, {}, true);
  await run.end();
}

/** What a step works with. */
class Run {
  readonly #job: Job & { folder: string };
  readonly #machine: Machine;
  readonly #host: BackupHost;
  readonly #index: Chunks;
  #changed: Uint8Array[] | undefined;
  #progress: Progress;

  static async resume(
    job: Job,
    state: BackupRunState,
    { signal }: StepOptions,
    isAbandoned = false,
  ): Promise<Run> {
    const { Machine, nameToSegment } = await core();
    const uploads = uploadsOf(job.store);
    const all = new Chunks(state.index).join();
    const changed = state.changed && new Uint32Array(new Chunks(state.changed).join().buffer);
    const machine = await naming(job.name, async () =>
      isAbandoned ? Machine.abandon(state.head, all) : Machine.resume(state.head, all, changed),
    );
    free(all);
    const folder = nameToSegment(job.name);
    const run = new Run({ ...job, folder }, uploads, machine, { signal }, state);
    for (const name of ["ltx", "fingerprints"] as const) {
      const saved = state[name];
      if (!saved) throw damagedState();
      const resumed = naming(job.name, () => ResumableObject.resume(uploads, saved, signal));
      run.#host.files.set(name, await resumed);
    }
    return run;
  }

  constructor(
    job: Job & { folder: string },
    uploads: StoreUploads,
    machine: Machine,
    { signal }: { signal?: AbortSignal | undefined },
    state?: BackupRunState,
  ) {
    this.#job = job;
    this.#machine = machine;
    this.#index = new Chunks(state?.index);
    this.#changed = state?.changed;
    this.#progress = state?.progress ?? { phase: "pages", done: 0, total: 0, bytes: 0 };
    this.#host = new BackupHost(
      job,
      (_, key, modified) => ResumableObject.start(uploads, key, modified, signal),
      {
        signal,
        onProgress: (progress) => {
          this.#progress = progress;
        },
      },
    );
  }

  /** Size of the pages in this step, in bytes. */
  get packed(): number {
    return this.#host.packed;
  }

  get hasStored(): boolean {
    return [...this.#host.files.values()].some((file) => (file as ResumableObject).parts > 0);
  }

  /** Goes on until the backup is made, or until `onSave` stops it where it can be saved. */
  async go(onSave: () => "stop" | Promise<void> | undefined): Promise<BackupStep> {
    try {
      const outcome = await this.#drive((request) => {
        const next = request.kind === "save" ? onSave() : undefined;
        return next === "stop" ? next : this.#perform(request, next);
      });
      const done = madeBy(outcome, { ...this.#job, moment: this.#host.moment });
      const state = this.#save(done);
      return { state, progress: state.progress, ...(done && { done }) };
    } finally {
      await this.#close();
    }
  }

  /** To its end, where nothing is made. */
  async end(): Promise<void> {
    try {
      madeBy(await this.#drive((request) => this.#host.perform(request)), this.#job);
    } finally {
      await this.#close();
    }
  }

  #drive(perform: Perform) {
    const about = this.#job.source?.name ?? this.#job.name;
    return naming(about, () => drive<Made | null>(this.#machine, perform));
  }

  async #perform(request: Request, pause: Promise<void> | undefined) {
    await pause;
    const reply = await this.#host.perform(request);
    if (request.kind === "pin" && this.#host.moment?.bookmark === undefined) {
      const name = this.#job.source?.name;
      throw new PagemarkError(
        "USAGE",
        `${name} does not name its states, which a backup in steps needs; use backup()`,
      );
    }
    return reply;
  }

  #save(done: NewBackup | undefined): BackupRunState {
    const machine = this.#machine;
    const grown = machine.logFrom(this.#index.length);
    this.#index.append(grown);
    free(grown);
    const pages = this.#changed ? undefined : machine.changed();
    if (pages) {
      this.#changed = new Chunks([new Uint8Array(pages.buffer, pages.byteOffset, pages.byteLength)]).save();
    }
    return {
      version: VERSION,
      phase: done ? "done" : (machine.phase() as BackupRunState["phase"]),
      bookmark: machine.at() ?? "",
      progress: this.#progress,
      head: machine.save(),
      index: this.#index.save(),
      ...(this.#changed && { changed: this.#changed }),
      ltx: this.#file("ltx"),
      fingerprints: this.#file("fingerprints"),
      ...(done && { done }),
    };
  }

  #file(name: FileName): ResumableState {
    return (this.#host.files.get(name) as ResumableObject).save();
  }

  async #close(): Promise<void> {
    await this.#host.close();
    this.#machine.free();
  }
}

/** Refuses what another version left, which would be misread. */
function checkVersion(state: BackupRunState): void {
  if (state?.version !== VERSION) throw damagedState();
}

function damagedState(): DamageError {
  const message =
    "what was saved of the backup under way is damaged or of another version; abort it and begin anew";
  return new DamageError("SAVED_STATE", message);
}

function uploadsOf(store: Store): StoreUploads {
  if (store.uploads) return store.uploads;
  const message = `${store.description} takes no objects in parts, which a backup in steps needs; use backup()`;
  throw new PagemarkError("USAGE", message);
}
