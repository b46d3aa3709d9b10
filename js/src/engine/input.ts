// What callers hand in, as the engine takes it.
import { PagemarkError } from "../errors/index.ts";

/** What a file or a text is handed over in, in bytes. */
const CHUNK = 256 << 10;

/** Words for a state. */
export function momentText(at: string | Date): string {
  if (!(at instanceof Date)) return at;
  if (Number.isNaN(at.getTime())) throw new PagemarkError("AT_SYNTAX", "that date is not a valid one");
  return at.toISOString();
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === "function";
}

/** The engine would take what is no size for some other one. */
export function checkSizes(sizes: Readonly<Record<string, number | undefined>>): void {
  for (const [name, size] of Object.entries(sizes)) {
    if (size === undefined || size >= 0) continue;
    throw new PagemarkError("USAGE", `${name} is to be a number from 0 on, not ${String(size)}`);
  }
}

export async function* chunksOf(bytes: Uint8Array | ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  if (bytes instanceof ReadableStream) return yield* bytes;
  for (let at = 0; at < bytes.length; at += CHUNK) yield bytes.subarray(at, at + CHUNK);
}
