// What becomes of a command that is asked to end: it stops at its next step, cleans up, and says by its exit code why.
import { PagemarkError } from "../errors/index.ts";
import { removeAllNow } from "../node/sweep.ts";
import { isWriting } from "./standard-output.ts";

/** Ctrl-C, `kill` and `timeout`, and the end of the terminal; 128 and the signal's number are what shells say, too. */
const EXIT_CODES = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;
type Signal = keyof typeof EXIT_CODES;
const SIGNALS = Object.keys(EXIT_CODES) as Signal[];

/** How long a command may take to stop, in milliseconds: a network file system may never answer. */
const PATIENCE_MS = 10_000;

const stopping = new AbortController();
let received: Signal | undefined;

/** Aborted once the command is asked to end. */
export const interrupt: AbortSignal = stopping.signal;

/** To call once, at the start. */
export function heedSignals(): void {
  for (const signal of SIGNALS) process.on(signal, heed);
}

function heed(signal: Signal): void {
  // Whoever asks again will not wait.
  if (received !== undefined) leave(signal);
  received = signal;
  stopping.abort(new PagemarkError("CANCELED", "canceled; nothing half-done is left"));
  setTimeout(() => leave(signal), PATIENCE_MS).unref();
}

/**
 * Runs `work`, which keeps everything else waiting: no signal would be heard, so each ends the process at once, as is its
 * way. Only while there is nothing to clean up.
 */
export function blocking<T>(work: () => T): T {
  for (const signal of SIGNALS) process.off(signal, heed);
  try {
    return work();
  } finally {
    heedSignals();
  }
}

/** Ends the process, if it was asked to; to call when the command has stopped. */
export function leaveIfAsked(): void {
  if (received === undefined) return;
  if (isWriting()) leave(received);
  process.exit(EXIT_CODES[received]);
}

/** At once: to exit in the usual way would wait for reads and writes that may never end. */
function leave(signal: Signal): void {
  removeAllNow();
  for (const each of SIGNALS) process.off(each, heed);
  process.kill(process.pid, signal);
}
