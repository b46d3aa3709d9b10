import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SourceError } from "../errors/index.ts";
import { fileError } from "./file-errors.ts";
import { FilePages } from "./file-pages.ts";

const CHUNK = 1 << 20;

/**
 * A private copy of a database that others write to without pause: copied as it stands, torn as that may be; then,
 * under one short lock, compared with the original, and mended where that has moved on.
 *
 * `locked` runs its argument under the lock.
 */
export async function privateCopy(
  pages: FilePages,
  locked: <T>(work: () => Promise<T>) => Promise<T>,
  signal: AbortSignal | undefined,
): Promise<FilePages> {
  const folder = await mkdtemp(join(tmpdir(), "pagemark-"));
  try {
    const path = join(folder, "copy.db");
    await copyThrough(pages, path, signal);
    await locked(() => mend(pages, path, signal));
    return new FilePages(path);
  } catch (cause) {
    const { code } = cause as { code?: string };
    if (code !== "ENOSPC" && code !== "EDQUOT")
      throw cause instanceof SourceError ? cause : toSourceError(pages.path, cause);
    const message = `no space for a temporary copy of ${pages.path} in ${tmpdir()}; free some, or set TMPDIR to another folder`;
    throw new SourceError("SOURCE_TEMP_FULL", message, { name: tmpdir() }, { cause });
  } finally {
    // The open file keeps its bytes; the name goes now, so that nothing is left whatever happens.
    await rm(folder, { recursive: true, force: true });
  }
}

function toSourceError(path: string, cause: unknown): unknown {
  return (cause as { syscall?: string }).syscall ? fileError(path, cause) : cause;
}

/** Through our own descriptor: copyFile would open the database and close it, which drops SQLite's locks. */
async function copyThrough(pages: FilePages, path: string, signal: AbortSignal | undefined): Promise<void> {
  const copy = await open(path, "wx", 0o600);
  const chunk = new Uint8Array(CHUNK);
  try {
    for (let at = 0; ; at += CHUNK) {
      signal?.throwIfAborted();
      const length = await pages.main.read(chunk, at);
      await copy.write(chunk, 0, length, at);
      if (length < CHUNK) break;
    }
  } finally {
    await copy.close();
  }
}

/** Makes the copy equal to the original, chunk by chunk. */
async function mend(pages: FilePages, path: string, signal: AbortSignal | undefined): Promise<void> {
  const copy = await open(path, "r+");
  const [original, copied] = [Buffer.allocUnsafe(CHUNK), Buffer.allocUnsafe(CHUNK)];
  try {
    const { size } = pages.main;
    for (let at = 0; at < size; at += CHUNK) {
      signal?.throwIfAborted();
      const [length, copiedLength] = await Promise.all([
        pages.main.read(original, at),
        pages.readSide(copy, copied, at),
      ]);
      const wanted = original.subarray(0, length);
      if (!wanted.equals(copied.subarray(0, copiedLength))) await copy.write(wanted, 0, length, at);
    }
    await copy.truncate(size);
  } finally {
    await copy.close();
  }
}
