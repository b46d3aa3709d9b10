import { type Hasher, sha256 } from "../core/index.ts";
import { ObjectExistsError } from "../errors/index.ts";
import type { PutOptions, Store } from "../stores/store.ts";

/** What proves a stored object. */
export interface ObjectProof {
  /** 64 hex digits. */
  sha256: string;
  /** In bytes. */
  size: number;
}

/** In bytes: what is shorter is put in one piece, which asks less of every store than a stream does. */
const SMALL = 1 << 20;

/** An object that is written piece by piece. It is there once {@link finish} resolves, or not at all. */
export interface ObjectFile {
  /** Appends `bytes`, which stay as they are from then on; waits while the store is behind. */
  write(bytes: Uint8Array): Promise<void>;
  /** Ends the object and waits until it is stored. @throws ObjectExistsError when its key has another object */
  finish(): Promise<ObjectProof>;
  /**
   * Gives the object up; nothing of it stays, nor itself, if it was stored. Where nobody knows whether it was, it is only
   * deleted if the key cannot have another's.
   */
  abort(isOurs?: boolean): Promise<void>;
  /** Lets go of memory. */
  free?(): void;
}

/** Such an object, written by one process from start to end. */
export class Upload implements ObjectFile {
  readonly key: string;
  readonly #store: Store;
  readonly #options: PutOptions;
  readonly #hash: Hasher;
  /** What waits until there is enough for a stream. */
  #small: Uint8Array[] = [];
  #stream: Streamed | undefined;
  #size = 0;
  /** Whether the object is there, made by this; `unsure` after a failure, when it may be another's, too. */
  #isThere: boolean | "unsure" = false;

  static async start(store: Store, key: string, options: PutOptions): Promise<Upload> {
    return new Upload(store, key, options, await sha256());
  }

  private constructor(store: Store, key: string, options: PutOptions, hash: Hasher) {
    this.key = key;
    this.#store = store;
    this.#options = options;
    this.#hash = hash;
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (bytes.length === 0) return;
    this.#size += bytes.length;
    this.#hash.update(bytes);
    if (this.#stream) return this.#stream.write(bytes);
    this.#small.push(bytes);
    if (this.#size <= SMALL) return;
    this.#stream = new Streamed(this.#store, this.key, this.#options);
    for (const piece of this.#small.splice(0)) await this.#stream.write(piece);
  }

  async finish(): Promise<ObjectProof> {
    try {
      if (this.#stream) await this.#stream.finish();
      else await this.#store.put(this.key, joined(this.#small, this.#size), this.#options);
    } catch (error) {
      // A store may have stored it and still report an error.
      this.#isThere = error instanceof ObjectExistsError ? false : "unsure";
      throw error;
    }
    this.#isThere = true;
    return { sha256: this.#hash.digest(), size: this.#size };
  }

  async abort(isOurs = false): Promise<void> {
    await this.#stream?.abort();
    if (this.#isThere === true || (this.#isThere === "unsure" && isOurs)) await this.#store.delete(this.key);
  }
}

class Streamed {
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #stored: Promise<void>;

  constructor(store: Store, key: string, options: PutOptions) {
    // A few batches may wait for the store, so that packing goes on while it writes.
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>({}, undefined, {
      highWaterMark: 3,
    });
    this.#writer = writable.getWriter();
    this.#stored = store.put(key, readable, options);
    // Whoever writes or finishes hears of a failure; until then it must not count as unhandled. A store that fails
    // may leave the stream as it is, and writing must not wait for it.
    this.#stored.catch((error) => this.#writer.abort(error)).catch(() => {});
    this.#writer.closed.catch(() => {});
  }

  async write(bytes: Uint8Array): Promise<void> {
    try {
      await this.#writer.ready;
      this.#writer.write(bytes).catch(() => {});
    } catch (error) {
      // The stream only says that it was canceled; the store knows why.
      await this.#stored;
      throw error;
    }
  }

  async finish(): Promise<void> {
    this.#writer.close().catch(() => {});
    await this.#stored;
  }

  async abort(): Promise<void> {
    // Not awaited: it waits for a write that no one may read any more.
    this.#writer.abort(new Error("the backup was given up")).catch(() => {});
    await this.#stored.catch(() => {});
  }
}

/** Pieces of `size` bytes in all as one. */
export function joined(pieces: readonly Uint8Array[], size: number): Uint8Array {
  const [first] = pieces;
  if (first?.length === size) return first;
  const whole = new Uint8Array(size);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
