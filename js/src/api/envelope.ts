// The envelope that every answer of Cloudflare's API has.
import type { Context, TypedResponse } from "hono";
import { HTTPException } from "hono/http-exception";
import type { ClientErrorStatusCode, ServerErrorStatusCode } from "hono/utils/http-status";
import { short } from "../service/arguments.ts";

/** Statuses of a refusal. */
export type RefusedStatus = ClientErrorStatusCode | ServerErrorStatusCode;

/** An error as the envelope has it. */
export interface ApiProblem {
  code: number;
  message: string;
  /** Where in the request it is: a JSON pointer, of a body or of the parameters. */
  source?: { pointer: string };
}

/** A refusal with its status and D1's code. */
export class ApiError extends Error {
  readonly status: RefusedStatus;
  readonly code: number;
  readonly pointer: string | undefined;

  constructor(status: RefusedStatus, code: number, message: string, pointer?: string) {
    super(message);
    this.status = status;
    this.code = code;
    this.pointer = pointer;
  }
}

/** What a value is once it is JSON: {@link stringify} writes bytes as an array, and integers of 64 bits as they are. */
export type Written<T> = T extends bigint
  ? number
  : T extends Uint8Array
    ? number[]
    : T extends object
      ? { [Key in keyof T]: Written<T[Key]> }
      : T;

/** The envelope of what went well: what a route's schema describes. */
export interface Envelope<T> {
  result: Written<T>;
  success: true;
  errors: never[];
  messages: string[];
  result_info?: ResultInfo | undefined;
}

/** Where a page of a list is. */
export interface ResultInfo {
  page: number;
  per_page: number;
  count: number;
  total_count: number;
}

/** What went well. Its type is that of what is sent, so a handler gives what its route's schema says. */
export function success<T, Status extends 200 | 202 = 200>(
  c: Context,
  result: T,
  more: Pick<Partial<Envelope<T>>, "messages" | "result_info"> = {},
  status = 200 as Status,
): Response & TypedResponse<Envelope<T>, Status, "json"> {
  const sent = answer(c, status, { result, success: true, errors: [], messages: [], ...more });
  return sent as Response & TypedResponse<Envelope<T>, Status, "json">;
}

/** What did not. */
export function failure(c: Context, status: RefusedStatus, errors: ApiProblem[]): Response {
  // The SDKs would try again by themselves what never gets better.
  if (status === 429) c.header("retry-after", "1");
  if (status === 409 || status >= 500) c.header("x-should-retry", "false");
  return answer(c, status, { result: null, success: false, errors, messages: [] });
}

function answer(c: Context, status: 200 | 202 | RefusedStatus, body: object): Response {
  c.header("content-type", "application/json");
  return c.body(stringify(body), status);
}

