import { free } from "../../core/free.ts";
import { streamOf } from "../../streams/streams.ts";
import type { ByteRange, ByteSpan } from "../byte-range.ts";
import { type Download, spanIn } from "./downloads.ts";

/** A range of a file that is nowhere stored: made once for its size, and again for the range. It is the same each time. */
export async function remade(
  make: () => Promise<ReadableStream<Uint8Array>>,
  range: ByteRange,
): Promise<Pick<Download, "size" | "span" | "body">> {
  let size = 0;
  for await (const chunk of await make()) {
    size += chunk.length;
    free(chunk);
  }
  const span = spanIn(range, size);
  const reader = (await make()).getReader();
  return { size, span, body: streamOf(cut(reader, span), () => reader.cancel()) };
}

async function* cut(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  { offset, length }: ByteSpan,
): AsyncGenerator<Uint8Array, void, void> {
  const end = offset + length;
  for (let at = 0; at < end; ) {
    const { done, value } = await reader.read();
    if (done) return;
    const start = at;
    at += value.length; // who takes the chunk frees it
    if (at > offset) yield value.subarray(Math.max(0, offset - start), end - start);
    else free(value);
  }
  await reader.cancel();
}
