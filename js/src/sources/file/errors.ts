import { SourceError } from "../../errors/index.ts";
import { type Doing, faultOf } from "../../node/errno.ts";

/** Makes a SourceError, which says what to do, of a system error about the file or folder at `path`. Other errors pass. */
export function fileError(error: unknown, path: string, doing: Doing = "read"): unknown {
  const fault = faultOf(error, doing);
  if (!fault) return error;
  const { kind, meaning } = fault;
  // A NUL would cut the message off, in some places.
  const shown = path.includes("\0") ? JSON.stringify(path) : path;
  const name = kind === "too long" ? `${shown.slice(0, 80)}…` : shown;
  const text = kind === "no folder" && doing === "read" ? "there is no such file; check the path" : meaning;
  return new SourceError(CODES[kind], `${name}: ${text}`, { name: path }, { cause: error });
}

const CODES = {
  missing: "SOURCE_MISSING",
  folder: "SOURCE_NOT_A_FILE",
  "no folder": "SOURCE_MISSING",
  "too long": "SOURCE_MISSING",
  denied: "SOURCE_DENIED",
  "read-only": "SOURCE_READ_ONLY",
  full: "SOURCE_FULL",
  io: "SOURCE_UNREADABLE",
} as const;

export function notAFile(path: string): SourceError {
  const message = `${path}: is not a file; give the database file itself`;
  return new SourceError("SOURCE_NOT_A_FILE", message, { name: path });
}

export function noFolder(path: string): SourceError {
  const message = `${path}: there is no such folder; make it, or give another path`;
  return new SourceError("SOURCE_MISSING", message, { name: path });
}

/** The error for a database that another process changed while it was read. */
export function changed(path: string): SourceError {
  const message = `${path}: was changed while it was read; try again, preferably when nobody writes to it`;
  return new SourceError("SOURCE_CHANGED", message, { name: path });
}

export function busy(path: string, waitedMs: number, cause?: unknown): SourceError {
  const waited = `${path}: another process has kept it locked for ${waitedMs / 1000} s`;
  const message = `${waited}; let it end its transaction or its exclusive locking mode, then try again`;
  return new SourceError("SOURCE_BUSY", message, { name: path }, { cause });
}
