/**
 * Chunks as a stream that makes none before it is asked for.
 *
 * @param release is called when the stream is cancelled, also before the first chunk, when nothing of `chunks` has run
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
