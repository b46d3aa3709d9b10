import { PagemarkError } from "../../errors/index.ts";
import type { JobError, JobRow, JobTable, Kind } from "./table.ts";
import { Turns } from "./turns.ts";

/** What comes up at some time, so that what was cut off is gone on with. */
export interface Alarms {
  /** Has a kind come up then, whenever it did before; in milliseconds since 1970. */
  set(kind: Queued, dueMs: number): Promise<void>;
  /** Unless it comes up earlier already. */
  setBy(kind: Queued, dueMs: number): Promise<void>;
  /** At once, but not for the alarm that is at it. */
  setNext(kind: Queued): Promise<void>;
  drop(kind: Queued): Promise<void>;
}

/** What the work of a job is given. */
export interface Run {
  /** Says when to stop. */
  readonly signal: AbortSignal;
  /** How far it is. It takes a write. */
  progress(phase: string, done: number, total: number): void;
  /** Tells the client that polls for the job, at its next poll. */
  tell(message: string): void;
  /** The turns of a kind that works in turns. */
  readonly turns: Turns;
}

/** What jobs of a kind do. */
export interface JobKind<R = unknown> {
  readonly kind: Kind;
  /** Does it, and gives what whoever waits for the job gets. It begins at once, in the turn in which it is called. */
  work(row: JobRow, run: Run): Promise<R>;
  /** Asked to cancel one: what it waits for has to end, too. */
  canceled?(row: JobRow): void;
  /** There is nothing left to do of this kind; for those that work in turns. */
  idle?(): Promise<void>;
  /** How a message, and the end, are noted down; the table does it unless given. */
  told?(row: JobRow, message: string): void;
  ended?(row: JobRow, end: End<R>): void;
}

export type End<R = unknown> = { result: R } | { error: unknown };

interface Running {
  readonly stop: AbortController;
  readonly done: Promise<void>;
}

/** Kinds whose jobs come one after the other, each in as many turns as it takes. */
export type Queued = "backup" | "restore";

interface Queue {
  readonly turns: Turns;
  running?: Promise<void> | undefined;
}

/** If an object is evicted in mid-turn, the next one goes on after so long, in milliseconds. */
const LEASE_MS = 20_000;
/** The turns of kinds that work by themselves, and never ask for the next one. */
const NO_TURNS = new Turns(async () => {});

/** Runs the jobs of one database: several requests for one job share one run of its work. */
export class JobRunner {
  readonly table: JobTable;
  readonly #agenda: Alarms;
  readonly #log: (what: string, error: JobError) => void;
  readonly #kinds = new Map<Kind, JobKind>();
  readonly #queues = new Map<Kind, Queue>();
  readonly #running = new Map<string, Running>();
  /** Who waits for the end of a job. */
  readonly #waiting = new Map<string, Set<(end: End) => void>>();
  #stopped: { error: unknown } | undefined;

  /** `log` hears what failed with nobody waiting for it. */
  constructor(table: JobTable, agenda: Alarms, log: (what: string, error: JobError) => void) {
    this.table = table;
    this.#agenda = agenda;
    this.#log = log;
  }

  /** Makes a kind known. */
  add(kind: JobKind): void {
    this.#kinds.set(kind.kind, kind);
  }

