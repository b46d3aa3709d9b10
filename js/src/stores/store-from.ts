import { ObjectExistsError } from "../errors/object-exists-error.ts";
import { ObjectMissingError } from "../errors/object-missing-error.ts";
import { checkHas, checkOptions } from "../errors/options.ts";
import { consume } from "../streams/body.ts";
import { streamOf } from "../streams/streams.ts";
import { byteRange, checkKey, checkRange, checkTime, pageLimit } from "./checks.ts";
import { guarded } from "./guarded.ts";
import type { Store, StoredObject } from "./store.ts";

/**
 * What {@link storeFrom} makes a store of: five operations on keys, times and ranges that were checked before. `signal`
 * is for those that wait for something; it is looked at before each call and between two chunks anyway.
 */
export interface StoreOperations<Found extends StoredObject = StoredObject> {
  /** See {@link Store.layout}. */
  layout: Store["layout"];
  /** See {@link Store.description}. */
  description: string;

  /**
   * Stores an object, visible whole or not at all, and outliving a crash once this resolves. When `chunks` throws, nothing
   * may be left, and its error must be thrown on.
   *
   * @param ownsChunks whether each chunk may be detached once it is written, to free its memory
   * @returns `false` when the key was taken meanwhile: an object is never overwritten
   */
  put(
    key: string,
    chunks: AsyncIterable<Uint8Array>,
    modified: Date,
    signal: AbortSignal | undefined,
    ownsChunks: boolean,
  ): Promise<boolean>;

  /** The object under a key, with anything beside that `read` needs; `undefined` when there is none. */
  find(key: string, signal: AbortSignal | undefined): Promise<Found | undefined>;

  /** The bytes of an object from `start` up to, not including, `end`. The reader owns every chunk. */
  read(
    found: Found,
    start: number,
    end: number,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Uint8Array, void, void>;

  /** The first `limit` objects whose keys begin with `prefix` and come after `after`, ascending by the keys' bytes. */
  list(
    prefix: string,
    after: string,
    limit: number,
    signal: AbortSignal | undefined,
  ): Promise<StoredObject[]>;

  /** Removes an object; does nothing when there is none. */
  delete(key: string, signal: AbortSignal | undefined): Promise<void>;
}

/** A store of your own: checks what it is given, and does the rest with five operations. */
export function storeFrom<Found extends StoredObject>(operations: StoreOperations<Found>): Store {
  checkHas("find", operations, "the store", "an object with put(), find(), read(), list() and delete()");
  return guarded({
    layout: operations.layout,
    description: operations.description,
    async put(key, body, options = {}) {
      const { signal, modified = new Date(), ownsChunks = false } = checkOptions(options);
      await consume(body, signal, async (chunks) => {
        checkKey(key);
        checkTime(options);
        // Before all of the body came; the operation looks once more at its end.
        const isTaken = (await operations.find(key, signal)) !== undefined;
        const put = () => operations.put(key, chunks, new Date(modified), signal, ownsChunks);
        if (isTaken || !(await put())) throw new ObjectExistsError(key);
      });
    },
    async get(key, options = {}) {
      const { signal } = options;
      checkKey(key);
      checkRange(options);
      signal?.throwIfAborted();
      const found = await operations.find(key, signal);
      if (!found) throw new ObjectMissingError(key);
      const { start, end } = byteRange(found.size, options);
      return streamOf(until(signal, start < end ? operations.read(found, start, end, signal) : []));
    },
    async head(key, { signal } = {}) {
      checkKey(key);
      signal?.throwIfAborted();
      const found = await operations.find(key, signal);
      return found && stored(found);
    },
    async list(prefix, options = {}) {
      const { cursor = "", signal } = options;
      const limit = pageLimit(prefix, options);
      signal?.throwIfAborted();
      // One more than asked for tells whether there are more.
      const found = (await operations.list(prefix, cursor, limit + 1, signal)).map(stored);
      const objects = found.slice(0, limit);
      const last = objects.at(-1)?.key;
      return found.length > limit && last !== undefined ? { objects, cursor: last } : { objects };
    },
    async delete(key, { signal } = {}) {
      checkKey(key);
      signal?.throwIfAborted();
      await operations.delete(key, signal);
    },
  });
}

/** Chunks, as long as `signal` has not aborted. */
async function* until(
  signal: AbortSignal | undefined,
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, void> {
  signal?.throwIfAborted();
  for await (const chunk of chunks) {
    signal?.throwIfAborted();
    yield chunk;
  }
}

function stored({ key, size, modified }: StoredObject): StoredObject {
  return { key, size, modified: new Date(modified) };
}
