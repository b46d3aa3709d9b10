// Temporary files and folders: removing those of this process, and those that killed processes left.
import { type Dirent, rmSync } from "node:fs";
import { lstat, opendir, rm, stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import { systemCode } from "./errno.ts";
import { isAbandoned } from "./process-tag.ts";

/** Files not touched for so long are abandoned. For processes of other machines only the age tells. */
const DAY_MS = 86_400_000;

/** Temporary files and folders of this process that are there now. */
const present = new Set<string>();
let isWatching = false;

/** Registers a temporary file or folder for removal when the process exits. */
export function willRemove(path: string): void {
  present.add(path);
  if (isWatching) return;
  isWatching = true;
  process.on("exit", removeAllNow);
}

/** Removes every temporary file and folder of this process, which is about to end. */
export function removeAllNow(): void {
  for (const path of present) {
    try {
      rmSync(path, { recursive: true, force: true });
    } catch {
      // The next run sweeps it.
    }
  }
}

/** Forgets what was renamed or removed. */
export function isGone(path: string): void {
  present.delete(path);
}

/** Removes a temporary file. */
export async function removeTemporary(path: string): Promise<void> {
  try {
    await unlink(path);
    isGone(path);
  } catch (error) {
    // If it cannot be removed now, the next run sweeps it.
    if (systemCode(error) === "ENOENT") isGone(path);
  }
}

/** Which files of a folder a sweep is about. */
export interface Swept {
  /** The part of a temporary file's name that names its process; nothing for another file. */
  tagOf(name: string): string | undefined;
  /** When a file was last touched, in milliseconds since 1970; missing for when it was last written. */
  touched?: "ctimeMs";
}

/** Removes what processes which have ended left in `folder`. What cannot be removed now stays. */
export async function sweepFolder(folder: string, { tagOf, touched }: Swept): Promise<void> {
  try {
    for await (const entry of await opendir(folder)) {
      const tag = tagOf(entry.name);
      if (tag === undefined) continue;
      const path = join(folder, entry.name);
      if (isAbandoned(tag) || (await isOld(path, touched ?? "mtimeMs")))
        await removeLeft(path, entry).catch(() => {});
    }
  } catch {
    // If it matters, it comes up when something is written there.
  }
}

/** Removes only folders of this user: in somebody else's, a link could take the place of what is about to be removed. */
async function removeLeft(path: string, entry: Dirent): Promise<void> {
  if (!entry.isDirectory()) return unlink(path);
  const { uid } = await lstat(path);
  if (uid === process.getuid?.()) await rm(path, { recursive: true, force: true });
}

async function isOld(path: string, touched: "mtimeMs" | "ctimeMs"): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found !== undefined && found[touched] < Date.now() - DAY_MS;
}
