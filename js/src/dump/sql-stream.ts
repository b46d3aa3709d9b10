/** What a reader without a buffer of its own gets at once, in bytes. */
const CHUNK = 256 << 10;

/**
 * Chunks that are of no use any more once the next is asked for, as a stream: what it gives is a copy.
 *
 * @param release is called when the stream is canceled, also before the first chunk, when nothing of `chunks` has run
 */
export function sqlStream(
  chunks: AsyncGenerator<Uint8Array, void, void>,
  release: () => Promise<void>,
): ReadableStream<Uint8Array> {
  let rest = new Uint8Array();
  const take = (most: number) => {
    const part = rest.subarray(0, most);
    rest = rest.subarray(part.length);
    return part;
  };
  return new ReadableStream(
    {
      // So that a reader can bring a buffer of its own, and bring it again. Not every browser knows it.
      type: typeof ReadableByteStreamController === "function" ? "bytes" : undefined,
      async pull(controller: ReadableByteStreamController | ReadableStreamDefaultController<Uint8Array>) {
        const next = rest.length === 0 ? await chunks.next() : undefined;
        if (next?.value) rest = next.value as Uint8Array<ArrayBuffer>;
        const request = "byobRequest" in controller ? controller.byobRequest : null;
        if (next?.done) {
          controller.close();
          request?.respond(0);
        } else if (request?.view) {
          const { buffer, byteOffset, byteLength } = request.view;
          const part = take(byteLength);
          new Uint8Array(buffer, byteOffset).set(part);
          request.respond(part.length);
        } else {
          controller.enqueue(take(CHUNK).slice());
        }
      },
      async cancel() {
        await chunks.return();
        await release();
      },
    } as UnderlyingDefaultSource<Uint8Array>,
    { highWaterMark: 0 },
  );
}
