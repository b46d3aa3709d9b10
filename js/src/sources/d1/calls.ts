// Calls to D1: how long they are waited for, which are made again, and what their failures mean.
import { PagemarkError, SourceError } from "../../errors/index.ts";
import { sleep } from "../../streams/progress.ts";

/** How often a call that failed for a reason that passes is made again. */
const RETRIES = 4;
const FIRST_PAUSE_MS = 100;
/** Words of failures that pass, by what D1's documentation of its errors says. */
const PASSING =
  /network connection lost|reset because|object to be reset|internal error|transient|storage operation exceeded timeout|isolate.*exceeded.*memory|overloaded|queued for too long|did not answer/i;
const BUSY = /overloaded|queued for too long|currently processing|rate limit|too many requests/i;

/** How a call failed, where its message does not say it. */
export interface Failed extends Error {
  /** Whether the same may work later. */
  isPassing?: boolean;
  /** For how long to wait, in milliseconds. */
  retryAfterMs?: number;
}

/** Makes a call that does no harm however often it is made. */
export async function retried<T>(
  action: () => Promise<T>,
  name: string,
  signal: AbortSignal | undefined,
  mayRetry: (error: Failed) => boolean = isPassing,
): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    signal?.throwIfAborted();
    let pause = FIRST_PAUSE_MS << attempt;
    try {
      return await action();
    } catch (error) {
      if (signal?.aborted) throw error;
      if (attempt >= RETRIES || !mayRetry(error as Failed)) throw failureOf(name, error);
      pause = Math.max(pause, (error as Failed).retryAfterMs ?? 0);
    }
    await sleep(pause, signal);
  }
}

export function isPassing(error: Failed): boolean {
  return error.isPassing ?? PASSING.test(error.message);
}

/** The error of whoever called D1 for a database of that `name`. */
export function failureOf(name: string, error: unknown, code?: `SOURCE_${string}`): PagemarkError {
  if (error instanceof PagemarkError) return error;
  const { message } = error as Error;
  const isBusy = BUSY.test(message);
  const how = isPassing(error as Failed) ? "failed, and does so again and again" : "refused";
  const said = `${name}: D1 ${isBusy ? "is busy" : how}: ${message}`;
  const other = isBusy ? "SOURCE_BUSY" : "SOURCE_UNREADABLE";
  return new SourceError(code ?? other, said, { name }, { cause: error });
}

/** The error of a write: nothing of it was done where D1 refused, and nothing is known where the failure passes. */
export function failureOfWrite(name: string, error: unknown): PagemarkError {
  return failureOf(name, error, isPassing(error as Failed) ? "SOURCE_BUSY" : "SOURCE_REFUSED");
}

/** Waits for an answer: D1 can neither be stopped nor told how long to take. */
export async function withinPatience<T>(
  answer: Promise<T>,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let stop: (() => void) | undefined;
  const end = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`D1 did not answer for ${timeoutMs / 1000} s`)), timeoutMs);
    stop = () => reject(signal?.reason);
    signal?.addEventListener("abort", stop);
  });
  try {
    return await Promise.race([answer, end]);
  } finally {
    clearTimeout(timer);
    if (stop) signal?.removeEventListener("abort", stop);
  }
}
