// Errors as D1 throws them: a prefix says of what kind, the cause has the text without it. `code` and `at` are ours.
import type { WireFailure } from "./wire.ts";

/** SQLite's primary result codes, by their number. */
const NAMES = [
  "OK,ERROR,INTERNAL,PERM,ABORT,BUSY,LOCKED,NOMEM,READONLY,INTERRUPT,IOERR,CORRUPT,NOTFOUND,FULL,CANTOPEN",
  "PROTOCOL,EMPTY,SCHEMA,TOOBIG,CONSTRAINT,MISMATCH,MISUSE,NOLFS,AUTH,FORMAT,RANGE,NOTADB",
].flatMap((names) => names.split(","));
const CONSTRAINT = 19;
/** The extended codes of CONSTRAINT, by the number in their second byte. */
const CONSTRAINTS =
  ",CHECK,COMMITHOOK,FOREIGNKEY,FUNCTION,NOTNULL,PRIMARYKEY,TRIGGER,UNIQUE,VTAB,ROWID,PINNED,DATATYPE".split(
    ",",
  );

/** An error as D1 has it, with what is `ours` beside it. */
export function d1Error(prefix: string, text: string, ours: object, cause = text): Error {
  return Object.assign(new Error(`${prefix}: ${text}`, { cause: new Error(cause) }), ours);
}

/** A failure, as D1 throws it. */
export function failed(failure: WireFailure): Error {
  return d1Error("D1_ERROR", textOf(failure), ours(failure));
}

/** What the Worker said of a failure, in D1's words where D1 has some. */
export function textOf({ message, code, sqlite, at }: WireFailure): string {
  if (code === "ENGINE_PARAMETERS") return "Wrong number of parameter bindings for SQL query.";
  if (code === "STATEMENT_NONE") return `${message}.`;
  if (code === "STATEMENT_REFUSED") return `not authorized: ${message}: SQLITE_AUTH`;
  if (sqlite === undefined) return message;
  const name = NAMES[sqlite & 0xff] ?? `code ${sqlite}`;
  const detail = (sqlite & 0xff) === CONSTRAINT && CONSTRAINTS[sqlite >> 8];
  const extended = detail ? ` (extended: SQLITE_CONSTRAINT_${detail})` : "";
  const { offset } = (at ?? {}) as { offset?: number };
  return `${message}${offset === undefined ? "" : ` at offset ${offset}`}: SQLITE_${name}${extended}`;
}

/** What D1's errors do not have: the code to match on, and where the failure is. */
export function ours({ code, at, sqlite }: WireFailure): object {
  return { code, ...(at && { at }), ...(sqlite !== undefined && { sqlite }) };
}
