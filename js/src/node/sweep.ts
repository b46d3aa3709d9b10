// Temporary files: their names, and what becomes of those that somebody who was killed has left.
import { unlinkSync } from "node:fs";
import { opendir, stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import { systemCode } from "./errno.ts";
import { isAbandoned } from "./process-tag.ts";

/** What nobody has touched for so long is nobody's: of processes of other machines, only the age tells. */
const DAY_MS = 86_400_000;

/** Temporary files of this process that are there now. */
const present = new Set<string>();
let isWatching = false;

/** Has a temporary file removed when the process ends by itself, in the middle of a job. */
export function willRemove(path: string): void {
  present.add(path);
  if (isWatching) return;
  isWatching = true;
  process.on("exit", removeAllNow);
}

/** Removes every temporary file of this process: it is about to end. */
export function removeAllNow(): void {
  for (const path of present) {
    try {
      unlinkSync(path);
    } catch {
      // It is gone, or the next run's.
    }
  }
}

/** A temporary file has another name now, or none. */
export function isGone(path: string): void {
  present.delete(path);
}

/** Removes a temporary file. */
export async function removeTemporary(path: string): Promise<void> {
  try {
    await unlink(path);
    isGone(path);
  } catch (error) {
    // What cannot be removed now is a nuisance at most, and the next run's.
    if (systemCode(error) === "ENOENT") isGone(path);
  }
}

export interface Swept {
  /** The part of a temporary file's name that names its process; nothing for another file. */
  tagOf(name: string): string | undefined;
  /** When a file was last touched, in milliseconds since 1970; missing for when it was last written. */
  touched?: "ctimeMs";
}

/** Removes what processes that have ended left in `folder`. What cannot be looked at or removed now stays. */
export async function sweepFolder(folder: string, { tagOf, touched }: Swept): Promise<void> {
  try {
    for await (const { name } of await opendir(folder)) {
      const tag = tagOf(name);
      if (tag === undefined) continue;
      const path = join(folder, name);
      if (isAbandoned(tag) || (await isOld(path, touched ?? "mtimeMs"))) await unlink(path).catch(() => {});
    }
  } catch {
    // If it matters, it comes up when something is written there.
  }
}

async function isOld(path: string, touched: "mtimeMs" | "ctimeMs"): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found !== undefined && found[touched] < Date.now() - DAY_MS;
}
