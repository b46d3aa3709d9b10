import { BATCH, type PageRun } from "../core/index.ts";
import type { Moment } from "../sources/source.ts";

/** Reads one page. */
export type ReadPage = (pgno: number) => Promise<Uint8Array>;

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

/** How many pages make a batch of `bytes`; `pages` is what a user wants. */
export function pagesPerBatch(pageSize: number, pages = -1, bytes = BATCH): number {
  const most = Math.max(1, Math.floor(bytes / pageSize));
  return pages === -1 ? most : Math.min(pages, most);
}

/** Reads single pages of a moment. */
export function readerOf(moment: Moment, signal: AbortSignal | undefined): ReadPage {
  return async (pgno) => {
    const page = new Uint8Array(moment.pageSize);
    await moment.read(pgno, page, signal);
    return page;
  };
}
