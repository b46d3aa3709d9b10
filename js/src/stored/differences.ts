import { type Core, core } from "../core/index.ts";
import { pagesPerBatch } from "../moments/page-runs.ts";
import type { Moment } from "../sources/source.ts";
import type { JobOptions } from "../streams/progress.ts";
import { type PreviousStates, STATE_SIZE } from "./page-states.ts";

/** Pages to compare. */
export type Compared = Pick<Moment, "pageSize" | "pageCount" | "read">;

/** The numbers of the pages of `file` whose fingerprint is not the one in `states`, ascending. */
export async function findDifferences(
  file: Compared,
  states: PreviousStates,
  { signal, onProgress }: JobOptions,
): Promise<number[]> {
  const { pageSize, pageCount } = file;
  const total = Math.max(pageCount, states.pageCount);
  const both = Math.min(pageCount, states.pageCount);
  const perBatch = pagesPerBatch(pageSize);
  const buffer = new Uint8Array(Math.min(perBatch, both) * pageSize);
  const differing: number[] = [];
  const packer = new (await core()).Packer(pageSize);
  try {
    for (let first = 1; first <= both; first += perBatch) {
      const count = Math.min(perBatch, both - first + 1);
      const pages = buffer.subarray(0, count * pageSize);
      await file.read(first, pages, signal);
      const were = await states.next(count);
      const isAny = differ(packer, first, pages, were);
      for (let at = 0; isAny && at < count; at++) {
        const page = pages.subarray(at * pageSize, (at + 1) * pageSize);
        if (differ(packer, first + at, page, were.subarray(at * STATE_SIZE, (at + 1) * STATE_SIZE)))
          differing.push(first + at);
      }
      const done = first + count - 1;
      onProgress?.({ phase: "verify", done, total, bytes: done * pageSize });
    }
    for (let gone = states.pageCount - both; gone > 0; gone -= perBatch) {
      await states.next(Math.min(gone, perBatch));
    }
    await states.finish();
  } finally {
    packer.free();
  }
  for (let page = both + 1; page <= total; page++) differing.push(page);
  return differing;
}

/** Whether any of the pages that follow each other from `first` is not what `states` say. */
export function differ(
  packer: InstanceType<Core["Packer"]>,
  first: number,
  pages: Uint8Array,
  states: Uint8Array,
): boolean {
  packer.add(first, pages, states); // which leaves out what is as it was
  const packed = packer.take();
  const { length } = packed.takeFrames();
  packed.free();
  return length > 0;
}
