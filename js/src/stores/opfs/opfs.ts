import { checkHas, checkOptions } from "../../errors/options.ts";
import { StoreError } from "../../errors/store-error.ts";
import { isAbsent } from "../../opfs/faults.ts";
import { writeAll } from "../../opfs/file-bytes.ts";
import { fileIn, folderAt, privateFiles, segmentsOf } from "../../opfs/folders.ts";
import { sweepScratch } from "../../opfs/scratch.ts";
import { compareKeys, isSegment } from "../checks.ts";
import type { Store, StoredObject } from "../store.ts";
import { storeFrom } from "../store-from.ts";
import { failed, fullError, isFull } from "./errors.ts";

/** What a store in the origin's private files asks of the browser. */
export interface OpfsStoreOptions {
  /** Whether to ask the browser, at the first put, not to remove this origin's files by itself; `true` unless given. */
  persist?: boolean;
}

/** Read at a time, in bytes. */
const CHUNK = 1 << 20;
/** Ending of the files in which Chromium keeps what is being written. */
const SWAP = ".crswap";
/** Where marks of empty objects lie, beside the objects. */
const EMPTY = [".pagemark", "empty"] as const;

/**
 * A store in a folder of the origin's private files, in any tab or worker of it; the folder is made when the first object is
 * put. Tabs may put and delete at the same time. The browser may remove all of them when it needs room, unless it has granted
 * `navigator.storage.persist()`, for which the first put asks.
 */
export function opfsStore(path = "backups", options: OpfsStoreOptions = {}): Store {
  const { persist = true } = checkOptions(options);
  const segments = segmentsOf(path);
  const folder = segments.join("/");
  const root = async () => {
    try {
      return (await folderAt(await privateFiles(), segments, { create: true })) as Folder;
    } catch (error) {
      if (isFull(error)) throw await fullError(folder, error);
      return failed("write", folder)(error);
    }
  };
  const description = `${folder} in this browser's private files`;
  return storeIn(root, description, { persist, beforeList: sweepScratch });
}

/**
 * A store in a folder of the user's disk, which they picked with `showDirectoryPicker({ mode: "readwrite" })`. Links in it
 * are the system's matter. While an object is put, there is an empty file in its place.
 */
export function pickedFolder(folder: FileSystemDirectoryHandle): Store {
  checkHas("getFileHandle", folder, "the folder", "a FileSystemDirectoryHandle");
  return storeIn(async () => folder, `the folder ${JSON.stringify(folder.name)}`);
}

type Folder = FileSystemDirectoryHandle;

interface Found extends StoredObject {
  file: File;
}

/**
 * An object is a file that is not empty, so that one which is being put, or whose tab was closed then, is none: a browser
 * shows a file's new content all at once, when it is closed. Empty objects have a mark of their name beside all.
 */
function storeIn(
  rootOf: () => Promise<Folder>,
  description: string,
  { persist = false, beforeList }: { persist?: boolean; beforeList?: () => Promise<void> } = {},
): Store {
  let opened: Promise<Folder> | undefined;
  const root = () => {
    opened ??= rootOf();
    opened.catch(() => {
      opened = undefined;
    });
    return opened;
  };
  let hasAsked = false;
  /** Asks once; what the browser answers, or that it asks the user, keeps no put waiting. */
  const askToKeep = () => {
    if (persist && !hasAsked) navigator.storage.persist?.().catch(() => {});
    hasAsked = true;
  };

  /** By their paths: a handle names a place, also when somebody removes the folder and makes it again. */
  const known = new Map<string, Promise<Folder | undefined>>();
  async function folderOf(folders: readonly string[]): Promise<Folder | undefined> {
    const path = folders.join("/");
    const opening = known.get(path) ?? root().then((top) => folderAt(top, folders));
    known.set(path, opening);
    const folder = await opening.catch(() => undefined);
    if (!folder) known.delete(path);
    return folder ?? opening;
  }

  async function find(key: string): Promise<Found | undefined> {
    const [folders, name] = placeOf(key);
    const folder = await folderOf(folders);
    const handle = folder && (await fileIn(folder, name));
    return handle && found(await root(), key, handle);
  }

  return storeFrom<Found>({
    layout: "folder",
    description,
    async put(key, chunks, _modified, signal, ownsChunks) {
      askToKeep();
      let isPut = false;
      try {
        isPut = await sharing(`${description}:${key}`, () => write(key, chunks, signal, ownsChunks));
        return isPut;
      } finally {
        if (!isPut) await removeEmpty(key);
      }
    },
    find: (key) => find(key).catch(failed("read", key)),
    async *read({ key, file }, start, end) {
      for (let at = start; at < end; at += CHUNK) {
        const part = file.slice(at, Math.min(at + CHUNK, end));
        yield new Uint8Array(await part.arrayBuffer().catch(failed("read", key)));
      }
    },
    async list(prefix, after, limit, signal) {
      if (after === "") await beforeList?.();
      const objects: StoredObject[] = [];
      for await (const object of walk(await root(), { prefix, after, signal })) {
        if (objects.push(object) === limit) break;
      }
      return objects;
    },
    async delete(key) {
      const [folders, name] = placeOf(key);
      const folder = await folderAt(await root(), folders).catch(failed("delete", key));
      await deciding(`${description}:${key}`, async () => {
        if (!(await find(key))) return;
        await folder?.removeEntry(name).catch((error) => {
          if (!isAbsent(error)) failed("delete", key)(error);
        });
        await unmark(await root(), key);
      });
    },
  });

  async function write(
    key: string,
    chunks: AsyncIterable<Uint8Array>,
    signal: AbortSignal | undefined,
    ownsChunks: boolean,
  ) {
    const [folders, name] = placeOf(key);
    const folder = await makeFolders(await root(), folders, key);
    let writable: FileSystemWritableFileStream | undefined;
    try {
      const handle = await folder.getFileHandle(name, { create: true });
      // Several tabs may write at once, each into what nobody sees before it is closed.
      writable = await handle.createWritable();
      const size = await writeAll(writable, chunks, ownsChunks);
      signal?.throwIfAborted();
      const open = writable;
      return await deciding(`${description}:${key}`, async () => {
        if (await find(key)) return false;
        if (size === 0) await mark(await root(), key);
        await open.close();
        writable = undefined;
        return true;
      });
    } catch (error) {
      signal?.throwIfAborted();
      if (isFull(error)) throw await fullError(key, error);
      return failed("write", key)(error);
    } finally {
      await writable?.abort().catch(() => {}); // what went wrong first says more
    }
  }

  /** Removes what a put that failed has left: an empty file. Another put of the key needs it. */
  async function removeEmpty(key: string): Promise<void> {
    const [folders, name] = placeOf(key);
    await alone(`${description}:${key}`, async () => {
      const folder = await folderAt(await root(), folders);
      if (!(await find(key))) await folder?.removeEntry(name);
    }).catch(() => {}); // it is no object either way
  }
}

