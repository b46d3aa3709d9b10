import { type Core, core } from "../core/index.ts";
import { pagesPerBatch } from "../moments/page-runs.ts";
import type { Moment } from "../sources/source.ts";
import type { JobOptions } from "../streams/progress.ts";
import type { PreviousStates } from "./page-states.ts";

const STATES_AT_ONCE = 4096;
/** Pages that are compared at a time, in bytes. */
const BATCH = 256 << 10;

/** What pages of a backup must be like: each is proved by itself, in any order. See the core's `snapshot::proof`. */
export class PageProof {
  readonly #pageSize: number;
  readonly #proof: InstanceType<Core["PageProof"]>;

  /** Reads all of `states`, which proves them. */
  static async load(states: PreviousStates, pageSize: number): Promise<PageProof> {
    const proof = new (await core()).PageProof(pageSize);
    try {
      for (let first = 1; first <= states.pageCount; first += STATES_AT_ONCE) {
        proof.add(await states.next(Math.min(STATES_AT_ONCE, states.pageCount - first + 1)));
      }
      await states.finish();
      return new PageProof(pageSize, proof);
    } catch (error) {
      proof.free();
      throw error;
    }
  }

  private constructor(pageSize: number, proof: InstanceType<Core["PageProof"]>) {
    this.#pageSize = pageSize;
    this.#proof = proof;
  }

  /** The first of the whole pages in `pages`, which count from `first`, that is not as it was backed up. */
  findChanged(first: number, pages: Uint8Array): number | undefined {
    for (let at = 0; at < pages.length; at += BATCH) {
      const changed = this.#proof.findChanged(first + at / this.#pageSize, pages.subarray(at, at + BATCH));
      if (changed !== undefined) return changed;
    }
    return undefined;
  }

  free(): void {
    this.#proof.free();
  }
}

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
  const { differingPages } = await core();
  for (let first = 1; first <= both; first += perBatch) {
    const count = Math.min(perBatch, both - first + 1);
    const pages = buffer.subarray(0, count * pageSize);
    await file.read(first, pages, signal);
    differing.push(...differingPages(pageSize, first, pages, await states.next(count)));
    const done = first + count - 1;
    onProgress?.({ phase: "verify", done, total, bytes: done * pageSize });
  }
  for (let gone = states.pageCount - both; gone > 0; gone -= perBatch) {
    await states.next(Math.min(gone, perBatch));
  }
  await states.finish();
  for (let page = both + 1; page <= total; page++) differing.push(page);
  return differing;
}
