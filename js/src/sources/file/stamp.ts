import { statSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { SourceIdentity } from "../source.ts";
import { busy } from "./errors.ts";

/** File times move in steps of a few milliseconds: two writes within a step look like one. */
const STEP_MS = 20;

const ABSENT = "absent";

/** A stamp that changes with a file's content, as far as that shows without reading. A missing file has a stamp, too. */
export function stampOf(path: string): string {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
  if (!stat) return ABSENT;
  const { dev, ino, size, mtimeNs, ctimeNs } = stat;
  return [dev, ino, size, mtimeNs, ctimeNs].join(":");
}

/** When a file was changed last, its content or what the system notes of it, in milliseconds since 1970. */
export function changedMsOf(path: string): number | undefined {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat && Math.max(stat.mtimeMs, stat.ctimeMs);
}

/** Tells the file at a real path from others. The device is not in it: its number may change when the machine restarts. */
export function identityOf(path: string): SourceIdentity {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
  // Where the file system keeps no time of creation, another file may get the inode.
  if (!stat?.birthtimeNs) return { place: path };
  return {
    place: path,
    file: `${stat.ino}:${stat.birthtimeNs}`,
    bornMs: Number(stat.birthtimeNs / 1_000_000n),
  };
}

export function isAbsent(stamp: string): boolean {
  return stamp === ABSENT;
}

/** Stamps of files, taken when none was written just now: so the next write changes them. */
export async function settledStamps(
  paths: string[],
  waitMs: number,
  signal?: AbortSignal,
): Promise<string[]> {
  const deadline = Date.now() + waitMs;
  while (paths.some(wasJustWritten)) {
    signal?.throwIfAborted();
    if (Date.now() > deadline) throw busy(paths[0] ?? "", waitMs);
    await sleep(STEP_MS);
  }
  return paths.map(stampOf);
}

function wasJustWritten(path: string): boolean {
  const stat = statSync(path, { throwIfNoEntry: false });
  const age = stat ? Date.now() - stat.mtimeMs : Number.POSITIVE_INFINITY;
  // A time far in the future comes from a wrong clock, and waiting would not help.
  return age < STEP_MS && age > -1000;
}
