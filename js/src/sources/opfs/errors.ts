import { SourceError } from "../../errors/index.ts";
import { faultOf, type Kind } from "../../opfs/faults.ts";

const CODES: Readonly<Record<Kind, `SOURCE_${string}`>> = {
  missing: "SOURCE_MISSING",
  "not a file": "SOURCE_NOT_A_FILE",
  held: "SOURCE_IN_USE",
  full: "SOURCE_FULL",
  denied: "SOURCE_DENIED",
  changed: "SOURCE_CHANGED",
  io: "SOURCE_UNREADABLE",
};

/**
 * Makes a SourceError, which says what to do, of an error of the browser's file system. Other errors pass; where the
 * caller has ended the work by `signal`, its reason. `more` is said, too.
 */
export function opfsError(error: unknown, path: string, signal?: AbortSignal, more = ""): unknown {
  if (signal?.aborted) return signal.reason;
  const fault = faultOf(error);
  if (!fault) return error;
  return new SourceError(
    CODES[fault.kind],
    `${path}: ${fault.meaning}${more}`,
    { name: path },
    { cause: error },
  );
}

export function missing(path: string): SourceError {
  const message = `${path}: there is no such database; opfsDatabases() lists what there is`;
  return new SourceError("SOURCE_MISSING", message, { name: path });
}

export function changed(path: string, cause?: unknown): SourceError {
  const message = `${path}: was changed while it was read; try again, preferably when nobody writes to it`;
  return new SourceError("SOURCE_CHANGED", message, { name: path }, { cause });
}

/** The error for a database whose writers left no time to read it. `holders` says who they are, as far as that shows. */
export function busy(path: string, waitedMs: number, holders: readonly string[]): SourceError {
  const by = holders.length > 0 ? ` (${holders.join(", ")})` : "";
  const waited = `${path}: others${by} have not left it alone for ${waitedMs / 1000} s`;
  const message = `${waited}; let them pause, or give a longer busyTimeoutMs`;
  return new SourceError("SOURCE_BUSY", message, { name: path });
}

export function inUse(path: string, user: string): SourceError {
  const message = `${path}: ${user} is using it; close it there, then try again. Nothing was changed`;
  return new SourceError("SOURCE_IN_USE", message, { name: path });
}

/** Whether the database was written, or a file beside it deleted, since it was looked at. */
export function isChange(error: unknown): boolean {
  const kind = faultOf(error)?.kind;
  if (kind === "changed" || kind === "missing") return true;
  return error instanceof Error && "code" in error && error.code === "SOURCE_CHANGED";
}
