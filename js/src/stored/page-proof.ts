import { type Core, core } from "../core/index.ts";
import { type PreviousStates, STATE_SIZE } from "./page-states.ts";

/** Bytes of the checksum, before the fingerprint. */
const CHECKSUM_SIZE = 8;
const STATES_AT_ONCE = 4096;
/** Pages that are compared at a time, in bytes. */
const BATCH = 256 << 10;

/**
 * What pages of a backup must be like: the first 32 bits of each one's fingerprint. One in four billion damaged pages
 * passes; in exchange it takes four bytes a page, 10 MiB for 10 GiB in pages of 4 KiB, and pages can be proved in any
 * order.
 */
export class PageProof {
  readonly #pageSize: number;
  readonly #lockPage: number;
  /** By page number. */
  readonly #expected: Uint32Array;
  readonly #packer: InstanceType<Core["Packer"]>;

  /** Reads all of `states`, which proves them. */
  static async load(states: PreviousStates, pageSize: number): Promise<PageProof> {
    const expected = new Uint32Array(states.pageCount + 1);
    for (let first = 1; first < expected.length; first += STATES_AT_ONCE) {
      const count = Math.min(STATES_AT_ONCE, expected.length - first);
      expected.set(fingerprintsIn(await states.next(count)), first);
    }
    await states.finish();
    return new PageProof(pageSize, expected, new (await core()).Packer(pageSize));
  }

  private constructor(pageSize: number, expected: Uint32Array, packer: InstanceType<Core["Packer"]>) {
    this.#pageSize = pageSize;
    this.#lockPage = 2 ** 30 / pageSize + 1;
    this.#expected = expected;
    this.#packer = packer;
  }

  /** The first of the whole pages in `pages`, which count from `first`, that is not as it was backed up. */
  findChanged(first: number, pages: Uint8Array): number | undefined {
    for (let at = 0; at < pages.length; at += BATCH) {
      let pgno = first + at / this.#pageSize;
      for (const fingerprint of this.#fingerprints(pgno, pages.subarray(at, at + BATCH))) {
        // It has no state.
        if (pgno === this.#lockPage) pgno++;
        if (fingerprint !== this.#expected[pgno]) return pgno;
        pgno++;
      }
    }
    return undefined;
  }

  /** States of all pages but the lock page. In a summary of the core they come last. */
  #fingerprints(first: number, pages: Uint8Array): Uint32Array {
    this.#packer.add(first, pages);
    const packed = this.#packer.take();
    const summary = packed.summary();
    packed.free();
    const inPages = this.#lockPage >= first && this.#lockPage < first + pages.length / this.#pageSize ? 1 : 0;
    const count = pages.length / this.#pageSize - inPages;
    return fingerprintsIn(summary.subarray(summary.length - count * STATE_SIZE));
  }

  free(): void {
    this.#packer.free();
  }
}

function fingerprintsIn(states: Uint8Array): Uint32Array {
  const view = new DataView(states.buffer, states.byteOffset, states.length);
  return Uint32Array.from({ length: states.length / STATE_SIZE }, (_, page) =>
    view.getUint32(page * STATE_SIZE + CHECKSUM_SIZE),
  );
}