async function found(top: Folder, key: string, handle: FileSystemFileHandle): Promise<Found | undefined> {
  try {
    const file = await handle.getFile();
    if (file.size === 0 && !(await isMarked(top, key))) return undefined;
    return { key, size: file.size, modified: new Date(file.lastModified), file };
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

function placeOf(key: string): [folders: string[], name: string] {
  const folders = key.split("/");
  return [folders, folders.pop() ?? ""];
}

async function makeFolders(top: Folder, folders: string[], key: string): Promise<Folder> {
  try {
    return (await folderAt(top, folders, { create: true })) as Folder;
  } catch (error) {
    if (isFull(error)) throw await fullError(key, error);
    if (!isAbsent(error)) return failed("write", key)(error);
    const message = `cannot write ${JSON.stringify(key)}: a file is where one of its folders must be`;
    throw new StoreError("STORE_NOT_A_FOLDER", message, { name: key }, { cause: error });
  }
}

/** One tab at a time decides about a key. */
async function deciding<T>(key: string, use: () => Promise<T>): Promise<T> {
  return navigator.locks.request(`pagemark-store:${key}`, use) as Promise<T>;
}

/** Any number put an object under a key at once. */
async function sharing<T>(key: string, use: () => Promise<T>): Promise<T> {
  return navigator.locks.request(`pagemark-put:${key}`, { mode: "shared" }, use) as Promise<T>;
}

/** Calls `use` if nobody puts an object under the key. */
async function alone(key: string, use: () => Promise<void>): Promise<void> {
  await navigator.locks.request(`pagemark-put:${key}`, { ifAvailable: true }, async (lock) => {
    if (lock) await use();
  });
}

/** A key as one name. */
function markOf(key: string): string {
  return key.replaceAll("%", "%25").replaceAll("/", "%2F");
}

async function mark(top: Folder, key: string): Promise<void> {
  const folder = await folderAt(top, EMPTY, { create: true });
  await folder?.getFileHandle(markOf(key), { create: true });
}

async function isMarked(top: Folder, key: string): Promise<boolean> {
  const folder = await folderAt(top, EMPTY);
  return folder !== undefined && (await fileIn(folder, markOf(key))) !== undefined;
}

async function unmark(top: Folder, key: string): Promise<void> {
  const folder = await folderAt(top, EMPTY);
  await folder?.removeEntry(markOf(key)).catch(() => {});
}

interface Wanted {
  prefix: string;
  after: string;
  signal: AbortSignal | undefined;
}

/**
 * Goes through a folder in the order of the keys: a folder stands where its name and a slash would. Opens only folders that
 * may hold a wanted key.
 */
async function* walk(top: Folder, wanted: Wanted, folder = top, path = ""): AsyncGenerator<StoredObject> {
  for (const [name, entry] of await namesIn(folder, path, wanted)) {
    wanted.signal?.throwIfAborted();
    if (entry.kind === "directory") yield* walk(top, wanted, entry as Folder, name);
    else {
      const object = await found(top, name, entry as FileSystemFileHandle).catch(failed("list", name));
      if (object) yield { key: object.key, size: object.size, modified: object.modified };
    }
  }
}

async function namesIn(folder: Folder, path: string, { prefix, after, signal }: Wanted) {
  const names: [string, FileSystemHandle][] = [];
  try {
    for await (const entry of folder.values()) {
      signal?.throwIfAborted();
      if (!isSegment(entry.name) || entry.name.endsWith(SWAP)) continue;
      const isFolder = entry.kind === "directory";
      const name = `${path}${entry.name}${isFolder ? "/" : ""}`;
      const mayHold = name.startsWith(prefix) || (isFolder && prefix.startsWith(name));
      // What is in a folder comes after its own name.
      const isAfter = name > after || (isFolder && after.startsWith(name));
      if (mayHold && isAfter) names.push([name, entry]);
    }
  } catch (error) {
    signal?.throwIfAborted();
    // Removed since its name was read.
    if (!isAbsent(error)) failed("list", path)(error);
  }
  return names.sort(([a], [b]) => compareKeys(a, b));
}
