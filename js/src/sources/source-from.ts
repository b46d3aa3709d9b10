import { type Core, core, freeing, naming } from "../core/index.ts";
import { checkHas, checkOptions, checkText, SourceError } from "../errors/index.ts";
import { checkRead, type Moment, type PageSource } from "./source.ts";

/** Enough for the header, and to tell ciphertext from text. In bytes. */
const START = 512;

/** A database image, opened for one moment: it must not change until it is closed. */
export interface OpenImage {
  /** In bytes. */
  size: number;
  /** See {@link Moment.taken}; `start` unless given. */
  taken?: Moment["taken"];
  /** See {@link Moment.mark}. */
  mark?: string | undefined;
  /** See {@link Moment.changed}; pages behind the image's end are left out. */
  changed?: Uint32Array | undefined;
  /** Fills `into` with the bytes from `offset` on; gives how many there were. */
  read(offset: number, into: Uint8Array, signal: AbortSignal | undefined): Promise<number>;
  close?(): Promise<void>;
}

/** What {@link sourceFrom} makes a source of. */
export interface SourceOperations {
  /** See {@link PageSource.name}. */
  name: string;
  /**
   * Opens the database as it is now: all of it, as what is still in a `-wal` file is not in the image. `since` is the
   * {@link OpenImage.mark} at the last backup.
   */
  open(signal: AbortSignal | undefined, since?: string): Promise<OpenImage>;
  /** See {@link PageSource.replace}. */
  replace?: NonNullable<PageSource["replace"]>;
}

/** A source of your own, of anything in which a database image can be read at any place. */
export function sourceFrom(operations: SourceOperations): PageSource {
  checkHas("open", operations, "the source", "an object with name and open()");
  const { name, open, replace } = operations;
  checkText(name, "the source's name");
  return {
    name,
    async pin(options = {}) {
      const { since, signal } = checkOptions(options);
      signal?.throwIfAborted();
      const image = await open(signal, since);
      try {
        const moment = await momentOf(image, name, signal);
        signal?.throwIfAborted();
        return moment;
      } catch (error) {
        // What went wrong first says more.
        await image.close?.().catch(() => {});
        throw error;
      }
    },
    ...(replace && { replace }),
  };
}

async function momentOf(image: OpenImage, name: string, signal: AbortSignal | undefined): Promise<Moment> {
  const start = new Uint8Array(Math.min(START, image.size));
  const count = start.length > 0 ? await image.read(0, start, signal) : 0;
  const { pageSize, pageCount } = await shapeOf(start.subarray(0, count), image.size, name);
  const reading = new Set<Promise<number>>();
  let released: Promise<void> | undefined;
  return {
    pageSize,
    pageCount,
    taken: image.taken ?? "start",
    ...(image.mark !== undefined && { mark: image.mark }),
    ...(image.changed && { changed: image.changed.filter((page) => page <= pageCount) }),
    async read(first, into, signal) {
      signal?.throwIfAborted();
      checkRead({ name, pageSize, pageCount, isReleased: released !== undefined }, first, into);
      if (into.length === 0) return;
      const read = image.read((first - 1) * pageSize, into, signal);
      reading.add(read);
      const count = await read.finally(() => reading.delete(read));
      if (count < into.length) {
        const message = `${name} has become shorter; take the backup again`;
        throw new SourceError("SOURCE_CHANGED", message, { name, page: first });
      }
      signal?.throwIfAborted();
    },
    release() {
      // The image stays open until nothing reads it.
      released ??= Promise.allSettled(reading).then(() => image.close?.());
      return released;
    },
  };
}

/** The shape of the database of `size` bytes that begins with `start`. */
function shapeOf(start: Uint8Array, size: number, name: string) {
  return withHeader(start, name, (header) => ({
    pageSize: header.pageSize,
    pageCount: header.pagesIn(size),
  }));
}

/**
 * Refuses what is to take a database's place and is no database itself, by its first 512 bytes; and one that was cut off, where
 * its `size` is known.
 *
 * @throws DamageError
 */
export async function checkHeader(start: Uint8Array, name: string, size?: number): Promise<void> {
  if (size === undefined) await withHeader(start, name, () => {});
  else await shapeOf(start, size, name);
}

type Header = ReturnType<Core["DatabaseHeader"]["parse"]>;

async function withHeader<T>(start: Uint8Array, name: string, use: (header: Header) => T): Promise<T> {
  const { DatabaseHeader } = await core();
  return naming(name, () => freeing(DatabaseHeader.parse(start), use));
}
