import { ObjectExistsError } from "../../errors/object-exists-error.ts";
import { ObjectMissingError } from "../../errors/object-missing-error.ts";
import { checkOptions } from "../../errors/options.ts";
import { type Body, consume } from "../../streams/body.ts";
import { byteRange, checkKey, checkRange, checkTime, compareKeys, pageLimit } from "../checks.ts";
import { guarded } from "../guarded.ts";
import type { GetOptions, ListOptions, ListPage, PutOptions, Store, StoredObject } from "../store.ts";
import { type Entry, MemoryUploads } from "./uploads.ts";

/** In bytes. */
const CHUNK = 256 * 1024;

/** A store in memory, which ends with the program: for tests, demonstrations and small things. */
export function memoryStore(): Store {
  return guarded(new MemoryStore());
}

class MemoryStore implements Store {
  readonly layout = "folder";
  readonly description = "memory";
  readonly #entries = new Map<string, Entry>();
  readonly uploads = new MemoryUploads(this.#entries);

  async put(key: string, body: Body, options: PutOptions = {}) {
    await consume(body, checkOptions(options).signal, async (chunks) => {
      checkKey(key);
      checkTime(options);
      this.#mustLack(key);
      const bytes = body instanceof Uint8Array ? ours(body, options) : await collect(chunks);
      this.#mustLack(key); // another put may have been quicker
      this.#entries.set(key, { bytes, modified: new Date(options.modified ?? Date.now()) });
    });
  }

  async get(key: string, options: GetOptions = {}) {
    checkKey(key);
    checkRange(options);
    options.signal?.throwIfAborted();
    const entry = this.#entries.get(key);
    if (!entry) throw new ObjectMissingError(key);
    return read(entry.bytes, options);
  }

  async head(key: string, options: { signal?: AbortSignal | undefined } = {}) {
    checkKey(key);
    options.signal?.throwIfAborted();
    const entry = this.#entries.get(key);
    return entry && stored(key, entry);
  }

  async list(prefix: string, options: ListOptions = {}): Promise<ListPage> {
    const limit = pageLimit(prefix, options);
    options.signal?.throwIfAborted();
    const { cursor } = options;
    const found = [...this.#entries.keys()]
      .filter((key) => key.startsWith(prefix) && (cursor === undefined || key > cursor))
      .sort(compareKeys);
    const objects = found.slice(0, limit).flatMap((key) => {
      const entry = this.#entries.get(key);
      return entry ? [stored(key, entry)] : [];
    });
    const last = objects.at(-1)?.key;
    return found.length > limit && last !== undefined ? { objects, cursor: last } : { objects };
  }

  async delete(key: string, options: { signal?: AbortSignal | undefined } = {}) {
    checkKey(key);
    options.signal?.throwIfAborted();
    this.#entries.delete(key);
  }

  #mustLack(key: string) {
    if (this.#entries.has(key)) throw new ObjectExistsError(key);
  }
}

/** Bytes of the store's own: a copy, unless the caller gives them away. */
function ours(bytes: Uint8Array, { ownsChunks }: PutOptions): Uint8Array {
  const { buffer, length } = bytes;
  const isAll = buffer instanceof ArrayBuffer && buffer.byteLength === length;
  // A Buffer's own `slice` copies nothing.
  return ownsChunks && isAll ? new Uint8Array(buffer) : new Uint8Array(bytes);
}

/** Copies all chunks into one array: the chunks remain the caller's. */
async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of chunks) {
    parts.push(chunk);
    size += chunk.length;
  }
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** Streams copies: what a reader does to a chunk must not reach the object. */
function read(bytes: Uint8Array, options: GetOptions): ReadableStream<Uint8Array> {
  const { signal } = options;
  const { start, end } = byteRange(bytes.length, options);
  let at = start;
  let onAbort: () => void;
  const finish = () => signal?.removeEventListener("abort", onAbort);
  return new ReadableStream({
    start(controller) {
      onAbort = () => controller.error(signal?.reason);
      signal?.addEventListener("abort", onAbort, { once: true });
    },
    pull(controller) {
      if (at < end) {
        const chunk = bytes.slice(at, Math.min(at + CHUNK, end));
        at += chunk.length;
        controller.enqueue(chunk);
      }
      if (at >= end) {
        finish();
        controller.close();
      }
    },
    cancel: finish,
  });
}

function stored(key: string, { bytes, modified }: Entry): StoredObject {
  return { key, size: bytes.length, modified: new Date(modified) };
}
