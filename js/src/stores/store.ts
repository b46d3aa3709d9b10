/** An object in a store. */
export interface StoredObject {
  key: string;
  /** In bytes. */
  size: number;
  /** When it was put, or the time given with the put where the store keeps one. */
  modified: Date;
}

export interface PutOptions {
  /** The time the object stands for: the modification time in a folder, metadata in a bucket. */
  modified?: Date;
  /** No one else looks at the body's chunks again: a store may detach each once it is written, to free its memory. */
  ownsChunks?: boolean;
  signal?: AbortSignal | undefined;
}

export interface GetOptions {
  /** First byte wanted; 0 unless given. */
  offset?: number;
  /** How many bytes; all that follow unless given. Fewer come when the object ends earlier. */
  length?: number;
  signal?: AbortSignal | undefined;
}

export interface ListOptions {
  /** From the page before. */
  cursor?: string | undefined;
  /** Most objects a page; at most 1,000, which is also what is taken unless given. */
  limit?: number;
  signal?: AbortSignal | undefined;
}

export interface ListPage {
  /** In ascending order of the keys' UTF-8 bytes. */
  objects: StoredObject[];
  /** There are more: ask again with it. */
  cursor?: string;
}

/**
 * Where backups go. Keys are segments joined by `/`, made of letters, digits, `.`, `_`, `-` and `%`; no segment is
 * empty, `.` or `..`, and a key has at most 1,024 bytes.
 *
 * Every driver passes the suite in `tests/contracts/store.ts`.
 */
export interface Store {
  /** How LTX files are named here: as Litestream does in a folder, or as it does in a bucket. */
  readonly layout: "folder" | "bucket";
  /** Names the store in messages; holds no secret. */
  readonly description: string;

  /**
   * Stores an object that must not be there yet. It is visible whole or not at all, and once this resolves it
   * outlives a crash. When `body` fails or `signal` aborts, nothing is left, and that error is thrown.
   *
   * @throws ObjectExistsError
   * @throws StoreError
   */
  put(key: string, body: ReadableStream<Uint8Array> | Uint8Array, options?: PutOptions): Promise<void>;

  /**
   * An object's bytes, or a range of them.
   *
   * @throws ObjectMissingError
   * @throws StoreError
   */
  get(key: string, options?: GetOptions): Promise<ReadableStream<Uint8Array>>;

  /** An object without its bytes; `undefined` when it is not there. */
  head(key: string, options?: { signal?: AbortSignal | undefined }): Promise<StoredObject | undefined>;

  /** The objects whose keys begin with `prefix` (any string, not only whole segments), a page at a time. */
  list(prefix: string, options?: ListOptions): Promise<ListPage>;

  /** Removes an object; it is no error when it is not there. */
  delete(key: string, options?: { signal?: AbortSignal | undefined }): Promise<void>;
}
