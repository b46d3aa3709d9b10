import { SourceError } from "../errors/index.ts";

/** What an error of `node:fs` about the file or folder at `path` means, and what to do. Other errors as they are. */
export function fileError(error: unknown, path: string): unknown {
  const code = systemCode(error);
  const source = (code: `SOURCE_${string}`, message: string) =>
    new SourceError(code, message, { name: path }, { cause: error });
  switch (code) {
    case undefined:
      return error;
    case "ENOENT":
    case "ENOTDIR":
      return source("SOURCE_MISSING", `${path}: there is no such file; check the path`);
    case "ENAMETOOLONG":
      return source("SOURCE_MISSING", `${path.slice(0, 80)}…: the path is too long for a file; check it`);
    case "ERR_INVALID_ARG_VALUE":
      return source("SOURCE_MISSING", `${JSON.stringify(path)}: no path has a NUL in it; check it`);
    case "ELOOP":
      return source("SOURCE_MISSING", `${path}: its links lead in a circle; check the path`);
    case "EISDIR":
      return notAFile(path);
    case "EACCES":
    case "EPERM":
      return source("SOURCE_DENIED", `${path}: permission denied; check who may read it and its folder`);
    case "EROFS":
      return source("SOURCE_READ_ONLY", `${path}: is on a read-only file system`);
    case "ENOSPC":
    case "EDQUOT":
    case "EFBIG":
      return source("SOURCE_FULL", `${path}: no space is left for it; free some and try again`);
    default:
      return source("SOURCE_UNREADABLE", `${path}: ${(error as Error).message}; check the disk`);
  }
}

export function notAFile(path: string): SourceError {
  const message = `${path}: is not a file; give the database file itself`;
  return new SourceError("SOURCE_NOT_A_FILE", message, { name: path });
}

export function noFolder(path: string): SourceError {
  const message = `${path}: there is no such folder; make it, or give another path`;
  return new SourceError("SOURCE_MISSING", message, { name: path });
}

/** Another process changed the database while it was read without a lock, or between two. */
export function changed(path: string): SourceError {
  const message = `${path}: was changed while it was read; try again, best when nobody writes to it`;
  return new SourceError("SOURCE_CHANGED", message, { name: path });
}

export function busy(path: string, waitedMs: number, cause?: unknown): SourceError {
  const waited = `${path}: another process has kept it locked for ${waitedMs / 1000} s`;
  const message = `${waited}; let it end its transaction or its exclusive locking mode, then try again`;
  return new SourceError("SOURCE_BUSY", message, { name: path }, { cause });
}

/** The code of an error of the file system, such as `ENOENT`. */
export function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "string") return undefined;
  return "syscall" in error || error.code === "ERR_INVALID_ARG_VALUE" ? error.code : undefined;
}
