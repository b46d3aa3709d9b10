import type { Moment } from "../sources/source.ts";
import type { JobOptions } from "../streams/progress.ts";
import { streamOf } from "../streams/streams.ts";

export interface MomentStreamOptions extends JobOptions {
  /** What of the file, in bytes; all of it unless given. */
  span?: { offset: number; length: number } | undefined;
}

/** What is read at once, in bytes. */
const CHUNK = 1 << 20;

/** The pages of a moment as a database file. The moment is released when the stream ends, fails or is canceled. */
export function momentStream(moment: Moment, options: MomentStreamOptions = {}): ReadableStream<Uint8Array> {
  return streamOf(momentChunks(moment, options), () => moment.release());
}

async function* momentChunks(
  moment: Moment,
  { span, signal, onProgress }: MomentStreamOptions,
): AsyncGenerator<Uint8Array, void, void> {
  const { pageSize, pageCount } = moment;
  const { offset, length } = span ?? { offset: 0, length: pageSize * pageCount };
  const end = offset + length;
  const last = Math.ceil(end / pageSize);
  const most = Math.max(1, Math.floor(CHUNK / pageSize));
  try {
    for (let done = Math.floor(offset / pageSize); done < last; ) {
      signal?.throwIfAborted();
      const start = done * pageSize;
      const count = Math.min(most, last - done);
      const pages = new Uint8Array(count * pageSize);
      await moment.read(done + 1, pages, signal);
      done += count;
      onProgress?.({ phase: "pages", done, total: pageCount, bytes: done * pageSize });
      yield pages.subarray(Math.max(0, offset - start), Math.min(pages.length, end - start));
    }
    // What was read is only one moment if releasing says so.
    await moment.release();
  } finally {
    await moment.release().catch(() => {});
  }
}
