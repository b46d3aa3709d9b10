// Databases that wa-sqlite's IDBBatchAtomicVFS keeps in IndexedDB, of its versions from 1.1 on (its schema 6).
import { checkOptions, checkText, PagemarkError, SourceError } from "../errors/index.ts";
import { roomFor } from "../opfs/scratch.ts";
import { sleep } from "../streams/progress.ts";
import type { PageSource } from "./source.ts";
import { type OpenImage, sourceFrom } from "./source-from.ts";

/** Where a database in IndexedDB is found. */
export interface IndexedDbOptions {
  /** Name of the IndexedDB database: the VFS's `idbName`, or its own name. Needed where several have a file of that path. */
  database?: string;
}

/** A database that was found. */
export interface FoundInIndexedDb {
  /** Path of the file in it, as the library spells it: `/app.db`. */
  path: string;
  /** Name of the IndexedDB database. */
  database: string;
  /** In bytes. */
  size: number;
}

/** A file in the library's store `metadata`. */
interface Metadata {
  name: string;
  fileSize: number;
  /** Version of its last commit: each is one less than the one before. */
  version: number;
}

/** A page in the library's store `blocks`: key is path, offset and version. */
interface Block {
  /** Where in the file, negated. */
  offset: number;
  /** Less than that of the last commit while its transaction is not committed. */
  version: number;
  data: Uint8Array;
}

const STORES = ["metadata", "blocks"] as const;
/** Files beside a database, which the library's atomic writes leave empty. */
const BESIDE = /-(journal|wal|shm)$/;
/** Read at a time, in bytes. */
const WINDOW = 1 << 20;
/** A transaction that shortens the file removes pages before it commits: so often it is waited for. */
const TRIES = 100;
const PAUSE_MS = 20;

/**
 * A SQLite database that wa-sqlite keeps in IndexedDB (IDBBatchAtomicVFS), from any tab or worker, also while others write to
 * it. It is copied in one transaction of IndexedDB, which sees one commit; the library's own transactions wait for its end.
 *
 * @param path of the file, such as `app.db`
 * @example
 * ```ts
 * import { indexedDb, opfsStore, pagemark } from "pagemark";
 * const db = pagemark(indexedDb("app.db"), { store: opfsStore("backups") });
 * await db.backup();
 * ```
 */
