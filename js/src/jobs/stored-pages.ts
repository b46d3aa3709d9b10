import { type Core, core, translateCoreError } from "../core/index.ts";
import { DamageError } from "../errors/index.ts";
import type { Store } from "../stores/store.ts";
import { collect, damaged } from "./object-reader.ts";
import type { PreviousStates } from "./previous-states.ts";
import type { RestorePlan } from "./restore.ts";

interface IndexedFile {
  key: string;
  index: ReturnType<Core["PageIndex"]["parse"]>;
}

/** Length of an LTX file's end behind its page index, in bytes. */
const TAIL_SIZE = 24;
/** Length of a page's state, in bytes. */
const STATE_SIZE = 24;
const PROVED_AT_ONCE = 4096;

/** Single pages of a stored backup, found through the files' page indexes: nothing is restored for it. */
export class StoredPages {
  readonly pageSize: number;
  /** Every page read so far, and the object it came from. */
  readonly #read = new Map<number, { key: string; page: Uint8Array }>();
  readonly #store: Store;
  /** Newest first. */
  readonly #files: IndexedFile[];

  static async open(
    store: Store,
    { files, record }: RestorePlan,
    signal?: AbortSignal,
  ): Promise<StoredPages> {
    const { PageIndex } = await core();
    const indexed: IndexedFile[] = [];
    for (const { key, size } of files.toReversed()) {
      const read = (offset: number, length: number) => readRange(store, key, offset, length, signal);
      try {
        const tail = await read(Math.max(0, size - TAIL_SIZE), TAIL_SIZE);
        const [offset = 0, length = 0] = PageIndex.locate(tail, size);
        indexed.push({ key, index: PageIndex.parse(await read(offset, length)) });
      } catch (error) {
        throw translateCoreError(error, key);
      }
    }
    return new StoredPages(store, indexed, record?.pageSize ?? 0);
  }

  private constructor(store: Store, files: IndexedFile[], pageSize: number) {
    this.#store = store;
    this.#files = files;
    this.pageSize = pageSize;
  }

  async read(pgno: number, signal?: AbortSignal): Promise<Uint8Array> {
    const { unpackFrame } = await core();
    for (const { key, index } of this.#files) {
      const [offset, length] = index.find(pgno) ?? [];
      if (offset === undefined || length === undefined) continue;
      try {
        const frame = await readRange(this.#store, key, offset, length, signal);
        const page = unpackFrame(this.pageSize, pgno, frame);
        this.#read.set(pgno, { key, page });
        return page;
      } catch (error) {
        throw translateCoreError(error, key);
      }
    }
    throw new DamageError("LTX_PAGE_MISSING", `no file of the chain holds page ${pgno}`, { page: pgno });
  }

  /** Proves the pages that were read by their fingerprints: part of a file has no checksum of its own. */
  async prove(states: PreviousStates): Promise<void> {
    const packer = new (await core()).Packer(this.pageSize);
    try {
      for (let first = 1; first <= states.pageCount; first += PROVED_AT_ONCE) {
        const count = Math.min(PROVED_AT_ONCE, states.pageCount - first + 1);
        const batch = await states.next(count);
        for (const [pgno, { key, page }] of this.#read) {
          const at = (pgno - first) * STATE_SIZE;
          if (at < 0 || at >= batch.length) continue;
          packer.add(pgno, page, batch.subarray(at, at + STATE_SIZE));
          const packed = packer.take();
          const changed = packed.takeFrames().length > 0;
          packed.free();
          if (changed) throw damaged(key, `does not hold page ${pgno} as it was backed up`);
        }
      }
      await states.finish();
    } finally {
      packer.free();
    }
  }
}

async function readRange(store: Store, key: string, offset: number, length: number, signal?: AbortSignal) {
  return collect(await store.get(key, { offset, length, signal }), length);
}
