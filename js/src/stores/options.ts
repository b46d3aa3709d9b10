import type { GetOptions, ListOptions, PutOptions } from "./store.ts";

const MOST_OBJECTS = 1000;

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
