import { setTimeout as sleep } from "node:timers/promises";
import { busy } from "./errors.ts";

export type Sqlite = typeof import("node:sqlite");

/** The runtime's own SQLite, for its locks; `undefined` where there is none. */
export function sqlite(): Sqlite | undefined {
  const { emitWarning } = process;
  // Loading it warns once that it is experimental. Nothing else can warn meanwhile, because nothing waits here.
  process.emitWarning = ((warning: string | Error, ...rest: unknown[]) => {
    if (String(warning).startsWith("SQLite is an experimental feature")) return;
    Reflect.apply(emitWarning, process, [warning, ...rest]);
  }) as typeof emitWarning;
  try {
    return process.getBuiltinModule?.("node:sqlite");
  } catch {
    return undefined;
  } finally {
    process.emitWarning = emitWarning;
  }
}

/** Result codes of SQLite (https://www.sqlite.org/rescode.html). */
const ERROR = 1;
const BUSY = 5;
const CORRUPT = 11;
const PROTOCOL = 15;
const NOTADB = 26;

/** SQLite's primary result code, if `error` is an error of SQLite. */
export function resultCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("errcode" in error) || typeof error.errcode !== "number")
    return undefined;
  return error.errcode & 0xff;
}

/** Whether another connection is in the way. PROTOCOL: too many were, for ten seconds, at the start of a WAL. */
export function isBusy(error: unknown): boolean {
  return [BUSY, PROTOCOL].includes(resultCode(error) ?? 0);
}

/** Whether the file is no database that SQLite can open. ERROR: of a format that it does not know, or a damaged header says so. */
export function isNoDatabase(error: unknown): boolean {
  return [ERROR, CORRUPT, NOTADB].includes(resultCode(error) ?? 0);
}

/**
 * Runs `attempt` until no other connection is in the way, without blocking the event loop, with a `pause` between two attempts.
 *
 * @throws SourceError `SOURCE_BUSY` after `waitMs`
 */
export async function whenFree(
  path: string,
  waitMs: number,
  signal: AbortSignal | undefined,
  attempt: () => void | Promise<void>,
  pause: () => Promise<unknown> = outOfStep,
): Promise<void> {
  const deadline = performance.now() + waitMs;
  for (;;) {
    signal?.throwIfAborted();
    try {
      return await attempt();
    } catch (error) {
      if (!isBusy(error)) throw error;
      if (performance.now() >= deadline) throw busy(path, waitMs, error);
    }
    await pause();
  }
}

/** Waits for a random time, so as not to keep step with a writer that commits at regular intervals. */
function outOfStep(): Promise<void> {
  return sleep(1 + 4 * Math.random());
}
