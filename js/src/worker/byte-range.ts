// Ranges of files, as HTTP asks for them (RFC 9110, section 14).

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
