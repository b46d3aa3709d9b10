import { type FileHandle, open } from "node:fs/promises";
import { endianness } from "node:os";
import { type Core, core } from "../core/index.ts";
import { changed } from "./file-errors.ts";
import { LockableFile } from "./file-handle.ts";
import type { FilePages } from "./file-pages.ts";

type Wal = ReturnType<InstanceType<Core["WalReader"]>["finish"]>;

/** What a WAL says about a moment. */
export interface WalMoment {
  /** To be closed after the transaction, not before: see {@link LockableFile}. */
  shm?: LockableFile;
  mark?: string;
  changed?: Uint32Array;
}

const CHUNK = 1 << 20;

/**
 * Lays out the moment that the read transaction holds, or a later one that it holds just as well.
 *
 * With the transaction open, no checkpoint may write to the main file past what its lock allows, and no writer may
 * start the WAL anew before all of it is in the main file. So the commit that the wal-index names now stays readable:
 * from the main file alone when everything was checkpointed (`nBackfill` = `mxFrame`), else from the WAL's frames up
 * to `mxFrame` over the main file. See [WAL-index](https://www.sqlite.org/walformat.html#the_wal_index_file_format).
 */
export async function layOutWal(pages: FilePages, since: string | undefined): Promise<WalMoment> {
  const shm = LockableFile.open(`${pages.path}-shm`);
  try {
    return { ...(await layOutIndexed(pages, await readWalIndex(pages.path, shm), since)), shm };
  } catch (error) {
    shm.close();
    throw error;
  }
}

async function layOutIndexed(
  pages: FilePages,
  index: WalIndex,
  since: string | undefined,
): Promise<WalMoment> {
  const { pageSize } = pages.layout;
  const { frames, backfilled } = index;
  if (backfilled === frames) {
    if (index.pageCount > 0) pages.layout.pageCount = index.pageCount;
    if (frames === 0) return {};
    // The WAL may be started anew at any time; as long as it reads through, it tells what changed.
    const wal = since === undefined ? undefined : await readWal(pages, frames, since).catch(() => undefined);
    await wal?.file.close();
    return { mark: index.mark, ...changedIn(wal?.wal) };
  }
  const { file, wal } = await readWal(pages, frames, since);
  pages.layout = {
    pageSize,
    pageCount: wal.pageCount ?? index.pageCount,
    overlay: wal.takeOverlay(),
    side: file,
  };
  return { mark: index.mark, ...changedIn(wal) };
}

/** Lays out what the WAL holds now, without a lock: the caller checks that nothing changed meanwhile. */
export async function layOutQuietWal(pages: FilePages, since: string | undefined): Promise<WalMoment> {
  const { file, wal } = await readWal(pages, undefined, since);
  const { pageSize, pageCount } = pages.layout;
  pages.layout = { pageSize, pageCount: wal.pageCount ?? pageCount, overlay: wal.takeOverlay(), side: file };
  return { ...(wal.mark !== undefined && { mark: wal.mark }), ...changedIn(wal) };
}

function changedIn(wal: Wal | undefined): { changed?: Uint32Array } {
  const changed = wal?.changed();
  return changed ? { changed } : {};
}

async function readWal(pages: FilePages, frames: number | undefined, since: string | undefined) {
  const { WalReader } = await core();
  const reader = new WalReader(pages.layout.pageSize, frames, since);
  let file: FileHandle | undefined;
  try {
    file = await open(`${pages.path}-wal`, "r");
    const chunk = new Uint8Array(CHUNK);
    for (let at = 0; ; at += chunk.length) {
      const length = await pages.readSide(file, chunk, at);
      if (!reader.feed(chunk.subarray(0, length)) || length < chunk.length) break;
    }
    return { file, wal: reader.finish() };
  } catch (error) {
    await file?.close();
    throw error;
  } finally {
    reader.free();
  }
}

interface WalIndex {
  /** Frames up to the last commit. */
  frames: number;
  /** Frames already in the main file. */
  backfilled: number;
  pageCount: number;
  mark: string;
}

/** The header of the wal-index in `-shm`. */
async function readWalIndex(path: string, shm: LockableFile): Promise<WalIndex> {
  const HEADER = 48;
  const bytes = new Uint8Array(136);
  // Writers write the second copy first: both alike means that none is in the middle of it.
  for (let attempt = 0; attempt < 1000; attempt++) {
    if ((await shm.read(bytes, 0)) < bytes.length) continue;
    const same = bytes.subarray(0, HEADER).every((byte, at) => byte === bytes[HEADER + at]);
    if (same && bytes[12] === 1) return parseWalIndex(new DataView(bytes.buffer));
  }
  throw changed(path);
}

function parseWalIndex(view: DataView): WalIndex {
  const native = endianness() === "LE";
  const u32 = (at: number) => view.getUint32(at, native);
  const hex = (value: number) => value.toString(16).padStart(8, "0");
  const frames = u32(16);
  // The salts are kept as the WAL's header has them, big-endian; the rest is the machine's.
  const salts = hex(view.getUint32(32)) + hex(view.getUint32(36));
  const mark = `wal:${salts}:${frames}:${hex(u32(24))}${hex(u32(28))}`;
  return { frames, backfilled: u32(96), pageCount: u32(20), mark };
}
