// Web streams: made from a generator, read to their end.
import { free } from "../core/free.ts";

/**
 * Chunks as a stream that makes none before it is asked for.
 *
 * @param release is called when the stream is canceled, also before the first chunk, when nothing of `chunks` has run
 */
export function streamOf(
  chunks: AsyncGenerator<Uint8Array, void, void>,
  release?: () => Promise<void>,
): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await chunks.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      async cancel() {
        await chunks.return();
        await release?.();
      },
    },
    // Chunks are large; more would only lie in memory.
    { highWaterMark: 0 },
  );
}

/** `stream`, which ends only once `last` has. */
export function endingWith(
  stream: ReadableStream<Uint8Array>,
  last: () => Promise<void>,
): ReadableStream<Uint8Array> {
  const reader = stream.getReader();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await reader.read();
        if (!done) return controller.enqueue(value);
        await last();
        controller.close();
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
}

/** A stream of nothing. */
export function emptyStream(): ReadableStream<Uint8Array> {
  return new ReadableStream({ start: (controller) => controller.close() });
}

/** The chunks of a stream, which is canceled when not all of them are taken. */
export async function* chunksOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

/** Reads `stream` to its end. */
export async function drain(stream: ReadableStream<Uint8Array>): Promise<void> {
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    free(value);
  }
}

/** All of a short stream. */
export async function bytesOf(stream: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  return new Uint8Array(await new Response(stream as ReadableStream<Uint8Array<ArrayBuffer>>).arrayBuffer());
}

/** All of a short stream, at most `length` bytes of it, however much longer that is than most are. */
export async function collect(stream: ReadableStream<Uint8Array>, length: number): Promise<Uint8Array> {
  const reader = stream.getReader();
  /** The only chunk, as long as there is no other. */
  let all: Uint8Array | undefined;
  let filled = 0;
  while (filled < length) {
    const { done, value } = await reader.read();
    if (done) return all?.subarray(0, filled) ?? new Uint8Array();
    const fits = value.subarray(0, length - filled);
    if (all === undefined) all = fits;
    else {
      if (all.length < length) all = extended(all, length);
      all.set(fits, filled);
    }
    filled += fits.length;
  }
  await reader.cancel();
  return all ?? new Uint8Array();
}

function extended(bytes: Uint8Array, length: number): Uint8Array {
  const longer = new Uint8Array(length);
  longer.set(bytes);
  return longer;
}

type Pipe = { readable: ReadableStream<Uint8Array>; writable: WritableStream<Uint8Array> };

/** `stream`, which fails when it has not `length` bytes. In workerd it is one whose length HTTP is told. */
export function ofLength(stream: ReadableStream<Uint8Array>, length: number): ReadableStream<Uint8Array> {
  const { FixedLengthStream } = globalThis as unknown as {
    FixedLengthStream?: new (length: number) => Pipe;
  };
  const { readable, writable }: Pipe = FixedLengthStream ? new FixedLengthStream(length) : counting(length);
  stream.pipeTo(writable).catch(() => {}); // who reads it hears of an error there
  return readable;
}

function counting(length: number): Pipe {
  let left = length;
  const check = (isWrong: boolean) => {
    if (isWrong) throw new RangeError(`${Math.abs(left)} bytes ${left < 0 ? "too many" : "are missing"}`);
  };
  return new TransformStream<Uint8Array, Uint8Array>(
    {
      transform(chunk, controller) {
        left -= chunk.length;
        check(left < 0);
        controller.enqueue(chunk);
      },
      flush: () => check(left !== 0),
    },
    // With room for none, nothing would ever be written.
    { highWaterMark: 1 },
    { highWaterMark: 0 },
  );
}
