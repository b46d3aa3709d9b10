import { type Hasher, sha256 } from "../core/index.ts";
import type { PutOptions, Store } from "../stores/store.ts";

/** What proves a stored object. */
export interface ObjectProof {
  /** 64 hex digits. */
  sha256: string;
  /** In bytes. */
  size: number;
}

/** An object written piece by piece. It is there once {@link finish} resolves, or not at all. */
export class Upload {
  readonly key: string;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #stored: Promise<void>;
  readonly #hash: Hasher;
  #size = 0;

  static async start(store: Store, key: string, options: PutOptions): Promise<Upload> {
    return new Upload(store, key, options, await sha256());
  }

  private constructor(store: Store, key: string, options: PutOptions, hash: Hasher) {
    // A few batches may wait for the store, so that packing goes on while it writes.
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>({}, undefined, {
      highWaterMark: 4,
    });
    this.key = key;
    this.#hash = hash;
    this.#writer = writable.getWriter();
    this.#stored = store.put(key, readable, options);
    // Whoever writes or finishes hears of a failure; until then it must not count as unhandled. A store that fails
    // may leave the stream as it is, and writing must not wait for it.
    this.#stored.catch((error) => this.#writer.abort(error)).catch(() => {});
    this.#writer.closed.catch(() => {});
  }

  /** Appends `bytes`; waits while the store is behind. */
  async write(bytes: Uint8Array): Promise<void> {
    if (bytes.length === 0) return;
    this.#size += bytes.length;
    this.#hash.update(bytes);
    try {
      await this.#writer.ready;
      this.#writer.write(bytes).catch(() => {});
    } catch (error) {
      // The stream only says that it was cancelled; the store knows why.
      await this.#stored;
      throw error;
    }
  }

  /** Ends the object and waits until it is stored. */
  async finish(): Promise<ObjectProof> {
    this.#writer.close().catch(() => {});
    await this.#stored;
    return { sha256: this.#hash.digest(), size: this.#size };
  }

  /** Gives the object up; nothing of it stays. */
  async abort(reason: unknown): Promise<void> {
    // Not awaited: it waits for a write that no one may read any more.
    this.#writer.abort(reason).catch(() => {});
    await this.#stored.catch(() => {});
  }
}
