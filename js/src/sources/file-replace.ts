import { chmod, chown, type FileHandle, open, readdir, rename, stat, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { core, translateCoreError } from "../core/index.ts";
import { fileError, notAFile } from "./file-errors.ts";
import { realPath } from "./file-handle.ts";
import { syncFolder, takeOver } from "./file-takeover.ts";
import type { ReplaceOptions } from "./source.ts";

/** A temporary file that was last written this long ago was left by a crash. */
const LEFTOVER_MS = 3_600_000;
/** In bytes: so often the disk is set to work while more comes in, which leaves little for the end to wait for. */
const FLUSH = 16 << 20;

/**
 * Writes the database in `body` beside `path`, and gives it its name in one step once all of it is on the disk and the
 * old database is out of use. Killed anywhere, what is there is the old database or the new.
 */
export async function replaceFile(
  path: string,
  body: ReadableStream<Uint8Array>,
  { signal, ownsChunks = false }: ReplaceOptions = {},
): Promise<void> {
  let temporary: string | undefined;
  try {
    const target = realPath(path, "or where it will be");
    const beside = `.${basename(target)}.pagemark-`;
    await removeLeftovers(dirname(target), beside);
    temporary = join(dirname(target), beside + crypto.randomUUID().slice(0, 8));
    const old = await stat(target).catch(() => undefined);
    if (old && !old.isFile()) throw notAFile(path);
    // What replaces a file may not be read by more people than the file, not even while it is made.
    const file = await open(temporary, "wx+", old ? 0o600 : 0o666);
    const flusher = new Flusher(file);
    try {
      await body.pipeTo(
        new WritableStream(writingTo(file, flusher, ownsChunks), { highWaterMark: ownsChunks ? 2 : 1 }),
        {
          ...(signal && { signal }),
        },
      );
      await flusher.finish();
      await checkHeader(file, path);
      if (old) await takeAfter(file, temporary, old);
      await file.sync();
    } finally {
      await flusher.finish().catch(() => {}); // else the number of the file could be another's by then
      await file.close();
    }
    signal?.throwIfAborted();
    const taken = await takeOver(target, signal);
    try {
      await rename(temporary, target);
      await syncFolder(dirname(target));
    } finally {
      taken.close();
    }
  } catch (error) {
    await body.cancel(error).catch(() => {});
    if (temporary !== undefined) await unlink(temporary).catch(() => {});
    throw fileError(error, path);
  }
}

/** Has what was written brought to the disk while more is written. */
class Flusher {
  readonly #file: FileHandle;
  #unflushed = 0;
  #flushing: Promise<void> | undefined;
  /** The system reports a failed write to one flush only, so it must not be lost. */
  #failure: { error: unknown } | undefined;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  wrote(bytes: number): void {
    this.#unflushed += bytes;
    if (this.#unflushed < FLUSH || this.#flushing !== undefined) return;
    this.#unflushed = 0;
    this.#flushing = this.#file
      .datasync()
      .catch((error) => {
        this.#failure ??= { error };
      })
      .then(() => {
        this.#flushing = undefined;
      });
  }

  /** Waits for the flush under way. @throws what any of them failed with */
  async finish(): Promise<void> {
    await this.#flushing;
    if (this.#failure) throw this.#failure.error;
  }
}

function writingTo(file: FileHandle, flusher: Flusher, ownsChunks: boolean): UnderlyingSink<Uint8Array> {
  return {
    async write(chunk) {
      for (let at = 0; at < chunk.length; ) {
        const { bytesWritten } = await file.write(chunk, at, chunk.length - at);
        at += bytesWritten;
      }
      flusher.wrote(chunk.length);
      // The garbage collector would let hundreds of megabytes pile up.
      if (ownsChunks) (chunk.buffer as ArrayBuffer).transfer(0);
    },
  };
}

/** Whatever is put in a database's place is a database. */
async function checkHeader(file: FileHandle, path: string): Promise<void> {
  const { DatabaseHeader } = await core();
  const start = new Uint8Array(512);
  const { bytesRead } = await file.read(start, 0, start.length, 0);
  try {
    DatabaseHeader.parse(start.subarray(0, bytesRead)).free();
  } catch (error) {
    throw translateCoreError(error, path);
  }
}

/** Gives the new file the owner and the permissions of the old one. */
async function takeAfter(file: FileHandle, path: string, old: { mode: number; uid: number; gid: number }) {
  // Only root may give a file away; others keep their own.
  await chown(path, old.uid, old.gid).catch(() => {});
  // Some file systems have no permissions.
  await chmod(path, old.mode & 0o777).catch(() => {});
  await file.datasync();
}

async function removeLeftovers(folder: string, prefix: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!name.startsWith(prefix)) continue;
    const path = join(folder, name);
    const found = await stat(path).catch(() => undefined);
    if (found && Date.now() - found.mtimeMs > LEFTOVER_MS) await unlink(path).catch(() => {});
  }
}
