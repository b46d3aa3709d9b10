import { free, type Hasher, sha256 } from "../core/index.ts";
import { DamageError } from "../errors/index.ts";
import type { Store } from "../stores/store.ts";

/** A stored object to read from start to end. */
export interface StoredFile {
  key: string;
  /** In bytes. */
  size: number;
  /** What its record says; files without a record have none. */
  sha256?: string;
  /** What tells where its pages lie, in a file of a backup; those of before 2026-12 have none. */
  directory?: Part;
}

/** The end of a stored object, which is proved by itself. */
export interface Part {
  key: string;
  /** Where it begins, in bytes. */
  offset: number;
  /** In bytes. */
  size: number;
  sha256: string;
}

/**
 * Reads an object from start to end, one chunk ahead, and proves it at its end. It asks the store for `step` bytes at
 * a time, which bounds how much lies in memory when many objects are read side by side; with `isOpen` it reads so many at a time from
 * one stream, which is for stores that fill buffers.
 */
export class ObjectReader {
  readonly #store: Store;
  readonly #file: StoredFile;
  /** Bytes that a call of the store is for. */
  readonly #range: number;
  readonly #signal: AbortSignal | undefined;
  readonly #hash: Hasher | undefined;
  #stream: ChunkReader | undefined;
  readonly #buffers: Buffers;
  /** Whether all streams so far filled our memory, and gave none of their own. */
  #fillsOurs = true;
  /** Where the range that was asked for ends, how much of the object was read, and how much given out. */
  #rangeEnd = 0;
  #read = 0;
  #given = 0;
  #ahead: Promise<Uint8Array> | undefined;
  #last: Uint8Array = new Uint8Array();

  static async open(
    store: Store,
    file: StoredFile,
    step: number,
    signal?: AbortSignal,
    isOpen = false,
  ): Promise<ObjectReader> {
    return new ObjectReader(
      store,
      file,
      { step, isOpen },
      signal,
      file.sha256 === undefined ? undefined : await sha256(),
    );
  }

  private constructor(
    store: Store,
    file: StoredFile,
    { step, isOpen }: { step: number; isOpen: boolean },
    signal: AbortSignal | undefined,
    hash: Hasher | undefined,
  ) {
    this.#store = store;
    this.#file = file;
    this.#range = isOpen ? Number.POSITIVE_INFINITY : step;
    // Most objects of a long chain are small.
    this.#buffers = new Buffers(Math.max(1, Math.min(step, CHUNK, file.size)));
    this.#signal = signal;
    this.#hash = hash;
  }

  /** Begins to read, before anyone asks for it by {@link next}; which also tells what went wrong. */
  async begin(): Promise<void> {
    this.#ahead = this.#nextChunk();
    await this.#ahead.catch(() => {});
  }

  /**
   * The next bytes, which stay as they are until the next call; an empty array at the end. `spare` is memory that was
   * given out before and taken away ({@link isOurs}), to be read into again.
   *
   * @throws DamageError when the whole does not have the recorded digest
   */
  async next(spare?: ArrayBuffer): Promise<Uint8Array> {
    const { key, size, sha256: expected } = this.#file;
    if (spare) this.#buffers.giveBack(new Uint8Array(spare));
    const bytes = await (this.#ahead ?? this.#nextChunk());
    this.#ahead = undefined;
    if (this.#store.givesChunksAway && !this.#buffers.made(this.#last)) free(this.#last);
    else this.#buffers.giveBack(this.#last);
    this.#last = bytes;
    if (bytes.length === 0) return bytes;
    this.#hash?.update(bytes);
    this.#given += bytes.length;
    if (this.#given < size) {
      this.#ahead = this.#nextChunk();
      // Its failure is thrown by the next call.
      this.#ahead.catch(() => {});
    } else {
      await this.close();
      if (this.#hash && this.#hash.digest() !== expected)
        throw damaged(key, "does not have the recorded SHA-256");
    }
    return bytes;
  }

  /** Whether the bytes last given out lie in memory of ours, which the caller may take away. */
  get isOurs(): boolean {
    return this.#fillsOurs && this.#buffers.made(this.#last);
  }

  /** Lets go of what is open in the store. */
  async close(): Promise<void> {
    await this.#ahead?.catch(() => {});
    await this.#stream?.cancel().catch(() => {});
    this.#stream = undefined;
  }

  async #nextChunk(): Promise<Uint8Array> {
    const { key, size } = this.#file;
    while (this.#read < size) {
      this.#stream ??= await this.#openRange();
      const { done, value } = await this.#stream.read();
      if (done) {
        this.#stream = undefined;
        if (this.#read < this.#rangeEnd) throw damaged(key, `ends after ${this.#read} of ${size} bytes`);
        continue;
      }
      this.#read += value.length;
      if (this.#read > this.#rangeEnd) throw damaged(key, `is longer than its ${size} bytes`);
      if (value.length > 0) return value;
    }
    return new Uint8Array();
  }

  async #openRange(): Promise<ChunkReader> {
    const { key, size } = this.#file;
    const length = Math.min(this.#range, size - this.#read);
    this.#rangeEnd = this.#read + length;
    const stream = await this.#store.get(key, { offset: this.#read, length, signal: this.#signal });
    const reader = new ChunkReader(stream, this.#buffers);
    this.#fillsOurs &&= reader.fillsOurs;
    return reader;
  }
}

/** Read at a time, in bytes. */
const CHUNK = 512 << 10;

/** Memory that is read into again and again: the collector would take 32 MB to notice that it is garbage. */
class Buffers {
  readonly #size: number;
  readonly #free: ArrayBufferLike[] = [];

  constructor(size: number) {
    this.#size = size;
  }

  take(): Uint8Array {
    return new Uint8Array(this.#free.pop() ?? new ArrayBuffer(this.#size));
  }

  giveBack(bytes: Uint8Array): void {
    if (this.made(bytes)) this.#free.push(bytes.buffer);
  }

  /** Whether it is as large as memory from here, and nobody took it away. */
  made({ buffer }: Uint8Array): boolean {
    return buffer.byteLength === this.#size;
  }
}

/** A stream's chunks, in our own memory where the stream can fill it. */
class ChunkReader {
  readonly #filling: ReadableStreamBYOBReader | undefined;
  readonly #giving: ReadableStreamDefaultReader<Uint8Array> | undefined;
  readonly #buffers: Buffers;

  constructor(stream: ReadableStream<Uint8Array>, buffers: Buffers) {
    this.#buffers = buffers;
    try {
      this.#filling = stream.getReader({ mode: "byob" });
    } catch {
      // Not a byte stream: it gives chunks of its own.
      this.#giving = stream.getReader();
    }
  }

  get fillsOurs(): boolean {
    return this.#filling !== undefined;
  }

  async read(): Promise<{ done: boolean; value: Uint8Array }> {
    const result = this.#filling
      ? await this.#filling.read(this.#buffers.take() as Uint8Array<ArrayBuffer>)
      : await this.#giving?.read();
    return { done: result?.done ?? true, value: result?.value ?? new Uint8Array() };
  }

  async cancel(): Promise<void> {
    await (this.#filling ?? this.#giving)?.cancel();
  }
}

/** An object that is not as long as its record says. */
export function otherSize({ key, size }: Pick<StoredFile, "key" | "size">, found: number): DamageError {
  return damaged(key, `has ${found} bytes instead of ${size}`);
}

export function damaged(key: string, what: string): DamageError {
  const message = `${key} ${what}: it is damaged; restore another backup, or put the object back`;
  return new DamageError("OBJECT_DAMAGED", message, { name: key });
}
