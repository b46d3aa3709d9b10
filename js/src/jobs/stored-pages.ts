import { type Core, core, translateCoreError } from "../core/index.ts";
import { DamageError } from "../errors/index.ts";
import type { Store } from "../stores/store.ts";
import { collect } from "./object-reader.ts";
import type { RestorePlan } from "./restore.ts";

interface IndexedFile {
  key: string;
  index: ReturnType<Core["PageIndex"]["parse"]>;
}

/** Length of an LTX file's end behind its page index, in bytes. */
const TAIL_SIZE = 24;

/** Single pages of a stored backup, found through the files' page indexes: nothing is restored for it. */
export class StoredPages {
  readonly pageSize: number;
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
        return unpackFrame(this.pageSize, pgno, await readRange(this.#store, key, offset, length, signal));
      } catch (error) {
        throw translateCoreError(error, key);
      }
    }
    throw new DamageError("LTX_PAGE_MISSING", `no file of the chain holds page ${pgno}`, { page: pgno });
  }
}

async function readRange(store: Store, key: string, offset: number, length: number, signal?: AbortSignal) {
  return collect(await store.get(key, { offset, length, signal }), length);
}
