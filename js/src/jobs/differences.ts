import { core } from "../core/index.ts";
import type { Moment } from "../sources/source.ts";
import type { PreviousStates } from "./previous-states.ts";
import type { JobOptions } from "./progress.ts";

/** Length of a page's state, in bytes. */
const STATE_SIZE = 24;
/** Pages that are read and compared at a time, in bytes. */
const BATCH = 256 << 10;

/** Pages to compare. */
export type Compared = Pick<Moment, "pageSize" | "pageCount" | "read">;

/** The numbers of the pages of `moment` whose fingerprint is not the one in `states`, ascending. */
export async function findDifferences(
  moment: Compared,
  states: PreviousStates,
  { signal, onProgress }: JobOptions,
): Promise<number[]> {
  const { pageSize } = moment;
  const total = Math.max(moment.pageCount, states.pageCount);
  const both = Math.min(moment.pageCount, states.pageCount);
  const differing: number[] = [];
  const packer = new (await core()).Packer(pageSize);
  const differ = (first: number, pages: Uint8Array, were: Uint8Array) => {
    packer.add(first, pages, were); // which leaves out what is as it was
    const packed = packer.take();
    const { length } = packed.takeFrames();
    packed.free();
    return length > 0;
  };
  try {
    const perBatch = Math.max(1, BATCH / pageSize);
    for (let first = 1; first <= both; first += perBatch) {
      const count = Math.min(perBatch, both - first + 1);
      const pages = new Uint8Array(count * pageSize);
      await moment.read(first, pages, signal);
      const were = await states.next(count);
      const isOther = differ(first, pages, were);
      for (let at = 0; isOther && at < count; at++) {
        const page = pages.subarray(at * pageSize, (at + 1) * pageSize);
        if (differ(first + at, page, were.subarray(at * STATE_SIZE, (at + 1) * STATE_SIZE)))
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
