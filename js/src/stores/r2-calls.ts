import type { R2Binding } from "./r2-bucket.ts";
import { BrokenAnswer, type Doing, isTransient, meaningOf } from "./r2-errors.ts";

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

/** Makes calls to a bucket, and tries again after a pause when that may help, but not for ever. */
export class Calls {
  readonly bucket: R2Binding;
  readonly patience: Patience;

  constructor(bucket: R2Binding, patience: Patience) {
    this.bucket = bucket;
    this.patience = patience;
  }

  /**
   * The result of `attempt`, the first time that it succeeds. A further attempt may start while one that took too long is
   * still under way: R2's bindings cannot be told to stop.
   *
   * @throws StoreError
   */
  async run<T>(call: Call, attempt: (bucket: R2Binding) => Promise<T>): Promise<T> {
    const { doing, key, size = 0, signal, finish } = call;
    for (let failures = 0; ; ) {
      signal?.throwIfAborted();
      try {
        return await this.inTime(attempt(this.bucket), size, finish ? undefined : signal);
      } catch (error) {
        if (!finish) signal?.throwIfAborted();
        failures++;
        if (!isTransient(error) || failures >= this.patience.attempts) {
          throw meaningOf(error, doing, key, failures);
        }
        await this.pause(failures, signal);
      }
    }
  }

  /** Waits after so many failures, for a random time, so that callers that failed together do not try again together. */
  async pause(failures: number, signal: AbortSignal | undefined): Promise<void> {
    const time = this.patience.delay * 2 ** (failures - 1) * (0.5 + Math.random());
    await new Promise<void>((resolve, reject) => {
      const onAbort = () => {
        clearTimeout(timer);
        reject(signal?.reason);
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      }, time);
      if (signal?.aborted) onAbort();
      else signal?.addEventListener("abort", onAbort, { once: true });
    });
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
