import { StoreError } from "../../errors/store-error.ts";
import { type Doing, faultOf, systemCode } from "../../node/errno.ts";

const NOT_A_FOLDER = "STORE_NOT_A_FOLDER";

/** Codes for what the system reports; those for reading differ in one. */
const CODES = {
  missing: "STORE_IO",
  folder: "STORE_IO",
  "no folder": NOT_A_FOLDER,
  "too long": "STORE_NAME_TOO_LONG",
  denied: "STORE_READ_ONLY",
  "read-only": "STORE_READ_ONLY",
  full: "STORE_FULL",
  io: "STORE_IO",
} as const;
const READING = { ...CODES, denied: "STORE_DENIED" } as const;

/** Codes of the system that mean that there is no object: its path is missing, no folder, a link, a socket, or too long. */
const ABSENT = new Set(["ENOENT", "ENOTDIR", "ELOOP", "ENXIO", "ENAMETOOLONG"]);

/** For `.catch()`: throws what the system reported as a StoreError, and anything else as it is. */
export function failed(doing: Doing, path: string): (cause: unknown) => never {
  return (cause) => {
    const fault = faultOf(cause, doing);
    if (!fault) throw cause;
    const codes = doing === "read" || doing === "list" ? READING : CODES;
    const message = `cannot ${doing} ${JSON.stringify(path)}: ${fault.meaning}`;
    throw new StoreError(codes[fault.kind], message, { name: path }, { cause });
  };
}

/** For `.catch()`: `undefined` when nothing can be there, otherwise as {@link failed}. */
export function absentOr(doing: Doing, path: string): (cause: unknown) => undefined {
  return (cause) => (isAbsent(cause) ? undefined : failed(doing, path)(cause));
}

export function isAbsent(error: unknown): boolean {
  return ABSENT.has(systemCode(error) ?? "");
}

/** The error for something that stands where a folder of the store must be; a symbolic link is such a thing. */
export function notAFolder(path: string, cause?: unknown): StoreError {
  const message = `cannot use ${JSON.stringify(path)}: it is not a folder; move it away, or use another folder`;
  return new StoreError(NOT_A_FOLDER, message, { name: path }, { cause });
}
