import { StoreError } from "../errors/store-error.ts";

type Doing = "read" | "list" | "write" | "delete";

const FULL = "STORE_FULL";
const READ_ONLY = "STORE_READ_ONLY";
const NOT_A_FOLDER = "STORE_NOT_A_FOLDER";
const NAME_TOO_LONG = "STORE_NAME_TOO_LONG";
const DENIED = "STORE_DENIED";
const IO = "STORE_IO";

/** What a system error means for a store, and what to do about it. */
const MEANINGS: Readonly<Record<string, readonly [code: `STORE_${string}`, meaning: string]>> = {
  ENOSPC: [FULL, "the disk is full; free some space, or use another folder"],
  EDQUOT: [FULL, "this user's share of the disk is full; free some space, or use another folder"],
  EFBIG: [FULL, "a file of this size is not allowed there; raise the limit, or use another file system"],
  EROFS: [READ_ONLY, "the file system is read-only; mount it for writing, or use another folder"],
  EACCES: [
    READ_ONLY,
    "this user may not write there; change the folder's owner or mode, or use another folder",
  ],
  EPERM: [
    READ_ONLY,
    "writing there is not permitted; change the folder's owner or mode, or use another folder",
  ],
  ENOTDIR: [NOT_A_FOLDER, "a file is where a folder must be; move it away, or use another folder"],
  ENAMETOOLONG: [
    NAME_TOO_LONG,
    "the file system takes shorter names only; shorten the name, or the folder's path",
  ],
  EMFILE: [IO, "too many files are open; close some, or raise the limit (ulimit -n)"],
  ENFILE: [IO, "too many files are open on this machine; close some"],
  EXDEV: [IO, "another file system is mounted inside the store; make that folder a store of its own"],
  EIO: [IO, "the disk reports a fault; check it, then try again"],
};

/** Met while reading, these say nothing about writing. */
const READING: typeof MEANINGS = {
  EACCES: [DENIED, "this user may not read it; change its owner or mode"],
  EPERM: [DENIED, "reading it is not permitted; change its owner or mode"],
};

/** The object cannot be there: what leads to it is missing, no folder, a link, a socket, or longer than any name. */
const ABSENT = new Set(["ENOENT", "ENOTDIR", "ELOOP", "ENXIO", "ENAMETOOLONG"]);

/** For `.catch()`: throws what the system reported as a StoreError, and anything else as it is. */
export function failed(doing: Doing, path: string): (cause: unknown) => never {
  return (cause) => {
    const system = systemCode(cause);
    if (system === undefined) throw cause;
    const reading = doing === "read" || doing === "list";
    const [code, meaning] = (reading ? READING[system] : undefined) ??
      MEANINGS[system] ?? [IO, `the system reports ${system}; see the cause`];
    throw new StoreError(
      code,
      `cannot ${doing} ${JSON.stringify(path)}: ${meaning}`,
      { name: path },
      { cause },
    );
  };
}

/** For `.catch()`: `undefined` when nothing can be there, otherwise as {@link failed}. */
export function absentOr(doing: Doing, path: string): (cause: unknown) => undefined {
  return (cause) => (isAbsent(cause) ? undefined : failed(doing, path)(cause));
}

export function isAbsent(error: unknown): boolean {
  return ABSENT.has(systemCode(error) ?? "");
}

/** Such as `ENOENT`; `undefined` for an error that is not the system's. */
export function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error && "syscall" in error && "code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

/** Something that is no folder, a symbolic link included, stands where a folder of the store must be. */
export function notAFolder(path: string, cause?: unknown): StoreError {
  const message = `cannot use ${JSON.stringify(path)}: it is not a folder; move it away, or use another folder`;
  return new StoreError(NOT_A_FOLDER, message, { name: path }, { cause });
}
