import { uuid } from "../core/index.ts";
import type { Scratch } from "../sources/source.ts";
import type { Store } from "../stores/store.ts";
import { everyObject } from "../stores/store-list.ts";
import { collect } from "../streams/streams.ts";

/** A run that puts blocks away has ended after so long. */
const OLD_MS = 24 * 3_600_000;

/** Blocks in a store, beside a database's backups, where neither a listing nor Litestream looks. */
export class StoreScratch implements Scratch {
  readonly #store: Store;
  /** Where those of all runs are, and those of this one. */
  readonly #all: string;
  readonly #own: string;
  readonly #sizes = new Map<number | string, number>();
  readonly #kept: { id: string; size: number } | undefined;

  /**
   * @param folder of the database's backups
   * @param kept names what another process goes on with, in blocks of `size` bytes
   */
  constructor(store: Store, folder: string, kept?: { id: string; size: number }) {
    this.#store = store;
    this.#all = `${folder}/scratch`;
    this.#own = `${this.#all}/${kept?.id ?? uuid()}`;
    this.#kept = kept;
  }

  async put(block: number | string, bytes: Uint8Array): Promise<void> {
    if (this.#sizes.size === 0) await this.#sweep();
    this.#sizes.set(block, bytes.length);
    await this.#store.put(this.#key(block), bytes);
  }

  async get(block: number | string, signal?: AbortSignal): Promise<Uint8Array> {
    const stream = await this.#store.get(this.#key(block), { signal });
    return collect(stream, this.#sizes.get(block) ?? this.#kept?.size ?? 0);
  }

  async drop(): Promise<void> {
    const own = this.#kept
      ? (await everyObject(this.#store, `${this.#own}/`)).map(({ key }) => key)
      : [...this.#sizes.keys()].map((block) => this.#key(block));
    await discard(this.#store, own);
    this.#sizes.clear();
  }

  /** Deletes what runs that died have left. */
  async #sweep(): Promise<void> {
    const all = await everyObject(this.#store, `${this.#all}/`);
    const old = all.filter(({ modified }) => modified.getTime() < Date.now() - OLD_MS);
    await discard(
      this.#store,
      old.map(({ key }) => key),
    );
  }

  #key(block: number | string): string {
    return `${this.#own}/${block}`;
  }
}

/** Deletes in that order. What cannot be deleted now goes the next time. */
async function discard(store: Store, keys: string[]): Promise<void> {
  try {
    for (const key of keys) await store.delete(key);
  } catch {
    // The next run sweeps.
  }
}
