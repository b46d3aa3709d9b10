import type { R2Binding } from "./r2-bucket.ts";
import { BrokenAnswer, type Doing, isTransient, meaningOf } from "./r2-errors.ts";

/** How long, and how often, to try. */
export interface Patience {
  /** How often a call is made at most. */
  attempts: number;
  /** In milliseconds: about so long a pause after the first failure, and twice as long after each further one. */
  delay: number;
  /** In milliseconds: a call that takes longer, and longer than its bytes need at 1 MB a second, has failed. */
  timeout: number;
}

export interface Call {
  doing: Doing;
  key: string;
  /** How many bytes it moves. */
  size?: number;
  signal?: AbortSignal | undefined;
  /** A call that is under way is waited for, whatever `signal` says; the pauses are not. */
  finish?: boolean;
}

/** Makes the calls to a bucket: again, after a pause, when trying again may help, and not for ever. */
export class Calls {
  readonly bucket: R2Binding;
  readonly patience: Patience;

  constructor(bucket: R2Binding, patience: Patience) {
    this.bucket = bucket;
    this.patience = patience;
  }

  /**
   * What `attempt` gives, at the first time that it does. It may run again while an earlier time that took too long is
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

  /** After so many failures. Not the same for all who failed at the same moment. */
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
