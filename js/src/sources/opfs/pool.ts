// Pools of files under names that say nothing, each with a header that says whose it is: what `opfs-sahpool` of
// @sqlite.org/sqlite-wasm, AccessHandlePoolVFS of wa-sqlite and `sqlite-wasm-vfs` (Rust) keep.
import { faultOf, isAbsent } from "../../opfs/faults.ts";
import { entriesOf } from "../../opfs/folders.ts";

/** Where the data of a slot begin, in bytes. */
export const SLOT_HEADER = 4096;
/** Ends of the header's parts: the client's path, NUL padded; flags of SQLite; a digest of both. */
const [PATH_END, FLAGS_END, DIGEST_END] = [512, 516, 524];
/** SQLITE_OPEN_MAIN_DB, _MAIN_JOURNAL, _SUPER_JOURNAL, _WAL: one of them is set in a slot that is used. */
const KINDS = 0x100 | 0x800 | 0x4000 | 0x80000;
const DELETE_ON_CLOSE = 0x8;
/** Set by sqlite-wasm in slots with a digest. */
const HAS_DIGEST = 0x80;
const MAGIC = "SQLite format 3\0";

export type PoolLibrary =
  | "@sqlite.org/sqlite-wasm opfs-sahpool"
  | "wa-sqlite AccessHandlePoolVFS"
  | "sqlite-wasm-vfs";

export interface Slot {
  handle: FileSystemFileHandle;
  /** Path of the file in the pool, such as `/app.db`; `undefined` in a slot that is free, or whose header was wiped. */
  path: string | undefined;
  /** Whose header it is; `undefined` when the digest is nobody's. */
  library: PoolLibrary | undefined;
  /** Whether the data begin as a database does. */
  isDatabase: boolean;
}

/** Some browsers refuse to read a file that was written since it was looked at: so often it is tried. */
const TRIES = 50;

/** Reads the header of what may be a slot; `undefined` for what is none, or is gone. */
export async function slotOf(handle: FileSystemFileHandle): Promise<Slot | undefined> {
  for (let tries = 1; ; tries++) {
    try {
      return await readSlot(handle);
    } catch (error) {
      if (isAbsent(error)) return undefined;
      if (tries === TRIES || faultOf(error)?.kind !== "changed") throw error;
    }
  }
}

async function readSlot(handle: FileSystemFileHandle): Promise<Slot | undefined> {
  const file = await handle.getFile();
  if (file.size < DIGEST_END) return undefined;
  const bytes = await file.slice(0, SLOT_HEADER + MAGIC.length).arrayBuffer();
  const head = new Uint8Array(bytes.slice(0, DIGEST_END));
  const magic = new TextDecoder().decode(bytes.slice(SLOT_HEADER));
  const isDatabase = magic === MAGIC;
  const path = pathIn(head);
  const flags = new DataView(head.buffer).getUint32(PATH_END);
  const isKnown = (flags & KINDS) !== 0 && (flags & DELETE_ON_CLOSE) === 0;
  if (path === undefined || !isKnown) {
    const isFree = head.subarray(0, FLAGS_END).every((byte) => byte === 0);
    return isDatabase || isFree ? { handle, path: undefined, library: undefined, isDatabase } : undefined;
  }
  return { handle, path, library: libraryOf(head, flags), isDatabase };
}

/** The slots of the pool in a folder: none when it is no pool. Names of slots are digits and letters; other files are not opened. */
export async function slotsIn(folder: FileSystemDirectoryHandle): Promise<Slot[]> {
  const entries = await entriesOf(folder);
  const isFile = (entry: FileSystemHandle) => entry.kind === "file" && !entry.name.includes(".");
  const files = entries.filter(isFile) as FileSystemFileHandle[];
  const slots = await Promise.all(files.map((file) => slotOf(file)));
  return slots.filter((slot) => slot !== undefined);
}

