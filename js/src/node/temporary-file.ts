import { type FileHandle, mkdir, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SourceError } from "../errors/source-error.ts";
import { faultOf } from "./errno.ts";
import { readFully, writeFully } from "./fully.ts";
import { isTag, processTag } from "./process-tag.ts";
import { isGone, removeTemporary, sweepFolder, willRemove } from "./sweep.ts";

/** Beginning of the names of all files and folders that Pagemark puts into the folder for temporary files. */
const PREFIX = "pagemark-";

let swept: Promise<void> | undefined;

/**
 * A file in the folder for temporary files, which only its owner may read. It has no name: its bytes are gone when it is
 * closed, whatever happens. On Windows, which cannot do that, closing removes it.
 */
export class TemporaryFile {
  readonly #handle: FileHandle;
  readonly #path: string;

  /** @throws SourceError `SOURCE_TEMP_FULL` and others */
  static async create(): Promise<TemporaryFile> {
    const path = await temporaryPath();
    willRemove(path);
    try {
      const file = new TemporaryFile(await open(path, "wx+", 0o600), path);
      await removeTemporary(path);
      return file;
    } catch (error) {
      isGone(path);
      throw temporaryError(error, tmpdir());
    }
  }

  private constructor(handle: FileHandle, path: string) {
    this.#handle = handle;
    this.#path = path;
  }

  get fd(): number {
    return this.#handle.fd;
  }

  read(into: Uint8Array, position: number): Promise<number> {
    return readFully(this.fd, into, position);
  }

  /** Writes at `position`. @throws SourceError `SOURCE_TEMP_FULL` and others */
  async write(bytes: Uint8Array, position: number): Promise<void> {
    try {
      await writeFully(this.fd, bytes, position);
    } catch (error) {
      throw temporaryError(error, tmpdir());
    }
  }

  async close(): Promise<void> {
    await this.#handle.close();
    await removeTemporary(this.#path);
  }
}

/**
 * Makes a folder in the folder for temporary files, which only its owner may read. It is removed when the process ends; if
 * that is killed, by the next run.
 *
 * @throws SourceError `SOURCE_TEMP_FULL` and others
 */
export async function temporaryFolder(): Promise<string> {
  const path = await temporaryPath();
  willRemove(path);
  try {
    await mkdir(path, { mode: 0o700 });
    return path;
  } catch (error) {
    isGone(path);
    throw temporaryError(error, tmpdir());
  }
}

/** Removes what {@link temporaryFolder} made. */
export async function removeTemporaryFolder(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true });
  isGone(path);
}

async function temporaryPath(): Promise<string> {
  const folder = tmpdir();
  swept ??= sweepFolder(folder, { tagOf });
  await swept;
  return join(folder, PREFIX + processTag());
}

function tagOf(name: string): string | undefined {
  const tag = name.startsWith(PREFIX) ? name.slice(PREFIX.length) : "";
  return isTag(tag) ? tag : undefined;
}

/** What an error of the system in the folder for temporary files means. Other errors as they are. */
export function temporaryError(error: unknown, folder: string): unknown {
  const fault = faultOf(error, "write");
  if (!fault) return error;
  const of = (code: `SOURCE_${string}`, message: string) =>
    new SourceError(code, `${folder}: ${message}`, { name: folder }, { cause: error });
  const advice = "or set TMPDIR to another folder";
  switch (fault.kind) {
    case "full":
      return of("SOURCE_TEMP_FULL", `no space for a private copy of the database; free some, ${advice}`);
    case "missing":
    case "no folder":
      return of("SOURCE_MISSING", `there is no such folder for temporary files; make it, ${advice}`);
    case "denied":
      return of(
        "SOURCE_DENIED",
        `this user may not write into the folder for temporary files; change it, ${advice}`,
      );
    case "read-only":
      return of(
        "SOURCE_READ_ONLY",
        `the folder for temporary files is read-only; mount it for writing, ${advice}`,
      );
    default:
      return of("SOURCE_UNREADABLE", `cannot use the folder for temporary files: ${fault.meaning}`);
  }
}
