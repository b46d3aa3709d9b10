import { checkHas, checkOptions, wrongType } from "../errors/index.ts";
import { BlobImage } from "./blob-image.ts";
import type { PageSource } from "./source.ts";
import { checkHeader, type OpenImage, sourceFrom } from "./source-from.ts";

/** A database in memory. */
export interface MemorySource extends PageSource {
  /** The database as it is now. */
  readonly database: Blob;
}

/**
 * A database image: bytes, or a `Blob` or `File`, which is read piece by piece. The bytes must not change while a
 * backup runs; a file that does ends it with `SOURCE_CHANGED`. It must be all of the database: what is still in a `-wal` file is not in the image.
 */
export function memory(
  image: Uint8Array | ArrayBuffer | Blob,
  options: { name?: string } = {},
): MemorySource {
  const { name = "memory" } = checkOptions(options);
  let database: Uint8Array | Blob = image instanceof ArrayBuffer ? new Uint8Array(image) : image;
  if (!(database instanceof Blob || ArrayBuffer.isView(database)))
    throw wrongType("bytes or a Blob", database, "image");
  const source = sourceFrom({
    name,
    open: async () => opened(database, name),
    async replace(body, more = {}) {
      checkHas("pipeTo", body, "the body", "a ReadableStream");
      const { signal, ownsChunks = false } = checkOptions(more);
      const parts: Uint8Array<ArrayBuffer>[] = [];
      const collecting = new WritableStream<Uint8Array>({
        write(chunk) {
          // Whoever made the chunk may fill it again.
          parts.push((ownsChunks ? chunk : chunk.slice()) as Uint8Array<ArrayBuffer>);
        },
      });
      await body.pipeTo(collecting, signal && { signal });
      const next = new Blob(parts);
      // Only a database may take a database's place.
      await checkHeader(new Uint8Array(await next.slice(0, 512).arrayBuffer()), name, next.size);
      database = next;
    },
  });
  return {
    ...source,
    get database() {
      return database instanceof Blob ? database : new Blob([database as Uint8Array<ArrayBuffer>]);
    },
  };
}

function opened(image: Uint8Array | Blob, name: string): OpenImage {
  if (image instanceof Blob) return new BlobImage(image, name);
  return {
    size: image.length,
    async read(offset, into) {
      const bytes = image.subarray(offset, offset + into.length);
      into.set(bytes);
      return bytes.length;
    },
  };
}
