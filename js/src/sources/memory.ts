import { core, translateCoreError } from "../core/index.ts";
import { SourceError } from "../errors/index.ts";
import type { Moment, PageSource } from "./source.ts";

/** A database in memory. */
export interface MemorySource extends PageSource {
  /** The database as it is now. */
  readonly database: Blob;
}

/**
 * A database image: bytes, or a `Blob` or `File`, which is read piece by piece. The bytes must not change while a
 * backup runs.
 */
export function memory(image: Uint8Array | ArrayBuffer | Blob, { name = "memory" } = {}): MemorySource {
  let database: Uint8Array | Blob = image instanceof ArrayBuffer ? new Uint8Array(image) : image;
  return {
    name,
    get database() {
      return database instanceof Blob ? database : new Blob([database as Uint8Array<ArrayBuffer>]);
    },
    async pin() {
      return pinImage(database, name);
    },
    async replace(body, { signal } = {}) {
      const parts: Uint8Array<ArrayBuffer>[] = [];
      const reader = body.getReader();
      for (;;) {
        signal?.throwIfAborted();
        const { done, value } = await reader.read();
        if (done) break;
        parts.push(value as Uint8Array<ArrayBuffer>);
      }
      database = new Blob(parts);
    },
  };
}

async function pinImage(image: Uint8Array | Blob, name: string): Promise<Moment> {
  const { DatabaseHeader } = await core();
  const size = image instanceof Blob ? image.size : image.length;
  const read = async (offset: number, length: number) =>
    image instanceof Blob
      ? new Uint8Array(await image.slice(offset, offset + length).arrayBuffer())
      : image.subarray(offset, offset + length);
  try {
    const header = DatabaseHeader.parse(await read(0, 512));
    const { pageSize } = header;
    let released = false;
    return {
      pageSize,
      pageCount: header.pagesIn(size),
      taken: "start",
      async read(first, into, signal) {
        signal?.throwIfAborted();
        if (released) throw new TypeError("the moment was released");
        const bytes = await read((first - 1) * pageSize, into.length);
        if (bytes.length < into.length)
          throw new SourceError("SOURCE_CHANGED", `${name} has become shorter`, { name });
        into.set(bytes);
      },
      async release() {
        released = true;
      },
    };
  } catch (error) {
    throw translateCoreError(error, name);
  }
}
