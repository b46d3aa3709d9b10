// Calls to services that store objects, which fail for a moment: tried again, but not for ever.
import { sleep } from "../streams/progress.ts";

export type Doing = "read" | "list" | "write" | "delete";

/** The service did not answer, or answered with less or more than was asked for. */
export class BrokenAnswer extends Error {
  override readonly name = "BrokenAnswer" as const;
}

/** What a service's errors mean. */
export interface Failures {
  /** Whether trying again may help. */
  isTransient(error: unknown): boolean;
  /** The error that the user of a store gets for `error`, after so many `attempts`. */
  meaningOf(error: unknown, doing: Doing, key: string, attempts: number): Error;
  /** The pause that the service asked for, in milliseconds. */
  pauseOf?(error: unknown): number | undefined;
}

/** How often and how long to try. */
export interface Patience {
  /** Most attempts of a call. */
  attempts: number;
  /** Pause after the first failure, in milliseconds, about; it doubles after each further one. */
  delay: number;
  /** A call that takes longer than this, and the time that its bytes need at 1 MB a second, has failed. In milliseconds. */
  timeout: number;
}

export interface Call {
  doing: Doing;
  key: string;
  /** Bytes that the call moves. */
  size?: number;
  signal?: AbortSignal | undefined;
  /** Waits for a call that is under way, whatever `signal` says; an abort ends pauses only. */
  finish?: boolean;
}

/** Most that a service's own wish for a pause counts, in milliseconds. */
const LONGEST_PAUSE = 30_000;

/** Makes calls to a bucket, and tries again after a pause when that may help. */
export class Calls<Bucket> {
  readonly bucket: Bucket;
  readonly patience: Patience;
  readonly #failures: Failures;

  constructor(bucket: Bucket, patience: Patience, failures: Failures) {
    this.bucket = bucket;
    this.patience = patience;
    this.#failures = failures;
  }

  /**
   * The result of `attempt`, the first time that it succeeds. The signal it gets aborts when it took too long, or nobody
   * waits for it any more. Where it cannot be told to stop, as R2's bindings, it may still be under way when the next one starts.
   *
   * @throws StoreError
   */
  async run<T>(call: Call, attempt: (bucket: Bucket, signal: AbortSignal) => Promise<T>): Promise<T> {
    const { size = 0, signal, finish } = call;
    for (let failures = 0; ; ) {
      signal?.throwIfAborted();
      const stop = new AbortController();
      try {
        return await this.inTime(attempt(this.bucket, stop.signal), size, finish ? undefined : signal);
      } catch (error) {
        stop.abort(error);
        if (!finish) signal?.throwIfAborted();
        await this.failed(error, call, ++failures);
      }
    }
  }

  /**
   * Waits after so many failures, for a random time, so that callers that failed together do not try again together.
   *
   * @throws StoreError when trying again would not help, or was tried often enough
   */
  async failed(error: unknown, { doing, key, signal }: Call, failures: number): Promise<void> {
    const { attempts, delay } = this.patience;
    if (!this.#failures.isTransient(error) || failures >= attempts)
      throw this.#failures.meaningOf(error, doing, key, failures);
    const asked = Math.min(this.#failures.pauseOf?.(error) ?? 0, LONGEST_PAUSE);
    await sleep(asked + delay * 2 ** (failures - 1) * (0.5 + Math.random()), signal);
  }

  /** Fails with the signal's reason, or when `answer` takes too long. */
  async inTime<T>(answer: Promise<T>, size: number, signal: AbortSignal | undefined): Promise<T> {
    const time = this.patience.timeout + size / 1000;
    let end = () => {};
    const early = new Promise<never>((_, reject) => {
      const onAbort = () => reject(signal?.reason);
      const timer = setTimeout(
        () => reject(new BrokenAnswer(`no answer within ${Math.round(time)} ms`)),
        time,
      );
      signal?.addEventListener("abort", onAbort, { once: true });
      end = () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", onAbort);
      };
    });
    try {
      return await Promise.race([answer, early]); // which also handles a failure that comes too late
    } finally {
      end();
    }
  }
}