export function indexedDb(path: string, options: IndexedDbOptions = {}): PageSource {
  checkText(path, "path");
  const { database } = checkOptions(options);
  const name = fileName(path);
  return sourceFrom({
    name: name.replace(/^.*\//, "").replace(/(?<=.)\.[^.]*$/, ""),
    async open(signal) {
      for (let attempt = 1; attempt <= TRIES; attempt++) {
        signal?.throwIfAborted();
        const image = await copyOf(await find(path, database), path);
        if (image) return image;
        await sleep(PAUSE_MS, signal);
      }
      const message = `${path}: a transaction of its library was not ended; open the database with its library, which rolls that back, then try again`;
      throw new SourceError("SOURCE_BUSY", message, { name: path });
    },
  });
}

/** The databases that this origin has in IndexedDB, as wa-sqlite keeps them. */
export async function indexedDbDatabases(): Promise<FoundInIndexedDb[]> {
  const isDatabase = ({ path, size }: FoundInIndexedDb) => size > 0 && !BESIDE.test(path);
  return globalThis.indexedDB === undefined ? [] : (await allFiles()).filter(isDatabase);
}

async function allFiles(): Promise<FoundInIndexedDb[]> {
  const found: FoundInIndexedDb[] = [];
  for (const { name = "" } of await indexedDB.databases()) {
    const files = await using(name, (stores) => result<Metadata[]>(stores.metadata.getAll())).catch(() => []);
    for (const file of files ?? []) {
      const { name: path, fileSize: size } = file;
      if (typeof size === "number" && typeof path === "string") found.push({ path, database: name, size });
    }
  }
  return found;
}

async function find(path: string, database: string | undefined): Promise<FoundInIndexedDb> {
  if (globalThis.indexedDB === undefined) {
    throw new PagemarkError("RUNTIME_UNSUPPORTED", "this needs a browser with IndexedDB");
  }
  const wanted = fileName(path);
  const [first, second] = (await allFiles()).filter(
    (each) => each.path === wanted && (database === undefined || each.database === database),
  );
  if (!first) {
    const message = `${path}: IndexedDB has no such database of wa-sqlite; opfsDatabases() lists what there is`;
    throw new SourceError("SOURCE_MISSING", message, { name: path });
  }
  if (second) {
    const message = `${path}: several have a file of that path (${first.database}, ${second.database}); say which with the option database`;
    throw new SourceError("SOURCE_AMBIGUOUS", message, { name: path });
  }
  return first;
}

/** As the library spells a file's name. */
function fileName(path: string): string {
  return new URL(path, "file://").pathname;
}

/** A copy of the last commit; nothing while a transaction has removed pages that it needs, or when it has grown much. */
async function copyOf(found: FoundInIndexedDb, name: string): Promise<OpenImage | undefined> {
  const most = found.size + WINDOW;
  const room = await roomFor(most).catch((error) => {
    throw named(error, name);
  });
  const writes: Promise<void>[] = [];
  let isWhole = false;
  try {
    const size = await using(found.database, async ({ metadata, blocks }) => {
      const file = await result<Metadata | undefined>(metadata.get(found.path));
      if (!file || file.fileSize > most) return undefined;
      // Nothing but the transaction's own requests is waited for here: it would end meanwhile.
      for (let start = 0; start < file.fileSize; start += WINDOW) {
        const end = Math.min(start + WINDOW, file.fileSize);
        const range = IDBKeyRange.bound([found.path, 1 - end], [found.path, -start, []]);
        const pages = committed(await result<Block[]>(blocks.getAll(range)), file.version);
        if (!isCovered(pages, start, end)) return undefined;
        for (const { offset, data } of pages) writes.push(room.write(data, -offset));
      }
      return file.fileSize;
    });
    await Promise.all(writes);
    if (size === undefined) return undefined;
    await room.seal();
    isWhole = true;
    return {
      size,
      read: (at, into) => room.read(at, into.subarray(0, Math.max(0, size - at))),
      close: () => room.close(),
    };
  } catch (error) {
    throw named(error, name);
  } finally {
    if (!isWhole) {
      await Promise.allSettled(writes);
      await room.close();
    }
  }
}

/** A SourceError for an error of the browser; others pass. */
function named(error: unknown, name: string): unknown {
  if (!(error instanceof DOMException)) return error;
  const isFull = error.name === "QuotaExceededError";
  const todo = isFull ? "the browser gives this origin no more room; delete something" : "try again";
  const message = `${name}: IndexedDB could not be read (${error.message}); ${todo}`;
  return new SourceError(isFull ? "SOURCE_FULL" : "SOURCE_UNREADABLE", message, { name }, { cause: error });
}

/** The page of the last commit at each place, in the file's order. */
function committed(blocks: readonly Block[], version: number): Block[] {
  const pages: Block[] = [];
  // Places descend and versions ascend, so that older versions of a place follow newer ones.
  for (const block of blocks) {
    const isNew = block.version >= version && pages.at(-1)?.offset !== block.offset;
    if (isNew) pages.push(block);
  }
  return pages.reverse();
}

function isCovered(pages: readonly Block[], start: number, end: number): boolean {
  let at = start;
  for (const { offset, data } of pages) {
    if (-offset !== at) return false;
    at += data.length;
  }
  return at === end;
}

type Stores = Record<(typeof STORES)[number], IDBObjectStore>;

/** Runs `use` in one transaction that only reads; nothing for an IndexedDB database of somebody else's. */
async function using<T>(name: string, use: (stores: Stores) => Promise<T>): Promise<T | undefined> {
  const database = await result(indexedDB.open(name));
  try {
    if (!STORES.every((store) => database.objectStoreNames.contains(store))) return undefined;
    const transaction = database.transaction(STORES, "readonly");
    const [metadata, blocks] = STORES.map((store) => transaction.objectStore(store)) as [
      IDBObjectStore,
      IDBObjectStore,
    ];
    return await use({ metadata, blocks });
  } finally {
    database.close();
  }
}

function result<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
