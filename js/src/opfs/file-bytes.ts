// The bytes of files of the browser, read and written in large pieces.
import { free } from "../core/free.ts";

/** Taken out of a stream at a time, at most. In bytes. */
const PIECE = 1 << 20;

/** Fills `into` from `offset` on, as far as there is something; gives how many bytes that were. */
export type ReadAt = (offset: number, into: Uint8Array) => Promise<number>;

/**
 * Reads a file at any place. Whoever reads on and on gets its bytes from a stream, which the browser fills meanwhile: that
 * is twice as fast as one slice after the other, and needs no memory for what is ahead.
 */
export class BlobReader {
  readonly #blob: Blob;
  #next = -1;
  #stream: ByteStream | undefined;

  constructor(blob: Blob) {
    this.#blob = blob;
  }

  /** See {@link ReadAt}. A second read may begin before the first has ended. */
  async read(offset: number, into: Uint8Array): Promise<number> {
    const isOnward = offset === this.#next;
    this.#next = offset + into.length;
    if (isOnward) {
      this.#stream ??= new ByteStream(this.#blob.slice(offset));
      return this.#stream.fill(into);
    }
    this.close();
    const bytes = new Uint8Array(await this.#blob.slice(offset, offset + into.length).arrayBuffer());
    into.set(bytes);
    return bytes.length;
  }

  /** Lets go of the stream. Idempotent; reads are still possible. */
  close(): void {
    this.#stream?.close();
    this.#stream = undefined;
  }
}

type Reader = ReadableStreamDefaultReader<Uint8Array> | ReadableStreamBYOBReader;

/** The bytes of a blob, from its start to its end. */
class ByteStream {
  readonly #reader: Reader;
  #buffer = new ArrayBuffer(PIECE);
  #left: Uint8Array = new Uint8Array();
  #last: Promise<unknown> = Promise.resolve();

  constructor(blob: Blob) {
    this.#reader = readerOf(blob.stream());
  }

  fill(into: Uint8Array): Promise<number> {
    const filled = this.#last.then(() => this.#fill(into));
    this.#last = filled.catch(() => {}); // whoever asked for it hears of it
    return filled;
  }

  close(): void {
    this.#reader.cancel().catch(() => {}); // nobody waits for it any more
  }

  async #fill(into: Uint8Array): Promise<number> {
    let filled = 0;
    while (filled < into.length) {
      if (this.#left.length === 0) {
        const { value, done } = await this.#more();
        if (done || !value) break;
        this.#left = value;
      }
      const part = this.#left.subarray(0, into.length - filled);
      into.set(part, filled);
      filled += part.length;
      this.#left = this.#left.subarray(part.length);
      if (this.#left.length === 0 && part.buffer.byteLength >= PIECE)
        this.#buffer = part.buffer as ArrayBuffer;
    }
    return filled;
  }

  #more(): Promise<ReadableStreamReadResult<Uint8Array>> {
    const reader = this.#reader;
    return reader instanceof ReadableStreamDefaultReader
      ? reader.read()
      : reader.read(new Uint8Array(this.#buffer));
  }
}

/** Fills a buffer of ours where the browser can do that. */
function readerOf(stream: ReadableStream<Uint8Array>): Reader {
  try {
    return stream.getReader({ mode: "byob" });
  } catch {
    return stream.getReader();
  }
}

/** Written at a time, in bytes: each write is a call to another process. */
const WRITE = 1 << 20;

/**
 * Writes chunks into a file of the browser, which is not closed; gives how many bytes those were.
 *
 * @param ownsChunks whether each chunk may be detached once it is taken, to free its memory
 */
export async function writeAll(
  writable: FileSystemWritableFileStream,
  chunks: AsyncIterable<Uint8Array>,
  ownsChunks: boolean,
): Promise<number> {
  const buffer = new Uint8Array(WRITE);
  let [size, filled] = [0, 0];
  const flush = async () => {
    if (filled > 0) await writable.write(buffer.subarray(0, filled));
    filled = 0;
  };
  for await (const chunk of chunks) {
    size += chunk.length;
    for (let at = 0; at < chunk.length; ) {
      const part = chunk.subarray(at, at + WRITE - filled);
      buffer.set(part, filled);
      filled += part.length;
      at += part.length;
      if (filled === WRITE) await flush();
    }
    if (ownsChunks) free(chunk);
  }
  await flush();
  return size;
}
