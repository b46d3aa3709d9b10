import { type FileHandle, mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SourceError } from "../errors/index.ts";
import { fileError, systemCode } from "./file-errors.ts";
import { type Bytes, readFully } from "./file-handle.ts";

/** A file that is gone when it is closed, whatever happens. */
export class Temporary implements Bytes {
  readonly #handle: FileHandle;
  readonly #folder: string;

  /** @throws SourceError `SOURCE_TEMP_FULL` and others */
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
    this.#handle = handle;
    this.#folder = folder;
  }

  get fd(): number {
    return this.#handle.fd;
  }

  read(into: Uint8Array, position: number): Promise<number> {
    return readFully(this.#handle.fd, into, position);
  }

  /** @throws SourceError `SOURCE_TEMP_FULL` and others */
  async write(bytes: Uint8Array, position: number): Promise<void> {
    try {
      for (let at = 0; at < bytes.length; ) {
        at += (await this.#handle.write(bytes, at, bytes.length - at, position + at)).bytesWritten;
      }
    } catch (error) {
      throw temporaryError(error);
    }
  }

  async remove(): Promise<void> {
    await this.#handle.close();
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
