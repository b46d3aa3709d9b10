import { StoreError } from "../errors/store-error.ts";
import type { Calls } from "./r2-calls.ts";
import { BrokenAnswer, isTransient, meaningOf } from "./r2-errors.ts";

type Bytes = ReadableStream<Uint8Array>;

export interface Reading {
  key: string;
  /** Of the object: what is read after a failure must be the same one. */
  etag: string;
  /** The part of it that is wanted. */
  start: number;
  end: number;
  signal: AbortSignal | undefined;
}

/** What is read at once for who brings no memory of his own, in bytes. R2's own streams give 4 KiB. */
const CHUNK = 64 << 10;

/**
 * Streams `start` up to `end` of an object, from `body`, as it is asked for. Where the stream breaks off, it is taken
 * up again at that byte; it fails when that fails as often in a row as a call may, so that no reader gets less.
 */
export function streamObject(calls: Calls, body: Bytes, reading: Reading): Bytes {
  const { key, etag, end, signal } = reading;
  let at = reading.start;
  let reader: BodyReader | undefined = new BodyReader(body);
  let failures = 0;
  let ended = false;
  let onAbort = () => {};

  const finish = (reason?: unknown) => {
    ended = true;
    signal?.removeEventListener("abort", onAbort);
    reader?.cancel(reason).catch(() => {});
    reader = undefined;
  };

  const readOnce = async (into: Uint8Array<ArrayBuffer>): Promise<Uint8Array> => {
    reader ??= new BodyReader(await reopen(calls, key, etag, at, end));
    const { done, value } = await reader.read(into);
    if (done || value.length > end - at)
      throw new BrokenAnswer(`the object broke off at byte ${at} of ${end}`);
    return value;
  };

  const read = async (view: Uint8Array<ArrayBuffer>): Promise<Uint8Array> => {
    const { byteOffset, byteLength } = view;
    const { byteLength: size } = view.buffer;
    for (let into = view; ; ) {
      try {
        const chunk = await calls.inTime(readOnce(into), 0, signal);
        failures = 0;
        return chunk;
      } catch (error) {
        reader?.cancel().catch(() => {});
        reader = undefined;
        signal?.throwIfAborted();
        failures++;
        if (ended || !isTransient(error) || failures >= calls.patience.attempts) {
          throw meaningOf(error, "read", key, failures);
        }
        await calls.pause(failures, signal);
        // What failed late may still write into the other.
        into = new Uint8Array(new ArrayBuffer(size), byteOffset, byteLength);
      }
    }
  };

  return new ReadableStream({
    type: "bytes",
    autoAllocateChunkSize: CHUNK,
    start(controller) {
      onAbort = () => {
        controller.error(signal?.reason);
        finish(signal?.reason);
      };
      if (signal?.aborted) onAbort();
      else signal?.addEventListener("abort", onAbort, { once: true });
    },
    async pull(controller) {
      // There is always one: nothing is read ahead.
      const request = controller.byobRequest as ReadableStreamBYOBRequest;
      try {
        const chunk = await read(request.view as Uint8Array<ArrayBuffer>);
        if (ended) return; // cancelled or aborted meanwhile
        at += chunk.length;
        request.respondWithNewView(chunk as Uint8Array<ArrayBuffer>);
      } catch (error) {
        if (ended) return;
        finish();
        controller.error(error);
        return;
      }
      if (at < end) return;
      finish();
      controller.close();
      // Who reads further, and waits already.
      controller.byobRequest?.respond(0);
    },
    cancel: finish,
  });
}

/** Reads a body into memory that it is given: R2's can, others are copied. */
class BodyReader {
  readonly #filling: ReadableStreamBYOBReader | undefined;
  readonly #giving: ReadableStreamDefaultReader<Uint8Array> | undefined;
  #rest: Uint8Array = new Uint8Array();

  constructor(body: Bytes) {
    try {
      this.#filling = body.getReader({ mode: "byob" });
    } catch {
      this.#giving = body.getReader();
    }
  }

  /** What comes next, as a part of the memory that `into` is in, which the caller no longer has. */
  async read(into: Uint8Array<ArrayBuffer>): Promise<{ done: boolean; value: Uint8Array }> {
    if (this.#filling) {
      const { done, value = new Uint8Array() } = await this.#filling.read(into);
      return { done, value };
    }
    while (this.#rest.length === 0) {
      const next = await this.#giving?.read();
      if (!next?.value) return { done: true, value: new Uint8Array() };
      this.#rest = next.value;
    }
    const value = into.subarray(0, this.#rest.length);
    value.set(this.#rest.subarray(0, value.length));
    this.#rest = this.#rest.subarray(value.length);
    return { done: false, value };
  }

  async cancel(reason?: unknown): Promise<void> {
    await (this.#filling ?? this.#giving)?.cancel(reason);
  }
}

async function reopen(calls: Calls, key: string, etag: string, at: number, end: number): Promise<Bytes> {
  const found = await calls.bucket.get(key, {
    range: { offset: at, length: end - at },
    onlyIf: { etagMatches: etag },
  });
  if (found?.body !== undefined) return found.body;
  const message = `${JSON.stringify(key)} in the bucket was deleted or replaced while it was read; verify the backups`;
  throw new StoreError("STORE_IO", message, { name: key, offset: at });
}
