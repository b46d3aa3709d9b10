import { BrokenAnswer, type Calls } from "./object-calls.ts";

type Bytes = ReadableStream<Uint8Array>;

export interface Reading {
  key: string;
  /** The part of it that is wanted. */
  start: number;
  end: number;
  signal: AbortSignal | undefined;
  /** The bytes from `at` on, of the same object. @throws StoreError when that is gone */
  reopen(at: number): Promise<Bytes>;
}

/** Most bytes read at once. R2's streams by themselves give 4 KiB. */
const CHUNK = 64 << 10;

/**
 * Streams `start` up to `end` of an object, from `body`. Where the stream breaks off, it is opened again at that byte.
 * It fails when that fails as often in a row as a call may, so a reader never gets less than it asked for.
 */
export function streamObject<Bucket>(calls: Calls<Bucket>, body: Bytes, reading: Reading): Bytes {
  const { key, end, signal } = reading;
  let at = reading.start;
  let reader: BodyReader | undefined = new BodyReader(body, end - at);
  let failures = 0;
  let ended = false;
  let onAbort = () => {};

  const finish = (reason?: unknown) => {
    ended = true;
    signal?.removeEventListener("abort", onAbort);
    reader?.cancel(reason).catch(() => {});
    reader = undefined;
  };

  const readOnce = async (): Promise<Uint8Array> => {
    reader ??= new BodyReader(await reading.reopen(at), end - at);
    const chunk = await reader.read();
    if (chunk === undefined || chunk.length > end - at)
      throw new BrokenAnswer(`the object broke off at byte ${at} of ${end}`);
    return chunk;
  };

  const read = async (): Promise<Uint8Array> => {
    for (;;) {
      try {
        const chunk = await calls.inTime(readOnce(), 0, signal);
        if (chunk.length === 0) continue;
        failures = 0;
        return chunk;
      } catch (error) {
        reader?.cancel().catch(() => {});
        reader = undefined;
        signal?.throwIfAborted();
        if (ended) throw error;
        await calls.failed(error, { doing: "read", key, signal }, ++failures);
      }
    }
  };

  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        onAbort = () => {
          controller.error(signal?.reason);
          finish(signal?.reason);
        };
        if (signal?.aborted) onAbort();
        else signal?.addEventListener("abort", onAbort, { once: true });
      },
      async pull(controller) {
        try {
          const chunk = await read();
          if (ended) return; // canceled or aborted meanwhile
          at += chunk.length;
          controller.enqueue(chunk);
        } catch (error) {
          if (ended) return;
          finish();
          controller.error(error);
          return;
        }
        if (at < end) return;
        finish();
        controller.close();
      },
      cancel: finish,
    },
    { highWaterMark: 0 }, // nothing is read ahead
  );
}

/** Reads a body, in large chunks where the body can fill a buffer. */
class BodyReader {
  readonly #filling: ReadableStreamBYOBReader | undefined;
  readonly #giving: ReadableStreamDefaultReader<Uint8Array> | undefined;
  #memory = new ArrayBuffer(0);

  /** Prepares to read `length` bytes. */
  constructor(body: Bytes, length: number) {
    try {
      this.#filling = body.getReader({ mode: "byob" });
      this.#memory = new ArrayBuffer(Math.min(CHUNK, length));
    } catch {
      this.#giving = body.getReader();
    }
  }

  /** The next chunk, in memory of its own; `undefined` at the end. */
  async read(): Promise<Uint8Array | undefined> {
    if (this.#filling === undefined) return (await this.#giving?.read())?.value;
    const { done, value } = await this.#filling.read(new Uint8Array(this.#memory));
    if (done || value === undefined) return undefined;
    // A copy of just what was read: the buffer is filled again.
    const chunk = value.slice();
    this.#memory = value.buffer;
    return chunk;
  }

  async cancel(reason?: unknown): Promise<void> {
    await (this.#filling ?? this.#giving)?.cancel(reason);
  }
}
