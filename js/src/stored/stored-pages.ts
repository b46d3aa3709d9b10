import { core } from "../core/index.ts";
import { damaged } from "../objects/object-reader.ts";
import type { Store } from "../stores/store.ts";
import { ChainIndex, type StoredChain } from "./chain-index.ts";
import { FrameReader } from "./frame-reader.ts";
import { type PreviousStates, STATE_SIZE } from "./page-states.ts";

const PROVED_AT_ONCE = 4096;

/** Single pages of a stored backup, kept until they are proved: nothing is restored for it. */
export class StoredPages {
  readonly pageSize: number;
  /** Every page read so far, and the object it came from. */
  readonly #read = new Map<number, { key: string; page: Uint8Array }>();
  readonly #chain: ChainIndex;
  readonly #reader: FrameReader;

  static async open(store: Store, plan: StoredChain, signal?: AbortSignal): Promise<StoredPages> {
    const chain = await ChainIndex.open(store, plan, signal);
    return new StoredPages(chain, new FrameReader(store, chain));
  }

  private constructor(chain: ChainIndex, reader: FrameReader) {
    this.pageSize = chain.pageSize;
    this.#chain = chain;
    this.#reader = reader;
  }

  async read(pgno: number, signal?: AbortSignal): Promise<Uint8Array> {
    const frame = this.#chain.find(pgno);
    const page = new Uint8Array(this.pageSize);
    await this.#reader.read([frame], (_, bytes) => page.set(bytes), signal);
    this.#read.set(pgno, { key: this.#chain.keyOf(frame), page });
    return page;
  }

  /** Frees what is known of the chain: nothing is read any more. */
  close(): void {
    this.#chain.free();
  }

  /** Proves the pages that were read by their fingerprints: part of a file has no checksum of its own. */
  async prove(states: PreviousStates): Promise<void> {
    const { differingPages } = await core();
    for (let first = 1; first <= states.pageCount; first += PROVED_AT_ONCE) {
      const count = Math.min(PROVED_AT_ONCE, states.pageCount - first + 1);
      const batch = await states.next(count);
      for (const [pgno, { key, page }] of this.#read) {
        const at = (pgno - first) * STATE_SIZE;
        if (at < 0 || at >= batch.length) continue;
        if (differingPages(this.pageSize, pgno, page, batch.subarray(at, at + STATE_SIZE)).length > 0)
          throw damaged(key, `does not hold page ${pgno} as it was backed up`);
      }
    }
    await states.finish();
  }
}
