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

/** An object that is put in parts, as plain data: any process may go on from it. What it says is the store's own. */
export interface UploadState {
  readonly key: string;
  /** In bytes, so far. */
  readonly size: number;
  readonly [more: string]: unknown;
}

/**
 * Objects put part by part, by processes each of which may end at any moment, also between a call and keeping the state
 * that it gave. So every call may come again with the state it was made with before, and then does no harm: with the same
 * bytes, it is as if it had come once. One process at a time goes on with an upload.
 *
 * What is begun and not finished within a day or more may be swept.
 */
export interface StoreUploads {
  /** In bytes: of every part but the last. */
  readonly partSize: number;

  /** Begins an object; nothing is stored yet. */
  start(key: string, options?: Pick<PutOptions, "modified">): Promise<UploadState>;

  /**
   * Stores the next part, of exactly {@link partSize} bytes.
   *
   * @throws StoreError `STORE_UPLOAD` when the upload is gone
   */
  append(
    state: UploadState,
    part: Uint8Array,
    options?: { signal?: AbortSignal | undefined },
  ): Promise<UploadState>;

  /**
   * Stores what remains, fewer bytes than a part or none, and makes the object, as {@link Store.put} does. When it comes
   * again and the object that it made is there, it is done.
   *
   * @throws ObjectExistsError when the key has another object
   * @throws StoreError `STORE_UPLOAD` when the upload is gone
   */
  finish(state: UploadState, rest: Uint8Array): Promise<void>;

  /** Gives it up: nothing of it stays, nor the object, if it made one. Another's object under its key does. */
  abort(state: UploadState): Promise<void>;
}

/**
 * Where backups go. Keys are segments joined by `/`, made of letters, digits, `.`, `_`, `-` and `%`; no segment is
 * empty, `.` or `..`, and a key has at most 1,024 bytes.
 *
 * Every driver passes the suite in `tests/contracts/store.ts`.
 */
export interface Store {
  /** Whether the chunks of what {@link Store.get} streams are the reader's alone, who may free them. */
  readonly givesChunksAway?: boolean;
  /** How LTX files are named here: as Litestream does in a folder, or as it does in a bucket. */
  readonly layout: "folder" | "bucket";
  /** Names the store in messages; holds no secret. */
  readonly description: string;
  /** Missing where objects can only be put by one process from start to end. */
  readonly uploads?: StoreUploads;

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
