// What other Workers hand over: TypeScript has checked nothing of it.
import { PagemarkError } from "../entry/workerd.ts";
import type { CreateOptions } from "./database/backups.ts";
import type { DownloadOptions, DumpOptions } from "./database/downloads.ts";
import type { Query } from "./database/queries.ts";
import type { RestoreOptions } from "./database/restores.ts";

/** Names are shown in lists, and part of files and paths: nothing in them may hide, turn round or lead elsewhere. */
const NO_NAME =
  /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800/\\]|^\.{0,2}$|^\p{White_Space}|\p{White_Space}$/u;
const LONGEST_NAME = 64;
/** In the store it has nine more, and 128 at most. */
const LONGEST_NAME_BYTES = 119;

/** Of one statement in SQLite. */
const MOST_PARAMETERS = 32_766;

/** @throws PagemarkError `NAME_INVALID` */
export function checkName(name: unknown): string {
  if (typeof name === "string" && [...name].length <= LONGEST_NAME && !NO_NAME.test(name)) {
    if (new TextEncoder().encode(name).length <= LONGEST_NAME_BYTES) return name;
  }
  const message =
    `the name of a database is 1 to ${LONGEST_NAME} characters, in UTF-8 at most ${LONGEST_NAME_BYTES} bytes; none of ` +
    "them /, \\, invisible or a control character, no space at its start or end, and not . or ..";
  throw new PagemarkError("NAME_INVALID", message);
}

/** @throws PagemarkError `USAGE`, as all that follow */
export function checkText(value: unknown, what: string): string {
  return typeof value === "string" ? value : wrong(what, "a string");
}

export function checkOptionalText(value: unknown, what: string): string | undefined {
  return value === undefined || value === null ? undefined : checkText(value, what);
}

/** A list of statements with what is bound to them. */
export function checkQueries(value: unknown): Query[] {
  if (!Array.isArray(value)) return wrong("the statements", "an array");
  return value.map((each) => {
    const { sql, params } = checkObject(each, "a statement");
    if (params !== undefined && params !== null && !Array.isArray(params)) return wrong("params", "an array");
    if (params && params.length > MOST_PARAMETERS)
      return wrong("params", `at most ${MOST_PARAMETERS} values, which is what SQLite takes`);
    return { sql: checkText(sql, "sql"), params: params ?? undefined };
  });
}

/** A moment: text or a date. */
export function checkAt(value: unknown): string | Date {
  if (typeof value === "string" && value !== "") return value;
  if (value instanceof Date && !Number.isNaN(value.getTime())) return value;
  return wrong("the moment", "a bookmark, a backup's id, or a time");
}

export function checkRestore(value: unknown): RestoreOptions {
  const { at, safety } = checkObject(value, "the options");
  return { at: at === undefined ? undefined : checkAt(at), safety: checkFlag(safety, "safety") };
}

export function checkCreate(value: unknown): CreateOptions {
  const { full, onProgress } = checkObject(value, "the options");
  if (onProgress !== undefined && typeof onProgress !== "function") return wrong("onProgress", "a function");
  return { full: checkFlag(full, "full"), onProgress: onProgress as CreateOptions["onProgress"] };
}

export function checkDownload(value: unknown): DownloadOptions {
  const { range } = checkObject(value, "the options");
  if (range === undefined) return {};
  const { offset, length, suffix } = checkObject(range, "range");
  if (suffix !== undefined) return { range: { suffix: checkCount(suffix, "suffix") } };
  return {
    range: {
      offset: checkCount(offset, "offset"),
      length: length === undefined ? undefined : checkCount(length, "length"),
    },
  };
}

export function checkDump(value: unknown): DumpOptions {
  const { at, dialect, tables, noData, noSchema } = checkObject(value, "the options");
  if (tables !== undefined && !(Array.isArray(tables) && tables.every((each) => typeof each === "string")))
    return wrong("tables", "an array of strings");
  return {
    ...checkDownload(value),
    at: at === undefined ? undefined : checkAt(at),
    // Which there are, the dump says.
    dialect: checkOptionalText(dialect, "dialect") as DumpOptions["dialect"],
    tables: tables as string[] | undefined,
    noData: checkFlag(noData, "noData"),
    noSchema: checkFlag(noSchema, "noSchema"),
  };
}

function checkFlag(value: unknown, what: string): boolean | undefined {
  return value === undefined || typeof value === "boolean" ? value : wrong(what, "true or false");
}

function checkCount(value: unknown, what: string): number {
  return Number.isSafeInteger(value) && (value as number) >= 0
    ? (value as number)
    : wrong(what, "a whole number from 0");
}

function checkObject(value: unknown, what: string): Record<string, unknown> {
  if (typeof value === "object" && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  return wrong(what, "an object");
}

function wrong(what: string, form: string): never {
  throw new PagemarkError("USAGE", `${what} must be ${form}`);
}
