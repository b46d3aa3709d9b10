// Turns what callers hand in into what the engine takes.
import { PagemarkError, wrongType } from "../errors/index.ts";

/** What the method takes that chunks are for: only an import takes text. */
export const SQL = "the SQL";
export const FILE = "the database file";

/** Size of the chunks in which a file or a text is handed over, in bytes. */
const CHUNK = 256 << 10;

/** Translates what names a state into text. */
export function momentText(at: string | Date): string {
  if (typeof at === "string" && at !== "") return at;
  if (!(at instanceof Date)) throw wrongType("a bookmark, a time or a Date", at, "at");
  if (Number.isNaN(at.getTime())) throw new PagemarkError("AT_SYNTAX", "that date is not a valid one");
  return at.toISOString();
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === "function";
}

/** Refuses what is no size: the engine would take it for another one. */
export function checkSizes(sizes: Readonly<Record<string, number | undefined>>): void {
  for (const [name, size] of Object.entries(sizes)) {
    if (size === undefined || size >= 0) continue;
    throw new PagemarkError("USAGE", `${name} must be a number from 0, not ${String(size)}`);
  }
}

/** Bytes, or something that gives bytes: a file that was picked, an answer of `fetch`, a stream, chunks one after the other. */
export type Bytes =
  | Uint8Array
  | ArrayBuffer
  | ArrayBufferView
  | Blob
  | Response
  | ReadableStream<Uint8Array>
  | AsyncIterable<Uint8Array>;

/** Bytes or text, in one piece or in several. */
export type Text = string | Bytes | AsyncIterable<string>;

/** Yields chunks of at most 256 KiB. @throws PagemarkError `USAGE` for any other input */
export async function* chunksOf(input: Text, what: string): AsyncGenerator<Uint8Array, void, void> {
  const source = typeof input === "string" ? new TextEncoder().encode(input) : sourceOf(input, what);
  if (source instanceof Uint8Array) return yield* slicesOf(source);
  for await (const chunk of source) yield* slicesOf(chunkOf(chunk, what));
}

/** The input as bytes, or as something that gives chunks. @throws PagemarkError `USAGE` */
export function sourceOf(
  input: unknown,
  what: string,
): Uint8Array | ReadableStream<Uint8Array> | AsyncIterable<Uint8Array> {
  if (ArrayBuffer.isView(input) || isBuffer(input)) return bytesOf(input, what);
  if (isBlob(input)) return input.stream();
  if (isResponse(input)) return bodyOf(input, what);
  if (typeof input === "object" && input !== null && (Symbol.asyncIterator in input || isStream(input))) {
    if (isStream(input) && input.locked) throw usage(`${what} is a stream that somebody else reads`);
    return input as AsyncIterable<Uint8Array>;
  }
  const text = what === SQL ? "a string, " : "";
  throw usage(`${what} must be ${text}bytes, a Blob, a Response or a stream, not ${nameOf(input)}`);
}

function* slicesOf(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += CHUNK) yield bytes.subarray(at, at + CHUNK);
}

/** A chunk as bytes. @throws PagemarkError `USAGE` */
export function chunkOf(chunk: unknown, what: string): Uint8Array {
  if (typeof chunk === "string" && what === SQL) return new TextEncoder().encode(chunk);
  if (ArrayBuffer.isView(chunk) || isBuffer(chunk)) return bytesOf(chunk, what);
  throw usage(`${what} comes in chunks that are no bytes: ${nameOf(chunk)}`);
}

function bytesOf(bytes: ArrayBufferView | ArrayBuffer, what: string): Uint8Array {
  const [buffer, offset, length] = ArrayBuffer.isView(bytes)
    ? [bytes.buffer, bytes.byteOffset, bytes.byteLength]
    : [bytes, 0, bytes.byteLength];
  if ((buffer as { detached?: boolean }).detached) throw usage(`the bytes of ${what} were given away before`);
  return bytes instanceof Uint8Array ? bytes : new Uint8Array(buffer, offset, length);
}

function bodyOf(response: Response, what: string): Uint8Array | ReadableStream<Uint8Array> {
  if (!response.ok) throw usage(`${what} is an answer with status ${response.status}`);
  if (response.bodyUsed) throw usage(`${what} is an answer that was read before`);
  return response.body ?? new Uint8Array();
}

// `instanceof` fails for objects of another frame or of a test runner, which have other classes.

function isBuffer(value: unknown): value is ArrayBuffer {
  return /^\[object (Shared)?ArrayBuffer\]$/.test(Object.prototype.toString.call(value));
}

function isBlob(value: unknown): value is Blob {
  const { stream, size } = (value ?? {}) as Partial<Blob>;
  return typeof stream === "function" && typeof size === "number";
}

function isResponse(value: unknown): value is Response {
  const { status, bodyUsed } = (value ?? {}) as Partial<Response>;
  return typeof status === "number" && typeof bodyUsed === "boolean";
}

function isStream(value: unknown): value is ReadableStream<Uint8Array> {
  return typeof (value as Partial<ReadableStream> | undefined)?.getReader === "function";
}

function usage(message: string): PagemarkError {
  return new PagemarkError("USAGE", message);
}

function nameOf(value: unknown): string {
  if (typeof value === "object" && value !== null) return value.constructor?.name ?? "an object";
  return value === undefined || value === null ? String(value) : `a ${typeof value}`;
}
