import { type FileHandle, mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SourceError } from "../errors/index.ts";
import type { OpenDatabase } from "./file-database.ts";
import { fileError, systemCode } from "./file-errors.ts";
import { readFully } from "./file-handle.ts";
import { FileMoment, type Pages } from "./file-moment.ts";
import type { Reader } from "./file-reader.ts";
import type { Moment } from "./source.ts";

/** In bytes. */
const CHUNK = 1 << 20;

/**
 * A moment in a private copy, of a database in rollback mode that others write to without pause: copied as it stands,
 * torn as that may be; then, under one short lock, compared with the original and mended where that has moved on.
 *
 * Not with `fs.copyFile`, which closes a descriptor of the database: see {@link LockableFile}.
 */
export async function pinCopy(
  database: OpenDatabase,
  reader: Reader,
  signal: AbortSignal | undefined,
): Promise<Moment | undefined> {
  const copy = await Temporary.create();
  try {
    await copyAll(database, copy.handle, signal);
    await reader.begin(signal);
    const pages = database.isAsOpened() && (await mend(database, copy.handle, signal));
    const hasHeld = await reader.close();
    if (!pages || !hasHeld) {
      await copy.remove();
      return undefined;
    }
    database.main.close();
    return new FileMoment(pages, { taken: "end", release: () => copy.remove() });
  } catch (error) {
    await copy.remove();
    throw error;
  }
}

/** Copies without a lock; one chunk is written while the next is read. */
async function copyAll(
  { main }: OpenDatabase,
  copy: FileHandle,
  signal: AbortSignal | undefined,
): Promise<void> {
  let [chunk, written] = [new Uint8Array(CHUNK), new Uint8Array(CHUNK)];
  let writing: Promise<void> = Promise.resolve();
  for (let position = 0; ; position += CHUNK) {
    const [count] = await Promise.all([main.read(chunk, position), writing]);
    signal?.throwIfAborted();
    if (count === 0) return;
    writing = write(copy, chunk.subarray(0, count), position);
    // Thrown at the next turn, or here below.
    writing.catch(() => {});
    [chunk, written] = [written, chunk];
    if (count < CHUNK) return writing;
  }
}

/** Makes the copy equal to the original, which is locked. */
async function mend(
  database: OpenDatabase,
  copy: FileHandle,
  signal: AbortSignal | undefined,
): Promise<Pages> {
  const { main, path, pageSize } = database;
  const [original, copied] = [Buffer.allocUnsafe(CHUNK), Buffer.allocUnsafe(CHUNK)];
  const { size } = main;
  for (let position = 0; position < size; position += CHUNK) {
    signal?.throwIfAborted();
    const counts = await Promise.all([main.read(original, position), readFully(copy.fd, copied, position)]);
    const [wanted, found] = [original.subarray(0, counts[0]), copied.subarray(0, counts[1])];
    if (!wanted.equals(found)) await write(copy, wanted, position);
  }
  return {
    path,
    pageSize,
    pageCount: database.pagesInMain(),
    main: { read: (into, position) => readFully(copy.fd, into, position) },
    mainPages: database.wholePages,
  };
}

async function write(copy: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  try {
    for (let at = 0; at < bytes.length; ) {
      at += (await copy.write(bytes, at, bytes.length - at, position + at)).bytesWritten;
    }
  } catch (error) {
    throw temporaryError(error);
  }
}

/** A file that is gone when it is closed, whatever happens. */
class Temporary {
  readonly handle: FileHandle;
  readonly #folder: string;

  static async create(): Promise<Temporary> {
    try {
      const folder = await mkdtemp(join(tmpdir(), "pagemark-"));
      const copy = new Temporary(await open(join(folder, "copy.db"), "wx+", 0o600), folder);
      // The open file keeps its bytes without a name, but not on Windows.
      await copy.#removeFolder().catch(() => {});
      return copy;
    } catch (error) {
      throw temporaryError(error);
    }
  }

  private constructor(handle: FileHandle, folder: string) {
    this.handle = handle;
    this.#folder = folder;
  }

  async remove(): Promise<void> {
    await this.handle.close();
    await this.#removeFolder();
  }

  #removeFolder(): Promise<void> {
    return rm(this.#folder, { recursive: true, force: true });
  }
}

function temporaryError(error: unknown): unknown {
  if (!["ENOSPC", "EDQUOT", "EFBIG"].includes(systemCode(error) ?? "")) return fileError(error, tmpdir());
  const folder = tmpdir();
  const message = `${folder}: no space for a private copy of the database; free some, or set TMPDIR to another folder`;
  return new SourceError("SOURCE_TEMP_FULL", message, { name: folder }, { cause: error });
}
