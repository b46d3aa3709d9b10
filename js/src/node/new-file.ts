import { type FileHandle, open } from "node:fs/promises";
import { systemCode } from "./errno.ts";
import { writeFully } from "./fully.ts";
import { isGone, removeTemporary, willRemove } from "./sweep.ts";

/** The file is flushed to the disk after so many bytes, so that there is little to wait for at the end. */
const FLUSH = 16 << 20;

/**
 * A file that is written under a temporary name. It is on the disk before it gets its own name, and is removed if it never
 * does. Errors are the system's.
 */
export class NewFile {
  readonly path: string;
  readonly handle: FileHandle;
  /** In bytes, so far. */
  size = 0;
  #unflushed = 0;
  #flushing: Promise<void> | undefined;
  /** The system reports a failed write to one flush only, so it must not be lost. */
  #failure: { error: unknown } | undefined;
  #isClosed = false;
  #isNamed = false;

  static async create(path: string, mode: number): Promise<NewFile> {
    willRemove(path);
    try {
      return new NewFile(path, await open(path, "wx+", mode));
    } catch (error) {
      isGone(path);
      throw error;
    }
  }

  private constructor(path: string, handle: FileHandle) {
    this.path = path;
    this.handle = handle;
  }

  /** Appends `bytes`. */
  async write(bytes: Uint8Array): Promise<void> {
    await writeFully(this.handle, bytes);
    this.size += bytes.length;
    this.#unflushed += bytes.length;
    if (this.#unflushed >= FLUSH && this.#flushing === undefined) this.#flush();
  }

  /** Flushes the file to the disk, with `time` as its modification time, and closes it. */
  async finish(time?: Date): Promise<void> {
    await this.#flushing;
    if (this.#failure) throw this.#failure.error;
    if (time) await setTime(this.handle, time);
    // `datasync` would not keep the time.
    await this.handle.sync();
    await this.#close();
  }

  /** Closes it, and removes it unless it was renamed. Idempotent. */
  async end(): Promise<void> {
    await this.#close().catch(() => {});
    if (!this.#isNamed) await removeTemporary(this.path);
  }

  /** Call it when the file was renamed. */
  isNamed(): void {
    this.#isNamed = true;
    isGone(this.path);
  }

  #flush(): void {
    this.#unflushed = 0;
    this.#flushing = this.handle
      .datasync()
      .catch((error) => {
        this.#failure ??= { error };
      })
      .then(() => {
        this.#flushing = undefined;
      });
  }

  async #close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#flushing; // else the number of the file could be another's by then
    await this.handle.close();
  }
}

/** Sets a file's time, with half a microsecond more: seconds in floating point end up to a microsecond short. */
export async function setTime(file: FileHandle, time: Date): Promise<void> {
  const seconds = (time.getTime() + 0.0005) / 1000;
  await file.utimes(seconds, seconds);
}

/** Errors of systems that cannot sync a folder, and need not (Windows, some network mounts). EACCES: it may not be read. */
const CANNOT_SYNC = new Set(["EACCES", "EINVAL", "EISDIR", "ENOTSUP", "EOPNOTSUPP", "EPERM"]);

/** Makes the names in a folder outlast a power cut, those that `change` makes there included. */
export async function syncFolder(folder: string, change?: () => Promise<void>): Promise<void> {
  // First: with too many files open, say, nothing is changed.
  const handle = await open(folder, "r").catch(unlessItCannot);
  try {
    await change?.();
    await handle?.sync().catch(unlessItCannot);
  } finally {
    await handle?.close();
  }
}

function unlessItCannot(error: unknown): undefined {
  if (!CANNOT_SYNC.has(systemCode(error) ?? "")) throw error;
}
