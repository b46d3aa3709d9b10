import { readSync } from "node:fs";
import type { PageFiles } from "./platform.ts";

/** Reads the pages from `first` on into `into`, which holds whole pages; `false` when they are not where they were. */
export function readPageFiles(files: PageFiles, first: number, into: Uint8Array): boolean {
  const { pageSize, main, mainPages, side, beside } = files;
  const count = into.length / pageSize;
  let at = side === undefined ? beside.length : firstFrom(beside, first);
  for (let page = first; page < first + count; ) {
    const next = at < beside.length ? (beside[at] as number) : Number.POSITIVE_INFINITY;
    const isBeside = next === page;
    const end = isBeside ? page + 1 : Math.min(first + count, next);
    if (!isBeside && end - 1 > mainPages) return false;
    const fd = isBeside ? (side as number) : main;
    const position = isBeside ? (beside[at + 1] as number) : (page - 1) * pageSize;
    if (!readAll(fd, into.subarray((page - first) * pageSize, (end - first) * pageSize), position))
      return false;
    if (isBeside) at += 2;
    page = end;
  }
  return true;
}

/** Index in `beside` of the first page from `page` on. */
function firstFrom(beside: Float64Array, page: number): number {
  let low = 0;
  let high = beside.length / 2;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((beside[middle * 2] as number) < page) low = middle + 1;
    else high = middle;
  }
  return low * 2;
}

function readAll(fd: number, into: Uint8Array, position: number): boolean {
  for (let done = 0; done < into.length; ) {
    const count = readSync(fd, into, done, into.length - done, position + done);
    if (count === 0) return false;
    done += count;
  }
  return true;
}
