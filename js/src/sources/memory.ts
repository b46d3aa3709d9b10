import { type Core, core, translateCoreError } from "../core/index.ts";
import { SourceError } from "../errors/index.ts";
import type { Moment, PageSource } from "./source.ts";

/** A database in memory. */
export interface MemorySource extends PageSource {
  /** The database as it is now. */
  readonly database: Blob;
}

/**
 * A database image: bytes, or a `Blob` or `File`, which is read piece by piece. The bytes must not change while a
 * backup runs. It must be all of the database: what is still in a `-wal` file is not in the image.
 */
export function memory(image: Uint8Array | ArrayBuffer | Blob, { name = "memory" } = {}): MemorySource {
  let database: Uint8Array | Blob = image instanceof ArrayBuffer ? new Uint8Array(image) : image;
  return {
    name,
    get database() {
      return database instanceof Blob ? database : new Blob([database as Uint8Array<ArrayBuffer>]);
    },
    async pin({ signal } = {}) {
      signal?.throwIfAborted();
      return pinImage(database, name);
    },
    async replace(body, { signal, ownsChunks = false } = {}) {
      const parts: Uint8Array<ArrayBuffer>[] = [];
      const collecting = new WritableStream<Uint8Array>({
        write(chunk) {
          // Whoever made the chunk may fill it again.
          parts.push((ownsChunks ? chunk : chunk.slice()) as Uint8Array<ArrayBuffer>);
        },
      });
      await body.pipeTo(collecting, signal && { signal });
      const next = new Blob(parts);
      await checkHeader(next, name);
      database = next;
    },
  };
}

async function pinImage(image: Uint8Array | Blob, name: string): Promise<Moment> {
  const { pageSize, pageCount } = await shapeOf(image, name);
  let released = false;
  return {
    pageSize,
    pageCount,
    taken: "start",
    async read(first, into, signal) {
      signal?.throwIfAborted();
      const at = { name, page: first };
      if (released) throw new SourceError("SOURCE_RELEASED", `${name}: the moment was already released`, at);
      const count = into.length / pageSize;
      if (
        !Number.isInteger(first) ||
        !Number.isInteger(count) ||
        first < 1 ||
        first + count - 1 > pageCount
      ) {
        const range = `${into.length} bytes from page ${first}`;
        throw new SourceError(
          "SOURCE_RANGE",
          `${range} are not whole pages of the ${pageCount} there are`,
          at,
        );
      }
      const bytes = await slice(image, (first - 1) * pageSize, into.length);
      if (bytes.length < into.length) {
        throw new SourceError("SOURCE_CHANGED", `${name} has become shorter; take the backup again`, at);
      }
      into.set(bytes);
      signal?.throwIfAborted();
    },
    async release() {
      released = true;
    },
  };
}

async function shapeOf(image: Uint8Array | Blob, name: string) {
  const size = image instanceof Blob ? image.size : image.length;
  return withHeader(image, name, (header) => ({
    pageSize: header.pageSize,
    pageCount: header.pagesIn(size),
  }));
}

/** Whatever is put in a database's place is a database. */
async function checkHeader(image: Blob, name: string): Promise<void> {
  await withHeader(image, name, () => {});
}

type Header = ReturnType<Core["DatabaseHeader"]["parse"]>;

async function withHeader<T>(image: Uint8Array | Blob, name: string, use: (header: Header) => T): Promise<T> {
  const { DatabaseHeader } = await core();
  try {
    const header = DatabaseHeader.parse(await slice(image, 0, 512));
    try {
      return use(header);
    } finally {
      header.free();
    }
  } catch (error) {
    throw translateCoreError(error, name);
  }
}

async function slice(image: Uint8Array | Blob, offset: number, length: number): Promise<Uint8Array> {
  if (!(image instanceof Blob)) return image.subarray(offset, offset + length);
  return new Uint8Array(await image.slice(offset, offset + length).arrayBuffer());
}
