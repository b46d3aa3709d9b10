// Checks that every store makes before it does anything.
import { checkOptions, checkText } from "../errors/options.ts";
import { StoreError } from "../errors/store-error.ts";
import type { GetOptions, ListOptions, PutOptions } from "./store.ts";

/** In a key. */
const MOST_BYTES = 1024;
const SEGMENT = /^[A-Za-z0-9._%-]+$/;

/** Names that no segment may have. A folder keeps what is no object in `.pagemark`, in upper or lower case. */
const RESERVED = new Set([".", "..", ".pagemark"]);

/** In a page of a list. */
const MOST_OBJECTS = 1000;

/**
 * Refuses what is no key. Every operation of every driver begins with it, so no key leads out of a store.
 *
 * @throws StoreError `STORE_KEY`
 */
export function checkKey(key: string): void {
  const problem = problemOf(key);
  if (problem === undefined) return;
  throw new StoreError(
    "STORE_KEY",
    `${shown(key)} is no key: ${problem}. Use segments of A-Z a-z 0-9 . _ - % joined by "/"`,
    { name: key },
  );
}

/** Whether `name` may stand between two slashes of a key. */
export function isSegment(name: string): boolean {
  return SEGMENT.test(name) && !RESERVED.has(name.toLowerCase());
}

/** Whether `name`, which something else may have, is a key's. */
export function isKey(name: string): boolean {
  return name.length <= MOST_BYTES && name.split("/").every(isSegment);
}

/** Whether a key may begin with `prefix`. Services refuse prefixes longer than any key. */
export function beginsKey(prefix: string): boolean {
  if (prefix.length > MOST_BYTES) return false;
  const segments = prefix.split("/");
  const beginning = segments.pop();
  return segments.every(isSegment) && isSegment(`${beginning}x`);
}

/** Orders keys as lists do: by their bytes, as keys are ASCII. */
export function compareKeys(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function problemOf(key: string): string | undefined {
  if (typeof key !== "string") return "it is not text";
  if (key.length > MOST_BYTES) return `it is longer than ${MOST_BYTES} bytes`; // all of a valid key is ASCII
  const wrong = key.split("/").find((segment) => !isSegment(segment));
  if (wrong === undefined) return undefined;
  return wrong === "" ? "a segment is empty" : `${shown(wrong)} cannot be a segment`;
}

/** Quotes and shortens text, without control characters or characters that change the direction of writing. */
function shown(text: unknown): string {
  const quoted = JSON.stringify(String(text).slice(0, 80));
  return quoted.replace(/[^ -~]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** Most objects in a page of a list of keys that begin with `prefix`. */
export function pageLimit(prefix: string, options: ListOptions): number {
  checkText(prefix, "prefix");
  const { limit = MOST_OBJECTS } = checkOptions(options);
  if (!Number.isInteger(limit) || limit < 1)
    throw new RangeError(`limit must be a whole number from 1, not ${limit}`);
  return Math.min(limit, MOST_OBJECTS);
}

/** The wanted part of an object of `size` bytes: from `start` up to, not including, `end`. */
export function byteRange(size: number, options: GetOptions): { start: number; end: number } {
  const { offset, length } = checkRange(options);
  const start = Math.min(offset, size);
  return { start, end: Math.min(start + length, size) };
}

/** Refuses an invalid range, before anything is opened. */
export function checkRange({ offset = 0, length = Number.POSITIVE_INFINITY }: GetOptions) {
  if (!Number.isInteger(offset) || offset < 0) {
    throw new RangeError(`offset must be a whole number from 0, not ${offset}`);
  }
  if (!(Number.isInteger(length) || length === Number.POSITIVE_INFINITY) || length < 0) {
    throw new RangeError(`length must be a whole number from 0, not ${length}`);
  }
  return { offset, length };
}

/** Refuses an invalid time, which a file would keep as some other time. */
export function checkTime({ modified }: PutOptions): void {
  if (modified && Number.isNaN(modified.getTime())) throw new RangeError("modified is not a valid date");
}

/** Refuses a part of the wrong length: every part has `partSize` bytes, the last one fewer. */
export function checkPart(part: Uint8Array, partSize: number, isLast: boolean): void {
  if (isLast ? part.length < partSize : part.length === partSize) return;
  const wanted = isLast ? "less than" : "exactly";
  throw new RangeError(`a part has ${part.length} bytes; it must have ${wanted} ${partSize}`);
}

/** The error for an upload that the store no longer has. */
export function uploadGone(key: string, options?: ErrorOptions): StoreError {
  const upload = `the unfinished upload of ${JSON.stringify(key)} no longer exists`;
  const message = `${upload} (unfinished uploads are removed after a day); start it again`;
  return new StoreError("STORE_UPLOAD", message, { name: key }, options);
}
