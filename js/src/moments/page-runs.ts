import { BATCH, type PageRun } from "../core/index.ts";
import type { Moment } from "../sources/source.ts";

/** The page that holds this byte has no data, and is in no file. */
const LOCK_BYTE = 2 ** 30;

/** The pages among `count` from `first` that may have changed, as runs: all of them when that is not known. */
export function runsWithin(changed: Uint32Array | undefined, first: number, count: number): PageRun[] {
  if (!changed) return [{ first, count }];
  const start = firstFrom(changed, first);
  return runsOf(changed.subarray(start, firstFrom(changed, first + count)));
}

/** Ascending page numbers as runs. */
export function runsOf(pages: Uint32Array): PageRun[] {
  const runs: PageRun[] = [];
  for (const page of pages) {
    const last = runs.at(-1);
    if (last && last.first + last.count === page) last.count++;
    else runs.push({ first: page, count: 1 });
  }
  return runs;
}

/** How many pages the runs have in all. */
export function countOf(runs: readonly PageRun[]): number {
  return runs.reduce((sum, { count }) => sum + count, 0);
}

/** Reads the runs' pages into `into`, one after the other. */
export async function readRuns(
  moment: Moment,
  runs: readonly PageRun[],
  into: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (moment.readThese && runs.length > 1) return moment.readThese(pagesOf(runs), into, signal);
  let at = 0;
  for (const { first, count } of runs) {
    const length = count * moment.pageSize;
    await moment.read(first, into.subarray(at, at + length), signal);
    at += length;
  }
}

function pagesOf(runs: readonly PageRun[]): Uint32Array {
  const pages = new Uint32Array(countOf(runs));
  let at = 0;
  for (const { first, count } of runs) {
    for (let page = first; page < first + count; page++) pages[at++] = page;
  }
  return pages;
}

/** Index of the first page in `sorted` that is not before `page`. */
export function firstFrom(sorted: Uint32Array, page: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] as number) < page) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** How many pages with data follow page `last` in a database of `pageCount` pages. */
export function pagesAfter(last: number, pageCount: number, pageSize: number): number {
  const lockPage = LOCK_BYTE / pageSize + 1;
  const hasLockPage = last < lockPage && lockPage <= pageCount;
  return Math.max(0, pageCount - last) - (hasLockPage ? 1 : 0);
}

/** How many pages make a batch of `bytes`; `pages` is what a user wants. */
export function pagesPerBatch(pageSize: number, pages = -1, bytes = BATCH): number {
  const most = Math.max(1, Math.floor(bytes / pageSize));
  return pages === -1 ? most : Math.min(pages, most);
}
