import { PagemarkError } from "../errors/index.ts";

/** How far a job is. */
export interface Progress {
  /**
   * `pages`: reading and storing pages. `restore`: reading stored files. `verify`: checking stored objects.
   * `dump`: turning pages into SQL. `compare`: reading the database as it is now. `copy`: from one store to another.
   */
  phase: "pages" | "restore" | "verify" | "dump" | "compare" | "copy";
  /** Units done: pages, or bytes of stored files. Never falls within a phase. */
  done: number;
  /** Units in all. */
  total: number;
  /** Bytes read so far. */
  bytes: number;
}

/** What every call that takes long understands: a signal that ends it, and whom to tell how far it is. */
export interface JobOptions {
  /** Ends the job at the next step; nothing half-done stays. */
  signal?: AbortSignal | undefined;
  /** Called after every step. What it throws ends the job. */
  onProgress?: ((progress: Progress) => void) | undefined;
}

/** Told of what was found on the way that ends nothing. */
export interface Warned {
  /** Called with what a user should know, such as later states that cannot be read, so that an older one was taken. */
  onWarning?: ((message: string) => void) | undefined;
}

/** Keeps a job to so many bytes a second. */
export class Throttle {
  readonly #bytesPerSecond: number;
  readonly #signal: AbortSignal | undefined;
  #started: number | undefined;
  #bytes = 0;

  constructor(bytesPerSecond: number | undefined, signal: AbortSignal | undefined) {
    if (bytesPerSecond !== undefined && !(bytesPerSecond > 0)) {
      throw new PagemarkError("USAGE", `maxBytesPerSecond must be above 0, not ${bytesPerSecond}`);
    }
    this.#bytesPerSecond = bytesPerSecond ?? Number.POSITIVE_INFINITY;
    this.#signal = signal;
  }

  /** Waits until `bytes` more are within the rate. */
  async take(bytes: number): Promise<void> {
    if (this.#bytesPerSecond === Number.POSITIVE_INFINITY) return;
    this.#started ??= performance.now();
    this.#bytes += bytes;
    const due = this.#started + (this.#bytes / this.#bytesPerSecond) * 1000;
    await sleep(due - performance.now(), this.#signal);
  }
}

/** Lets all others in this thread have their turn: whoever only awaits what is there already keeps them from it. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

/** Waits, but not beyond an abort. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  if (ms <= 0) return Promise.resolve();
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const timer = setTimeout(done, ms);
    function done() {
      signal?.removeEventListener("abort", aborted);
      resolve();
    }
    function aborted() {
      clearTimeout(timer);
      reject(signal?.reason);
    }
    signal?.addEventListener("abort", aborted, { once: true });
  });
}

/** Waits, less long when the signal aborts. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return sleep(ms, signal).catch(() => {});
}
