/** An object in a store. */
export interface StoredObject {
  key: string;
  /** In bytes. */
  size: number;
  /** When it was put, or the time given with the put where the store keeps one. */
  modified: Date;
}

/** How an object is put. */
export interface PutOptions {
  /** The object's time: the modification time in a folder, metadata in a bucket. */
  modified?: Date;
  /** The store owns the body's chunks: it may detach each once it is written, to free its memory. */
  ownsChunks?: boolean;
  signal?: AbortSignal | undefined;
}

/** Which bytes of an object are read. */
export interface GetOptions {
  /** First byte wanted; 0 unless given. */
  offset?: number;
  /** Number of bytes; all that follow unless given. Fewer come when the object ends earlier. */
  length?: number;
  signal?: AbortSignal | undefined;
}

/** Where a listing begins, and how long it is. */
export interface ListOptions {
  /** {@link ListPage.cursor} of the page before. */
  cursor?: string | undefined;
  /** Most objects in a page; at most 1,000, which is also the default. */
  limit?: number;
  signal?: AbortSignal | undefined;
}

/** A page of a listing: its objects, and where the next one begins. */
export interface ListPage {
  /** In ascending order of the keys' UTF-8 bytes. */
  objects: StoredObject[];
  /** Present when there are more objects: ask again with it. */
  cursor?: string;
}

/** The state of an object that is put in parts: plain data, from which any process may go on. Only the store reads it. */
export interface UploadState {
  readonly key: string;
  /** In bytes, so far. */
  readonly size: number;
  readonly [more: string]: unknown;
}

/**
 * Puts objects part by part. The calling process may end at any moment, also after a call and before it has kept the
 * state that the call returned. So every call may come again with an older state and does no harm: with the same bytes, it
 * is as if it had come once. Only one process at a time goes on with an upload.
 *
 * A store may sweep an upload that is not finished within a day.
 */
export interface StoreUploads {
  /** Size of every part but the last, in bytes. */
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
   * Stores the rest, which is shorter than a part and may be empty, and makes the object, as {@link Store.put} does. Called
   * again after it made the object, it does nothing.
   *
   * @throws ObjectExistsError when the key has another object
   * @throws StoreError `STORE_UPLOAD` when the upload is gone
   */
  finish(state: UploadState, rest: Uint8Array): Promise<void>;

  /** Gives the upload up. Nothing of it stays, and if it made an object, that goes, too; any other object under its key stays. */
  abort(state: UploadState): Promise<void>;
}

/**
 * Where backups go. Keys are segments joined by `/`, made of letters, digits, `.`, `_`, `-` and `%`; no segment is
 * empty, `.` or `..`, and a key has at most 1,024 bytes.
 *
 * Every driver passes the suite in `tests/contracts/store.ts`.
 */
export interface Store {
  /** Whether the reader owns the chunks that {@link Store.get} streams, and may free them. */
  readonly givesChunksAway?: boolean;
  /** Whether what {@link Store.get} streams is read only as a reader asks for it, into the reader's own memory. */
  readonly fillsBuffers?: boolean;
  /** How LTX files are named: as Litestream names them in a folder, or in a bucket. */
  readonly layout: "folder" | "bucket";
  /** Names the store in messages; holds no secret. */
  readonly description: string;
  /** Missing when an object must be put by one process from start to end. */
  readonly uploads?: StoreUploads;

  /**
   * Stores an object under a key that must be free. The object is visible whole or not at all, and once this resolves it
   * outlives a crash. When `body` fails or `signal` aborts, nothing is left, and that error is thrown.
   *
   * @throws ObjectExistsError
   * @throws StoreError
   */
  put(key: string, body: ReadableStream<Uint8Array> | Uint8Array, options?: PutOptions): Promise<void>;

  /**
   * Streams an object's bytes, or a range of them.
   *
   * @throws ObjectMissingError
   * @throws StoreError
   */
  get(key: string, options?: GetOptions): Promise<ReadableStream<Uint8Array>>;

  /** Describes an object; `undefined` when there is none. */
  head(key: string, options?: { signal?: AbortSignal | undefined }): Promise<StoredObject | undefined>;

  /** Lists the objects whose keys begin with `prefix` (any string, not only whole segments), a page at a time. */
  list(prefix: string, options?: ListOptions): Promise<ListPage>;

  /** Removes an object; does nothing when there is none. */
  delete(key: string, options?: { signal?: AbortSignal | undefined }): Promise<void>;

  /**
   * For a store that keeps account of backups: refuses when something that was put of a database is not there. `folder` is the
   * first segment of the database's keys. A restore asks this before it reads anything.
   *
   * @throws PagemarkError `LOCALITY_LOST`, `LOCALITY_ELSEWHERE` or `LOCALITY_CONFLICT`
   */
  checkComplete?(folder: string, options?: { signal?: AbortSignal | undefined }): Promise<void>;
}
