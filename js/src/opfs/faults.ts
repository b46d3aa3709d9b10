// What errors of the browser's file system mean to a user: the only place that knows.

export type Kind =
  | "missing"
  | "not a file"
  /** Someone has it open for writing, or all of its pool. */
  | "held"
  | "full"
  | "denied"
  /** It was written since it was opened. */
  | "changed"
  | "io";

export interface Fault {
  kind: Kind;
  /** What happened, and after a semicolon what to do. */
  meaning: string;
}

const FAULTS: Readonly<Record<string, readonly [Kind, string]>> = {
  NotFoundError: ["missing", "there is no such file; check the path (opfsDatabases() lists what there is)"],
  TypeMismatchError: [
    "not a file",
    "a folder is where a file must be, or the other way round; check the path",
  ],
  NoModificationAllowedError: [
    "held",
    "another tab or worker has it open; close it there, or pause its pool, then try again",
  ],
  QuotaExceededError: [
    "full",
    "the browser gives this origin no more room; delete something, or ask for more with navigator.storage.persist()",
  ],
  NotAllowedError: ["denied", "the user has not allowed it; ask again, in answer to a click"],
  SecurityError: ["denied", "the browser does not allow it here; ask again, in answer to a click"],
  NotReadableError: ["changed", "was changed while it was read; try again"],
  InvalidStateError: ["changed", "was moved or replaced while it was used; try again"],
  InvalidModificationError: ["io", "the browser could not change it; try again"],
  AbortError: ["io", "the browser gave up on it; try again"],
};

/** What an error of the browser's file system means; `undefined` for other errors. */
export function faultOf(error: unknown): Fault | undefined {
  const found = error instanceof DOMException ? FAULTS[error.name] : undefined;
  // A name with a slash, "." or ".." in it, or one that is too long.
  const isName = error instanceof TypeError && error.message.includes("Name is not allowed");
  if (isName) return { kind: "missing", meaning: "is no name that a file can have here; choose another" };
  return found && { kind: found[0], meaning: found[1] };
}

/** Whether an error says that nothing is there. */
export function isAbsent(error: unknown): boolean {
  const kind = faultOf(error)?.kind;
  return kind === "missing" || kind === "not a file";
}
