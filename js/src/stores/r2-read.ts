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

/**
 * Streams `start` up to `end` of an object, from `body`, as it is asked for. Where the stream breaks off, it is taken
 * up again at that byte; it fails when that fails as often in a row as a call may, so that no reader gets less.
 */
export function streamObject(calls: Calls, body: Bytes, reading: Reading): Bytes {
  const { key, etag, end, signal } = reading;
  let at = reading.start;
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined = body.getReader();
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
    reader ??= (await reopen(calls, key, etag, at, end)).getReader();
    const { done, value } = await reader.read();
    if (done || value.length > end - at)
      throw new BrokenAnswer(`the object broke off at byte ${at} of ${end}`);
    return value;
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
        failures++;
        if (ended || !isTransient(error) || failures >= calls.patience.attempts) {
          throw meaningOf(error, "read", key, failures);
        }
        await calls.pause(failures, signal);
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
          if (ended) return; // cancelled or aborted meanwhile
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

async function reopen(calls: Calls, key: string, etag: string, at: number, end: number): Promise<Bytes> {
  const found = await calls.bucket.get(key, {
    range: { offset: at, length: end - at },
    onlyIf: { etagMatches: etag },
  });
  if (found?.body !== undefined) return found.body;
  const message = `${JSON.stringify(key)} in the bucket was deleted or replaced while it was read; verify the backups`;
  throw new StoreError("STORE_IO", message, { name: key, offset: at });
}
