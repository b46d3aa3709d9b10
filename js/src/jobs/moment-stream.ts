import type { Moment } from "../sources/source.ts";
import type { JobOptions } from "./progress.ts";

/** What is read at once, in bytes. */
const CHUNK = 1 << 20;

/** The pages of a moment as a database file. The moment is released when the stream ends, fails or is cancelled. */
export function momentStream(
  moment: Moment,
  { signal, onProgress }: JobOptions = {},
): ReadableStream<Uint8Array> {
  const { pageSize, pageCount } = moment;
  const most = Math.max(1, Math.floor(CHUNK / pageSize));
  let next = 1;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          signal?.throwIfAborted();
          if (next > pageCount) {
            // What was read is only one moment if releasing says so.
            await moment.release();
            return controller.close();
          }
          const count = Math.min(most, pageCount - next + 1);
          const pages = new Uint8Array(count * pageSize);
          await moment.read(next, pages, signal);
          next += count;
          const done = next - 1;
          onProgress?.({ phase: "pages", done, total: pageCount, bytes: done * pageSize });
          controller.enqueue(pages);
        } catch (error) {
          await moment.release().catch(() => {});
          throw error;
        }
      },
      cancel: () => moment.release(),
    },
    { highWaterMark: 0 },
  );
}
