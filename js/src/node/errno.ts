// What errors of the operating system mean to a user: the only place that knows.

import { constants } from "node:os";

/** What was being done when the system refused. */
export type Doing = "read" | "list" | "write" | "delete";

export type Kind =
  | "missing"
  | "folder"
  | "no folder"
  | "too long"
  | "denied"
  | "read-only"
  | "full"
  /** The disk, the network or a limit of the system is in the way. */
  | "io";

export interface Fault {
  kind: Kind;
  /** What happened, and after a semicolon what to do. */
  meaning: string;
}

const WRITING: Readonly<Record<string, readonly [Kind, string]>> = {
  ENOENT: ["missing", "there is no such file; check the path"],
  ENXIO: ["missing", "there is no such file; check the path"],
  ENOTDIR: ["no folder", "a file is where a folder must be; move it away, or use another path"],
  EEXIST: ["no folder", "a file is where a folder must be; move it away, or use another path"],
  ELOOP: ["missing", "its links lead in a circle; make them lead to a file"],
  EISDIR: ["folder", "is a folder; give a file"],
  ENAMETOOLONG: ["too long", "the name is longer than the file system takes; shorten it"],
  ERR_INVALID_ARG_VALUE: ["missing", "no path has a NUL in it; check it"],
  EACCES: ["denied", "this user may not write there; change the folder's owner or mode, or use another one"],
  EPERM: ["denied", "writing there is not permitted; change the folder's owner or mode, or use another one"],
  EROFS: ["read-only", "the file system is read-only; mount it for writing, or use another one"],
  ENOSPC: ["full", "the disk is full; free some space, or use another one"],
  EDQUOT: ["full", "this user's share of the disk is full; free some space, or use another one"],
  EFBIG: ["full", "a file of this size is not allowed there; raise the limit, or use another file system"],
  EMFILE: ["io", "too many files are open; close some, or raise the limit (ulimit -n)"],
  ENFILE: ["io", "too many files are open on this machine; close some"],
  ENOMEM: ["io", "the machine has no memory left; free some, then try again"],
  EXDEV: ["io", "another file system is mounted inside; make that folder a store of its own"],
  EIO: ["io", "the disk reports a fault; check it, then try again"],
  ESTALE: ["io", "the network file system no longer has what was open; mount it again, then try again"],
  ETIMEDOUT: ["io", "the network file system did not answer; see whether it is there, then try again"],
};

/** Meanings while reading, where they differ. */
const READING: typeof WRITING = {
  EACCES: ["denied", "permission denied; change its owner or mode, or those of its folder"],
  EPERM: ["denied", "reading it is not permitted; change its owner or mode"],
  ENOSPC: ["io", "the system cannot read it (ENOSPC); see whether the disk is well, then try again"],
  EDQUOT: ["io", "the system cannot read it (EDQUOT); see whether the disk is well, then try again"],
  EFBIG: ["io", "the system cannot read it (EFBIG); see whether the disk is well, then try again"],
};

/** What an error of the system means; `undefined` for other errors. */
export function faultOf(error: unknown, doing: Doing): Fault | undefined {
  const code = systemCode(error);
  if (code === undefined) return undefined;
  const isReading = doing === "read" || doing === "list";
  const [kind, meaning] = (isReading ? READING[code] : undefined) ??
    WRITING[code] ?? ["io", `the system reports ${code}; see whether the disk is well, then try again`];
  return { kind, meaning };
}

/** The code of an error of the system, such as `ENOENT`; `undefined` for other errors. */
export function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "string") return undefined;
  if (error.code === "ERR_INVALID_ARG_VALUE") return error.code;
  if (!("syscall" in error)) return undefined;
  // Node does not know the names of some, such as EDQUOT and ESTALE.
  const [, number] = /^Unknown system error -(\d+)$/.exec(error.code) ?? [];
  return (number !== undefined && nameOf(Number(number))) || error.code;
}

function nameOf(number: number): string | undefined {
  return Object.entries(constants.errno).find(([, value]) => value === number)?.[0];
}
