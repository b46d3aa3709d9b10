import { checkHas } from "../errors/options.ts";

/** What a put stores. */
export type Body = ReadableStream<Uint8Array> | Uint8Array;

/**
 * Gives the chunks of `body` to `use`. When anything fails, or `signal` aborts, a stream is canceled, so that what
 * makes it stops. The error of a stream is thrown as it is; an abort throws the signal's reason.
 */
export async function consume<T>(
  body: Body,
  signal: AbortSignal | undefined,
  use: (chunks: AsyncIterable<Uint8Array>) => Promise<T>,
): Promise<T> {
  if (!(body instanceof Uint8Array)) checkHas("getReader", body, "the body", "bytes or a ReadableStream");
  try {
    signal?.throwIfAborted();
    return await use(chunksOf(body, signal));
  } catch (error) {
    if (!(body instanceof Uint8Array)) quietly(body.cancel(error));
    throw error;
  }
}

async function* chunksOf(body: Body, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
  if (body instanceof Uint8Array) {
    yield body;
    return;
  }
  const reader = body.getReader();
  // Ends a read that waits: the maker of the stream may never answer.
  const onAbort = () => quietly(reader.cancel(signal?.reason));
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    for (;;) {
      signal?.throwIfAborted();
      const { done, value } = await reader.read();
      signal?.throwIfAborted(); // first: a canceled stream looks like one that came to its end
      if (done) return;
      yield value;
    }
  } finally {
    signal?.removeEventListener("abort", onAbort);
    reader.releaseLock();
  }
}

/** The error that matters is already on its way to the caller. */
function quietly(promise: Promise<unknown>) {
  promise.catch(() => {});
}