/** Those of `slots` that have something in them by now, and that path. */
export async function filledSlots(slots: readonly Slot[], path: string): Promise<Slot[]> {
  const hasData = async ({ handle }: Slot) => (await handle.getFile()).size > SLOT_HEADER;
  const filled = await Promise.all(slots.map(hasData));
  const now = await Promise.all(slots.filter((_, i) => filled[i]).map(({ handle }) => slotOf(handle)));
  return now.filter((slot) => slot !== undefined).filter((slot) => slot.path === path);
}

/** A header for a database of that path, for the library that made `like` and reads its own kind only. */
export function headerLike(like: Slot | undefined, path: string): Uint8Array<ArrayBuffer> {
  const head = new Uint8Array(SLOT_HEADER);
  const { written } = new TextEncoder().encodeInto(path, head.subarray(0, PATH_END - 1));
  const hasDigest = like?.library !== "wa-sqlite AccessHandlePoolVFS" && like?.library !== "sqlite-wasm-vfs";
  const view = new DataView(head.buffer);
  // SQLITE_OPEN_READWRITE, _CREATE, _MAIN_DB.
  view.setUint32(PATH_END, 0x106 | (hasDigest ? HAS_DIGEST : 0));
  const corpus = head.subarray(0, FLAGS_END);
  if (hasDigest) setDigest(view, officialDigest(corpus));
  else if (like?.library === "wa-sqlite AccessHandlePoolVFS") setDigest(view, waDigest(corpus));
  if (written === 0) throw new RangeError("a slot needs a path");
  return head;
}

function setDigest(view: DataView, [first, second]: readonly [number, number]): void {
  view.setUint32(FLAGS_END, first, true);
  view.setUint32(FLAGS_END + 4, second, true);
}

function pathIn(head: Uint8Array): string | undefined {
  const end = head.indexOf(0);
  if (end <= 0 || end >= PATH_END) return undefined;
  const path = new TextDecoder().decode(head.subarray(0, end));
  return path.startsWith("/") ? path : undefined;
}

function libraryOf(head: Uint8Array<ArrayBuffer>, flags: number): PoolLibrary | undefined {
  const view = new DataView(head.buffer);
  const stored = [view.getUint32(FLAGS_END, true), view.getUint32(FLAGS_END + 4, true)];
  const corpus = head.subarray(0, FLAGS_END);
  const is = ([first, second]: readonly [number, number]) => stored[0] === first && stored[1] === second;
  if ((flags & HAS_DIGEST) !== 0) {
    return is(officialDigest(corpus)) ? "@sqlite.org/sqlite-wasm opfs-sahpool" : undefined;
  }
  if (is(waDigest(corpus))) return "wa-sqlite AccessHandlePoolVFS";
  // Versions of sqlite-wasm before 3.51 wrote no digest either.
  return is([0, 0]) ? "sqlite-wasm-vfs" : undefined;
}

function officialDigest(corpus: Uint8Array): [number, number] {
  let [h1, h2] = [0xdeadbeef, 0x41c6ce57];
  for (const byte of corpus) {
    h1 = Math.imul(h1 ^ byte, 2654435761);
    h2 = Math.imul(h2 ^ byte, 104729);
  }
  return [h1 >>> 0, h2 >>> 0];
}

function waDigest(corpus: Uint8Array): [number, number] {
  let [h1, h2] = [0xdeadbeef, 0x41c6ce57];
  for (const byte of corpus) {
    h1 = Math.imul(h1 ^ byte, 2654435761);
    h2 = Math.imul(h2 ^ byte, 1597334677);
  }
  h1 = Math.imul(h1 ^ (h1 >>> 16), 2246822507) ^ Math.imul(h2 ^ (h2 >>> 13), 3266489909);
  h2 = Math.imul(h2 ^ (h2 >>> 16), 2246822507) ^ Math.imul(h1 ^ (h1 >>> 13), 3266489909);
  return [h1 >>> 0, h2 >>> 0];
}