  /** The same for one whose jobs work in turns; goes on, at the next alarm, with what an object that is gone has left. */
  addQueued(kind: JobKind & { kind: Queued }): void {
    this.add(kind);
    const turns = new Turns(() => this.#agenda.setNext(kind.kind));
    this.#queues.set(kind.kind, { turns });
    if (this.table.unfinished(kind.kind)) this.#agenda.setBy(kind.kind, Date.now()).catch(() => {});
  }

  /** Enters a job behind those of its kind; {@link goOn} begins with it. */
  begin(kind: Queued, request: object): string {
    const id = this.table.begin(kind, request);
    this.#agenda.set(kind, Date.now()).catch(() => {});
    return id;
  }

  /** What comes of a job that has not ended, however many turns it takes. Call it in the turn in which it was entered. */
  result<R>(id: string): Promise<R> {
    const result = new Promise<R>((resolve, reject) => {
      this.#wait(id, (end) => ("error" in end ? reject(end.error) : resolve(end.result as R)));
    });
    // It may fail before anybody waits for it.
    result.catch(() => {});
    return result;
  }

  /** Resolves when a job has ended, or, whether it has or not, after so many milliseconds. */
  async ended(id: string, ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const end = () => {
        clearTimeout(timer);
        forget();
        resolve();
      };
      const timer = setTimeout(end, Math.max(ms, 0));
      const forget = this.#wait(id, end);
    });
  }

  /** Goes on with what there is to do of a kind, for one turn; the next turn is for the next alarm. */
  async goOn(kind: Queued): Promise<void> {
    const queue = this.#queues.get(kind);
    if (!queue) return;
    if (this.table.unfinished(kind)) await this.#agenda.set(kind, Date.now() + LEASE_MS);
    if (!queue.running) {
      queue.turns.begin();
      queue.running = this.#all(kind).finally(() => {
        queue.running = undefined;
        queue.turns.end();
      });
      queue.running.catch(() => {});
    }
    await queue.turns.give();
  }

  /** Runs a job of a kind that works by itself, unless it runs already. */
  start(row: JobRow): void {
    void this.#begin(row);
  }

  /** Stops the work of a job, and nothing else. */
  release(id: string, reason: unknown): void {
    this.#running.get(id)?.stop.abort(reason);
  }

  /**
   * Asks a job to end: who waits for it gets an error with the code `CANCELED`. One that has ended stays as it is.
   *
   * @throws PagemarkError `JOB_UNKNOWN`
   */
  async cancel(id: string): Promise<void> {
    const row = this.table.known(id);
    if (this.#queues.has(row.kind)) {
      this.table.cancel(id);
      this.release(id, canceledError());
      await this.#agenda.set(row.kind as Queued, Date.now());
    }
    this.#kinds.get(row.kind)?.canceled?.(row);
  }

  /** Stops all of it, with the database: who waits gets `error`. Nothing is done any more when this resolves. */
  async stop(error: unknown): Promise<void> {
    this.#stopped = { error };
    for (const id of [...this.#waiting.keys()]) this.wake(id, { error });
    for (const { turns } of this.#queues.values()) turns.stop(error);
    for (const { stop } of this.#running.values()) stop.abort(error);
    await Promise.all([
      ...Array.from(this.#running.values(), ({ done }) => done),
      ...Array.from(this.#queues.values(), ({ running }) => running?.catch(() => {})),
    ]);
  }

  async #all(kind: Queued): Promise<void> {
    for (;;) {
      for (let row = this.table.unfinished(kind); row && !this.#stopped; row = this.table.unfinished(kind)) {
        await this.#agenda.set(kind, Date.now() + LEASE_MS);
        await this.#begin(row);
      }
      if (this.#stopped) return;
      await this.#kinds.get(kind)?.idle?.();
      // One may have come meanwhile, and waits.
      if (!this.table.unfinished(kind)) break;
    }
    await this.#agenda.drop(kind);
  }

  #begin(row: JobRow): Promise<void> {
    const running = this.#running.get(row.id);
    if (running && !running.stop.signal.aborted) return running.done;
    const stop = new AbortController();
    if (this.#stopped) stop.abort(this.#stopped.error);
    if (this.table.row(row.id)?.state === "canceling") stop.abort(canceledError());
    const done = this.#run(row, stop.signal, running?.done).finally(() => {
      if (this.#running.get(row.id)?.stop === stop) this.#running.delete(row.id);
    });
    this.#running.set(row.id, { stop, done });
    return done;
  }

  /** Works, and says how it went; never fails. */
  async #run(row: JobRow, signal: AbortSignal, before: Promise<void> | undefined): Promise<void> {
    const kind = this.#kinds.get(row.kind);
    const queue = this.#queues.get(row.kind);
    try {
      // Two runs of one job would mix what they write: the one before, if there is one, ends first.
      await before;
      if (signal.aborted && !queue) return;
      // What was noted since then counts, too.
      const result = await kind?.work(this.table.row(row.id) ?? row, {
        signal,
        turns: queue?.turns ?? NO_TURNS,
        progress: (phase, done, total) => this.table.progress(row.id, phase, done, total),
        tell: (message) => {
          if (!signal.aborted) kind.told?.(row, message);
        },
      });
      this.#end(row, { result });
    } catch (error) {
      // Whoever released it has noted down how it ended.
      if (queue || !signal.aborted) this.#end(row, { error });
    }
  }

  #end(row: JobRow, end: End): void {
    const kind = this.#kinds.get(row.kind);
    if (kind?.ended) kind.ended(row, end);
    else {
      const error = "error" in end ? shownError(end.error) : undefined;
      this.table.end(row.id, error);
      const isHeard = this.#waiting.has(row.id) || this.#stopped || error?.code === "CANCELED";
      if (error && !isHeard) this.#log(`a ${row.kind}`, error);
    }
    this.wake(row.id, end);
  }

  /** Tells who waits for a job that it has ended. */
  wake(id: string, end: End): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    for (const tell of waiting ?? []) tell(end);
  }

  /** Gives what ends the waiting. */
  #wait(id: string, tell: (end: End) => void): () => void {
    const waiting = this.#waiting.get(id) ?? new Set();
    this.#waiting.set(id, waiting.add(tell));
    return () => {
      waiting.delete(tell);
      if (waiting.size === 0 && this.#waiting.get(id) === waiting) this.#waiting.delete(id);
    };
  }
}

/** What a job ends with that somebody has canceled. */
export function canceledError(): PagemarkError {
  return new PagemarkError("CANCELED", "it was canceled; nothing half-done is left");
}

/** What is shown of an error. A defect says nothing of itself. */
export function shownError(error: unknown): JobError {
  if (error instanceof PagemarkError) return { code: error.code, message: error.message };
  // biome-ignore lint/suspicious/noConsole: what has no name is a defect, and this is the server's log
  console.error("a job failed", error);
  return { code: "INTERNAL", message: "internal error; the server's log says more" };
}
