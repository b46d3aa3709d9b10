// Ending a command by a signal: it stops at its next step, cleans up, and its exit code says why.
import { PagemarkError } from "../errors/index.ts";
import { removeAllNow } from "../node/sweep.ts";
import { isWriting } from "./standard-output.ts";

/** Exit codes for Ctrl-C, `kill` or `timeout`, and the end of the terminal: as in shells, 128 and the signal's number. */
const EXIT_CODES = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;
type Signal = keyof typeof EXIT_CODES;
const SIGNALS = Object.keys(EXIT_CODES) as Signal[];

/** How long a command may take to stop, in milliseconds; a network file system may never answer. */
const PATIENCE_MS = 10_000;

const stopping = new AbortController();
let received: Signal | undefined;

/** Aborts when a signal asks the command to end. */
export const interrupt: AbortSignal = stopping.signal;

/** Listens to the signals. Call it once, at the start. */
export function heedSignals(): void {
  for (const signal of SIGNALS) process.on(signal, heed);
}

/** Has `stop` called when a signal asks the command to end, rather than what ends other commands. */
export function stopOnSignals(stop: (signal: Signal) => void): void {
  for (const signal of SIGNALS) {
    process.off(signal, heed);
    process.on(signal, stop);
  }
}

/**
 * Runs `work`, which waits for a command of the user's: a signal goes on to that, and what comes after it is still done. The exit
 * code is the signal's then.
 */
export async function passingOn<T>(to: (signal: Signal) => void, work: () => Promise<T>): Promise<T> {
  const pass = (signal: Signal) => {
    received ??= signal;
    // A terminal gives Ctrl-C to every process in it, and a second one means: now.
    if (signal !== "SIGINT" || !process.stdin.isTTY) to(signal);
  };
  for (const signal of SIGNALS) {
    process.off(signal, heed);
    process.on(signal, pass);
  }
  try {
    return await work();
  } finally {
    for (const signal of SIGNALS) process.off(signal, pass);
    heedSignals();
  }
}

function heed(signal: Signal): void {
  // A second signal means: now.
  if (received !== undefined) leave(signal);
  received = signal;
  stopping.abort(new PagemarkError("CANCELED", "canceled; nothing half-done is left"));
  setTimeout(() => leave(signal), PATIENCE_MS).unref();
}

/**
 * Runs `work`, which blocks the event loop. No handler would run meanwhile, so a signal ends the process at once, as it
 * does by default. Use it only while there is nothing to clean up.
 */
export function blocking<T>(work: () => T): T {
  for (const signal of SIGNALS) process.off(signal, heed);
  try {
    return work();
  } finally {
    heedSignals();
  }
}

/** Ends the process if a signal came. Call it when the command has stopped. */
export function leaveIfAsked(): void {
  if (received === undefined) return;
  if (isWriting()) leave(received);
  process.exit(EXIT_CODES[received]);
}

/** Ends the process at once: an ordinary exit waits for reads and writes that may never end. */
function leave(signal: Signal): void {
  removeAllNow();
  for (const each of SIGNALS) process.off(each, heed);
  process.kill(process.pid, signal);
}
