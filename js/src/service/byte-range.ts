// Ranges of files, as HTTP asks for them (RFC 9110, section 14).
import { free } from "../core/free.ts";
import { PagemarkError } from "../errors/index.ts";
import { streamOf } from "../streams/streams.ts";

/** Bytes of a file: from `offset` on, all that follow unless `length` is given; or the last `suffix` of them. */
export type ByteRange = { offset: number; length?: number | undefined } | { suffix: number };

/** A range of a file whose size is known: at least one byte. */
export interface ByteSpan {
  offset: number;
  length: number;
}

/** The one range that a header asks for; nothing for none, or for what is taken as none (14.2). */
export function parseRange(header: string | null | undefined): ByteRange | undefined {
  const [, first = "", last = ""] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header?.trim() ?? "") ?? [];
  if (first === "") return last === "" ? undefined : { suffix: Number(last) };
  const offset = Number(first);
  if (last === "") return { offset };
  return Number(last) < offset ? undefined : { offset, length: Number(last) - offset + 1 };
}

/** What that is of a file of `size` bytes; nothing when it has none of them. */
export function spanOf(range: ByteRange, size: number): ByteSpan | undefined {
  const offset = "suffix" in range ? Math.max(0, size - range.suffix) : range.offset;
  const wanted = "suffix" in range ? range.suffix : (range.length ?? size);
  const length = Math.min(wanted, size - offset);
  return length > 0 ? { offset, length } : undefined;
}

/** @throws PagemarkError `RANGE` when the file has none of it */
export function spanIn(range: ByteRange, size: number): ByteSpan {
  const span = spanOf(range, size);
  if (span) return span;
  const message = `the file has ${size} bytes; there are none in the range that was asked for`;
  throw new PagemarkError("RANGE", message);
}

/** A range of a file that is nowhere stored: made once for its size, and again for the range. It is the same each time. */
export async function remade(
  make: () => Promise<ReadableStream<Uint8Array>>,
  range: ByteRange,
): Promise<{ size: number; span: ByteSpan; body: ReadableStream<Uint8Array> }> {
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
