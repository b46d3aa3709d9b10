// What every store refuses, and what it takes instead of what was left out.
import { StoreError } from "../errors/store-error.ts";
import type { GetOptions, ListOptions, PutOptions } from "./store.ts";

/** In a key. */
const MOST_BYTES = 1024;
const SEGMENT = /^[A-Za-z0-9._%-]+$/;

/** Not to be used as a segment. `.pagemark`, in any case, is where a folder keeps what is not an object. */
const RESERVED = new Set([".", "..", ".pagemark"]);

/** In a page of a list. */
const MOST_OBJECTS = 1000;

/**
 * Refuses what is no key. Every operation of every driver starts with it, so no name leaves a store's root.
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

/** The order of a list: that of the bytes, as keys are ASCII. */
export function compareKeys(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function problemOf(key: string): string | undefined {
  if (typeof key !== "string") return "it is not text";
  if (key.length > MOST_BYTES) return `it is longer than ${MOST_BYTES} bytes`; // as all of a valid one is ASCII
  const wrong = key.split("/").find((segment) => !isSegment(segment));
  if (wrong === undefined) return undefined;
  return wrong === "" ? "a segment is empty" : `${shown(wrong)} cannot be a segment`;
}

/** Quoted, short, and harmless on a terminal: no control characters, nothing that turns the text around. */
function shown(text: unknown): string {
  const quoted = JSON.stringify(String(text).slice(0, 80));
  return quoted.replace(/[^ -~]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** How many objects a page of a list has at most. */
export function pageLimit({ limit = MOST_OBJECTS }: ListOptions): number {
  if (!Number.isInteger(limit) || limit < 1)
    throw new RangeError(`limit must be a whole number from 1, not ${limit}`);
  return Math.min(limit, MOST_OBJECTS);
}

/** The part of an object of `size` bytes that is wanted: `start` up to, not including, `end`. */
export function byteRange(size: number, options: GetOptions): { start: number; end: number } {
  const { offset, length } = checkRange(options);
  const start = Math.min(offset, size);
  return { start, end: Math.min(start + length, size) };
}

/** Refuses a range that is none, before anything is opened. */
export function checkRange({ offset = 0, length = Number.POSITIVE_INFINITY }: GetOptions) {
  if (!Number.isInteger(offset) || offset < 0) {
    throw new RangeError(`offset must be a whole number from 0, not ${offset}`);
  }
  if (!(Number.isInteger(length) || length === Number.POSITIVE_INFINITY) || length < 0) {
    throw new RangeError(`length must be a whole number from 0, not ${length}`);
  }
  return { offset, length };
}

/** Refuses a time that is none, which a file would keep as some other. */
export function checkTime({ modified }: PutOptions): void {
  if (modified && Number.isNaN(modified.getTime())) throw new RangeError("modified is not a valid date");
}

/** Refuses a part of another length than every part but the last has; the last one is shorter. */
export function checkPart(part: Uint8Array, partSize: number, isLast: boolean): void {
  if (isLast ? part.length < partSize : part.length === partSize) return;
  const wanted = isLast ? "less than" : "exactly";
  throw new RangeError(`a part has ${part.length} bytes, where ${wanted} ${partSize} are wanted`);
}

/** An upload that the store no longer has. */
export function uploadGone(key: string, options?: ErrorOptions): StoreError {
  const upload = `the unfinished upload of ${JSON.stringify(key)} no longer exists`;
  const message = `${upload} (unfinished uploads are removed after a day); start it again`;
  return new StoreError("STORE_UPLOAD", message, { name: key }, options);
}
