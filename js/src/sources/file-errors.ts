import { SourceError } from "../errors/index.ts";

/** What the file system said, as an error that says what to do. */
export function fileError(path: string, cause: unknown): SourceError {
  const { code } = cause as { code?: string };
  const at = { name: path };
  switch (code) {
    case "ENOENT":
    case "ENOTDIR":
      return new SourceError("SOURCE_MISSING", `${path}: there is no such file; check the path`, at, {
        cause,
      });
    case "EACCES":
    case "EPERM":
      return new SourceError("SOURCE_DENIED", `${path} may not be read; check its permissions`, at, {
        cause,
      });
    case "EISDIR":
      return notAFile(path);
    case "ENOSPC":
    case "EDQUOT":
      return new SourceError("SOURCE_FULL", `no space is left for ${path}; free some and try again`, at, {
        cause,
      });
    case "EROFS":
      return new SourceError("SOURCE_READ_ONLY", `${path} is on a read-only file system`, at, { cause });
    case "ENAMETOOLONG":
      return new SourceError("SOURCE_MISSING", `${path.slice(0, 80)}…: the path is too long`, at, { cause });
    default:
      return new SourceError("SOURCE_IO", `${path}: ${(cause as Error).message}`, at, { cause });
  }
}

export function notAFile(path: string): SourceError {
  return new SourceError("SOURCE_NOT_A_FILE", `${path} is not a file; give the database file itself`, {
    name: path,
  });
}

export function changed(path: string): SourceError {
  const message = `${path} was changed while it was read; try again when nobody writes to it`;
  return new SourceError("SOURCE_CHANGED", message, { name: path });
}
