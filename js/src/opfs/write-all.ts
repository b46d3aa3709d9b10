import { free } from "../core/free.ts";

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