/** D1's codes: what is known, by the code that Pagemark gives it. */
const KNOWN: Readonly<Record<string, [RefusedStatus, number]>> = {
  DATABASE_UNKNOWN: [404, 7404],
  DATABASE_EXISTS: [400, 7502],
  BACKUP_UNKNOWN: [404, 7404],
  BACKUP_NONE: [404, 7404],
  JOB_UNKNOWN: [404, 7404],
  CANCELED: [409, 7400],
  READ_ONLY: [403, 10000],
  OVERLOADED: [429, 7429],
  ENGINE_BUSY: [429, 7429],
  RESULT_SIZE: [413, 7500],
  NAME_INVALID: [400, 7400],
  CHECKPOINT_EXISTS: [400, 7400],
  CHECKPOINT_NONE: [404, 7404],
  RANGE: [416, 7400],
  CONFLICT: [409, 7400],
  ENGINE_MEMORY: [413, 7500],
  ENGINE_PARAMETERS: [400, 7400],
  SCHEDULE_EXISTS: [400, 7400],
  SCHEDULE_UNKNOWN: [404, 7404],
  SOURCE_BUSY: [429, 7429],
  SOURCE_IN_USE: [409, 7400],
  SOURCE_REFUSED: [409, 7400],
  STATEMENT_SYNTAX: [400, 7400],
  STATEMENT_UNSUPPORTED: [400, 7400],
  STORE_DENIED: [403, 10000],
  STORE_FULL: [413, 7500],
  STORE_UNAVAILABLE: [503, 7009],
  USAGE: [400, 7400],
};
/** What the caller can mend, besides. tests/packaging/error-codes.test.ts looks whether any is missing. */
const CALLERS: ReadonlySet<string> = new Set([
  "AT_SYNTAX",
  "BACKUP_AMBIGUOUS",
  "BACKUP_NEEDED",
  "BACKUP_PARTIAL",
  "BOOKMARK_LINEAGE",
  "BOOKMARK_SYNTAX",
  "BOOKMARK_UNKNOWN",
  "BUILD_ROW",
  "BUILD_SIZE",
  "DATABASE_EMPTY",
  "DATABASE_ENCRYPTED",
  "DATABASE_HEADER",
  "DATABASE_NOT_SQLITE",
  "DATABASE_PACKED",
  "DATABASE_TRUNCATED",
  "HISTORY_GONE",
  "HISTORY_UNKNOWN",
  "IMPORT_CUT_OFF",
  "IMPORT_FOREIGN_KEY",
  "IMPORT_FORMAT",
  "IMPORT_ROLLBACK",
  "IMPORT_SIZE",
  "IMPORT_STATEMENT",
  "IMPORT_UPLOAD",
  "LOAD_SIZE",
  "LOAD_STALE",
  "LOCALITY_DEFAULT",
  "LOCALITY_ENCODING",
  "LOCALITY_SYNTAX",
  "LOCALITY_TWICE",
  "LOCALITY_UNKNOWN",
  "OTHER_TABLES",
  "PAGE_RESERVE",
  "REPLICA_OLD",
  "SCHEMA_SIZE",
  "SQL_ERROR",
  "STATEMENT_NONE",
  "STATEMENT_REFUSED",
  "STATEMENT_UNKNOWN",
  "STORE_NESTED",
  "TABLE_UNKNOWN",
  "TEXT_SIZE",
  "TIME_AFTER_LAST",
  "TIME_BEFORE_FIRST",
]);

/** What was thrown, as a status, D1's code and a sentence. Nothing that a defect says goes out. */
export function problemOf(error: unknown): ApiProblem & { status: RefusedStatus } {
  if (error instanceof ApiError) {
    const { status, code, message, pointer } = error;
    return { status, code, message: short(message), ...(pointer && { source: { pointer: short(pointer) } }) };
  }
  if (error instanceof HTTPException) {
    return { status: error.status as RefusedStatus, code: 7400, message: short(error.message) };
  }
  // It may have come from an object, as a plain error with a code.
  const { code, message } = Object(error) as { code?: unknown; message?: string };
  if (typeof code === "string" && message !== undefined) {
    const [status, number] = KNOWN[code] ?? (CALLERS.has(code) ? [400, 7500] : [500, 7500]);
    return { status, code: number, message: `${short(message)}: ${code}` };
  }
  // biome-ignore lint/suspicious/noConsole: what has no name is a defect, and this is the server's log
  console.error("request failed", error);
  return { status: 500, code: 7500, message: "internal error; the server's log says more" };
}

/** The answer for what was thrown. */
export function refusal(error: unknown, c: Context): Response {
  const { status, ...problem } = problemOf(error);
  return failure(c, status, [problem]);
}

/** V8 has it; TypeScript does not know it yet. */
const { rawJSON } = JSON as unknown as { rawJSON(text: string): unknown };

/** As `JSON.stringify`; 64-bit integers and infinities are exact, bytes are an array of numbers, as D1 writes them. */
export function stringify(value: unknown): string {
  return JSON.stringify(value, (_, each: unknown) => {
    if (typeof each === "bigint") return rawJSON(String(each));
    if (each === Number.POSITIVE_INFINITY) return rawJSON("1e999");
    if (each === Number.NEGATIVE_INFINITY) return rawJSON("-1e999");
    if (each instanceof Uint8Array) return Array.from(each);
    return each;
  });
}
