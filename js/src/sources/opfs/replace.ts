import { DamageError, SourceError } from "../../errors/index.ts";
import { faultOf } from "../../opfs/faults.ts";
import { folderAt, moveOver, privateFiles, segmentsOf } from "../../opfs/folders.ts";
import { type ScratchFile, scratchFile } from "../../opfs/scratch.ts";
import { consume } from "../../streams/body.ts";
import type { ReplaceOptions } from "../source.ts";
import { checkHeader } from "../source-from.ts";
import { inUse, opfsError } from "./errors.ts";
import { findDatabase, type InFolder, namesOf, poolsIn } from "./files.ts";
import { type Held, keepAllOut, usersOf } from "./locks.ts";
import { headerLike, SLOT_HEADER } from "./pool.ts";
import { look, viewOf } from "./snapshot.ts";
import { refuseDamaged } from "./whole.ts";

/** Written at a time, in bytes. */
const CHUNK = 1 << 20;
/** What tells a database: less is none. In bytes. */
const START = 512;
/** How long to wait for whoever uses the database, in milliseconds. */
const WAIT_MS = 2000;

/** Where a database will lie. */
interface Place {
  folder: FileSystemDirectoryHandle;
  name: string;
  /** What comes before it in the file: a slot's header. */
  header: Uint8Array<ArrayBuffer>;
}

/** How a database is replaced. */
export interface OpfsReplaceOptions extends ReplaceOptions {
  /** Called once the new database is written and proved; where it fails, the old one is left alone. */
  before?: () => Promise<unknown>;
}

/**
 * Replaces the database at `path`, or makes one there: with the option `pool` in that pool, else a file of its own.
 *
 * The new one is written elsewhere, read back and, unless it `isProved`, refused where one of its tables is damaged; then it takes the old one's place in one step, which fails while a library
 * has that open. Before, what an unfinished transaction or a WAL left beside the old one goes into it, and is then
 * removed: nothing of it can reach the new one. A database in WAL mode becomes one in rollback mode, unless the old one was
 * in WAL mode: most libraries cannot open it otherwise.
 */
export async function replaceDatabase(
  path: string,
  pool: string | undefined,
  body: ReadableStream<Uint8Array>,
  { signal, isProved = false, before }: OpfsReplaceOptions,
): Promise<void> {
  const made: { file?: ScratchFile } = {};
  let held: Held | undefined;
  try {
    await consume(body, signal, async (chunks) => {
      const old = await existing(path, pool);
      const place = old ? await placeOf(old) : await newPlace(path, pool);
      const isWal = old ? await isInWalMode(old) : false;
      const file = await scratchFile();
      made.file = file;
      const size = await writeAll(file, place.header, chunks, path, isWal);
      await file.seal();
      if (!(await file.isProved())) {
        const message = `${path}: what was written is not what is there now; the old database was left alone`;
        throw new SourceError("SOURCE_UNREADABLE", message, { name: path });
      }
      const start = place.header.length;
      if (!isProved) await refuseDamaged((at, into) => file.read(start + at, into), size, path, signal);
      await before?.();
      signal?.throwIfAborted();
      if (old) {
        held = await keepAllOut(old, Date.now() + WAIT_MS, signal);
        await emptySides(old, place);
      }
      signal?.throwIfAborted();
      await swap(file, place);
    });
  } catch (error) {
    if (faultOf(error)?.kind !== "held") throw opfsError(error, path, signal, ". Nothing was replaced");
    const old = await existing(path, pool);
    const [user = "a tab or worker"] = old ? await usersOf(old) : [];
    throw inUse(path, user);
  } finally {
    held?.release();
    await made.file?.close();
  }
}

async function existing(path: string, pool: string | undefined): Promise<InFolder | undefined> {
  try {
    return await findDatabase(path, pool);
  } catch (error) {
    if (error instanceof SourceError && error.code === "SOURCE_MISSING") return undefined;
    throw error;
  }
}

async function placeOf({ main, folder, pool }: InFolder): Promise<Place> {
  const file = await main.handle.getFile();
  const header = new Uint8Array(await file.slice(0, pool ? SLOT_HEADER : 0).arrayBuffer());
  return { folder, name: main.handle.name, header };
}

