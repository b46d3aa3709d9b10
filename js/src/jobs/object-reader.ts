import { type Hasher, sha256 } from "../core/index.ts";
import { DamageError } from "../errors/index.ts";
import type { Store } from "../stores/store.ts";

/** A stored object to read from start to end. */
export interface StoredFile {
  key: string;
  /** In bytes. */
  size: number;
  /** What its record says; files without a record have none. */
  sha256?: string;
}

/** Reads an object in ranged requests of `step` bytes, one of them ahead, and proves it at its end. */
export class ObjectReader {
  readonly #store: Store;
  readonly #file: StoredFile;
  readonly #step: number;
  readonly #signal: AbortSignal | undefined;
  readonly #hash: Hasher | undefined;
  #asked = 0;
  #given = 0;
  #ahead: Promise<Uint8Array> | undefined;

  static async open(store: Store, file: StoredFile, step: number, signal?: AbortSignal): Promise<ObjectReader> {
    return new ObjectReader(store, file, step, signal, file.sha256 === undefined ? undefined : await sha256());
  }

  private constructor(
    store: Store,
    file: StoredFile,
    step: number,
    signal: AbortSignal | undefined,
    hash: Hasher | undefined,
  ) {
    this.#store = store;
    this.#file = file;
    this.#step = step;
    this.#signal = signal;
    this.#hash = hash;
  }

  /**
   * The next bytes; an empty array at the end.
   *
   * @throws DamageError when the whole does not have the recorded digest
   */
  async next(): Promise<Uint8Array> {
    const { key, size, sha256: expected } = this.#file;
    const bytes = await (this.#ahead ?? this.#fetch());
    this.#ahead = undefined;
    if (bytes.length === 0) return bytes;
    this.#hash?.update(bytes);
    this.#given += bytes.length;
    if (this.#given < size) {
      this.#ahead = this.#fetch();
      // Its failure is thrown by the next call.
      this.#ahead.catch(() => {});
    } else if (this.#hash && this.#hash.digest() !== expected) {
      throw damaged(key, "does not have the recorded SHA-256");
    }
    return bytes;
  }

  async #fetch(): Promise<Uint8Array> {
    const { key, size } = this.#file;
    const offset = this.#asked;
    const length = Math.min(this.#step, size - offset);
    if (length <= 0) return new Uint8Array();
    this.#asked += length;
    const stream = await this.#store.get(key, { offset, length, signal: this.#signal });
    const bytes = await collect(stream, length);
    if (bytes.length < length) throw damaged(key, `ends after ${offset + bytes.length} of ${size} bytes`);
    return bytes;
  }
}

/** All of a short stream, at most `length` bytes of it. */
export async function collect(stream: ReadableStream<Uint8Array>, length: number): Promise<Uint8Array> {
  const reader = stream.getReader();
  let first: Uint8Array | undefined;
  let all: Uint8Array | undefined;
  let filled = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    if (first === undefined && value.length === length) first = value;
    all ??= first === undefined ? new Uint8Array(length) : undefined;
    all?.set(value.subarray(0, length - filled), filled);
    filled = Math.min(filled + value.length, length);
    if (filled === length) {
      await reader.cancel();
      break;
    }
  }
  return first ?? all?.subarray(0, filled) ?? new Uint8Array();
}

export function damaged(key: string, what: string): DamageError {
  const message = `${key} ${what}: it is damaged; restore another backup, or put the object back`;
  return new DamageError("OBJECT_DAMAGED", message, { name: key });
}