async function newPlace(path: string, pool: string | undefined): Promise<Place> {
  const root = await privateFiles();
  // As libraries spell it.
  const full = namesOf(path).at(-1) ?? "";
  if (pool !== undefined) {
    const wanted = segmentsOf(pool).join("/");
    const found = (await poolsIn(root)).find(({ path }) => path === wanted || path === `${wanted}/.opaque`);
    if (!found) throw new SourceError("SOURCE_MISSING", `${pool}: there is no such pool`, { name: pool });
    const like = found.slots.find((slot) => slot.library !== undefined);
    const slot = Math.random().toString(36).slice(2);
    return { folder: found.folder, name: slot, header: headerLike(like, `/${full}`) };
  }
  const folders = full.split("/");
  const last = folders.pop() ?? "";
  const folder = await folderAt(root, folders, { create: true });
  return { folder: folder as FileSystemDirectoryHandle, name: last, header: new Uint8Array() };
}

async function isInWalMode({ main }: InFolder): Promise<boolean> {
  const file = await main.handle.getFile();
  const modes = new Uint8Array(await file.slice(main.start + 18, main.start + 20).arrayBuffer());
  return modes[0] === 2 && modes[1] === 2;
}

/** Writes a database behind `header`, after a look at its own; gives its size in bytes. */
async function writeAll(
  file: ScratchFile,
  header: Uint8Array,
  chunks: AsyncIterable<Uint8Array>,
  path: string,
  keepsWalMode: boolean,
): Promise<number> {
  const buffer = new Uint8Array(CHUNK);
  let [filled, offset, size] = [0, 0, 0];
  if (header.length > 0) await file.write(header, 0);
  const flush = async () => {
    const bytes = buffer.subarray(0, filled);
    if (offset === 0) {
      await checkHeader(bytes.subarray(0, START), `the new ${path}`);
      if (!keepsWalMode && bytes[18] === 2 && bytes[19] === 2) bytes.fill(1, 18, 20);
    }
    await file.write(bytes, header.length + offset);
    offset += filled;
    filled = 0;
  };
  let pageSize = 0;
  let pageCount = 0;
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length; ) {
      const part = chunk.subarray(at, at + CHUNK - filled);
      buffer.set(part, filled);
      filled += part.length;
      at += part.length;
      size += part.length;
      if (offset === 0 && filled >= 100) ({ pageSize, pageCount } = shapeIn(buffer));
      if (filled === CHUNK) await flush();
    }
  }
  if (filled > 0 || size === 0) await flush();
  if (size < pageSize * pageCount || size % pageSize !== 0) {
    const message = `${path}: the new database is shorter than its header says; it was cut off. The old one was left alone`;
    throw new DamageError("DATABASE_TRUNCATED", message, { name: path });
  }
  return size;
}

/** Size and number of pages as a header states them: 0 pages where it was written by a version that states none. */
function shapeIn(start: Uint8Array<ArrayBuffer>): { pageSize: number; pageCount: number } {
  const view = new DataView(start.buffer);
  const size = view.getUint16(16);
  const isStated = view.getUint32(24) === view.getUint32(92);
  return { pageSize: size === 1 ? 65_536 : size, pageCount: isStated ? view.getUint32(28) : 0 };
}

/** Puts what lies beside the old database into it, and removes it. */
async function emptySides(old: InFolder, place: Place): Promise<void> {
  const seen = await look(old);
  if (seen.journal || seen.wal) {
    const view = await viewOf(seen);
    const file = await scratchFile();
    try {
      if (place.header.length > 0) await file.write(place.header, 0);
      for (let offset = 0; offset < view.size; offset += CHUNK) {
        const chunk = new Uint8Array(Math.min(CHUNK, view.size - offset));
        await view.read(offset, chunk);
        await file.write(chunk, place.header.length + offset);
      }
      await file.seal();
      // Rolling the journal back, or the WAL's pages, into this file gives the same file: a crash here does no harm.
      await swap(file, place);
    } finally {
      view.free();
      await file.close();
    }
  }
  for (const ending of ["-journal", "-wal", "-shm"]) {
    const beside = await old.beside(ending);
    if (!beside || (await beside.handle.getFile()).size <= beside.start) continue;
    if (beside.start === 0) await old.folder.removeEntry(beside.handle.name);
    else await free(beside.handle);
  }
}

/** Makes a slot one that its pool may use again. */
async function free(handle: FileSystemFileHandle): Promise<void> {
  const writable = await handle.createWritable();
  await writable.write(new Uint8Array(SLOT_HEADER));
  await writable.close();
}

/** Gives the new file the place of the old one, in one step. */
async function swap(file: ScratchFile, { folder, name }: Place): Promise<void> {
  const { handle } = file;
  await file.letGo();
  if (await moveOver(handle, folder, name)) return;
  const target = await folder.getFileHandle(name, { create: true });
  const written = await handle.getFile();
  // What is written shows when it is closed.
  await written.stream().pipeTo(await target.createWritable());
}
