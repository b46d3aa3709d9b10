// A database as its files hold it at one time, and whether it still is.

import { isAbsent } from "../../opfs/faults.ts";
import { BlobReader } from "../../opfs/file-bytes.ts";
import { type Bytes, checkJournalPages, type Overlay, readJournal, readWal } from "../side-files.ts";
import { changed } from "./errors.ts";
import type { Found, Part } from "./files.ts";
import { AHEAD_HEADER, readAhead } from "./write-ahead.ts";

/** Times of files move in steps of up to this: two writes within a step look like one. In milliseconds. */
const STEP_MS = 25;
const HEADER = 100;
/** The stamp of a journal without anything to roll back. */
const COLD = "cold";
/** What lies beside a database is held in memory up to this. In bytes. */
const MOST_AT_ONCE = 8 << 20;
const WAL_HEADER = 32;
const JOURNAL_MAGIC = "d9d505f920a163d7";

/** How the files stood: differs whenever one of them may hold something else. */
interface Stamp {
  main: string;
  header: string;
  /** {@link COLD}, or its stamp. */
  journal: string;
  /** First bytes of the WAL; it may grow, which harms no earlier commit. */
  wal: string;
  /** First bytes of both files of a write-ahead VFS; they may grow, too. */
  ahead: string;
}

export interface Look {
  found: Found;
  file: File;
  readonly stamp: Stamp;
  journal: File | undefined;
  wal: File | undefined;
  ahead: readonly [File | undefined, File | undefined] | undefined;
  /** Whether its header says that it is in WAL mode. */
  isWal: boolean;
  /** Whether the next write would change the stamp. */
  isSettled: boolean;
  /** Time since the database was written, in milliseconds. */
  quietMs: number;
}

/**
 * Looks at the files of a database.
 *
 * In rollback mode the header is read before the journal is looked at here, and after it by {@link isSame}. A
 * transaction that writes pages between the two looks then either has its journal there at one of them, or has ended
 * before the second, and raised the change counter. One that was rolled back shows in the file's time, unless it was
 * written just before the first look.
 */
export async function look(found: Found): Promise<Look> {
  const { main } = found;
  const file = await main.handle.getFile();
  const header = await bytesOf(file, main.start, HEADER);
  const isWal = header[18] === 2 && header[19] === 2;
  const [journalPart, walPart] = await Promise.all([
    isWal ? undefined : found.beside("-journal"),
    isWal ? found.beside("-wal") : undefined,
  ]);
  const journal = journalPart && (await hotJournal(journalPart));
  const wal = walPart && (await fileNow(walPart.handle));
  const walStart = wal && walPart ? hex(await bytesOf(wal, walPart.start, WAL_HEADER)) : "";
  const { ahead, start: aheadStart } = await aheadNow(found);
  const now = Date.now();
  const newest = Math.max(file.lastModified, journal?.lastModified ?? 0);
  return {
    found,
    file,
    journal,
    isWal,
    wal: walStart === "" ? undefined : wal,
    ahead,
    stamp: {
      ahead: aheadStart,
      main: stampOf(file),
      header: hex(header),
      journal: journal ? stampOf(journal) : COLD,
      wal: walStart,
    },
    // A time in the future comes from a wrong clock, and waiting would not help.
    isSettled: now - newest > STEP_MS || newest > now,
    quietMs: Math.max(0, now - newest),
  };
}

/** Looks once more, without a look at the header: gives nothing when a file beside the database is another. */
export async function lookAgain(first: Look): Promise<Look | undefined> {
  const [file, beside] = await Promise.all([first.found.main.handle.getFile(), besideNow(first)]);
  return beside && { ...first, ...beside, file };
}

/** What lies beside the database, if that is as it was. */
async function besideNow({
  found,
  stamp,
}: Look): Promise<Pick<Look, "journal" | "wal" | "ahead"> | undefined> {
  const { ahead, start } = await aheadNow(found);
  if (start !== stamp.ahead) return undefined;
  if (stamp.wal !== "") {
    const part = await found.beside("-wal");
    const wal = part && (await fileNow(part.handle));
    const isWal = wal && part && hex(await bytesOf(wal, part.start, WAL_HEADER)) === stamp.wal;
    return isWal ? { journal: undefined, wal, ahead } : undefined;
  }
  const part = await found.beside("-journal");
  const journal = part && (await hotJournal(part));
  const isJournal = (journal ? stampOf(journal) : COLD) === stamp.journal;
  return isJournal ? { journal, wal: undefined, ahead } : undefined;
}

/** The files of a write-ahead VFS, if there are any, and their first bytes. */
async function aheadNow(found: Found): Promise<{ ahead: Look["ahead"]; start: string }> {
  if (found.pool) return { ahead: undefined, start: "" };
  const parts = await Promise.all(["-wa0", "-wa1"].map((ending) => found.beside(ending)));
  const [first, second] = await Promise.all(parts.map((part) => part && fileNow(part.handle)));
  if (!first && !second) return { ahead: undefined, start: "" };
  const starts = [first, second].map(async (file) => (file ? hex(await bytesOf(file, 0, AHEAD_HEADER)) : ""));
  return { ahead: [first, second], start: (await Promise.all(starts)).join(":") };
}

/** Whether the files hold what they held when they were looked at. */
export async function isSame(seen: Look): Promise<boolean> {
  const { found, stamp } = seen;
  if (!(await besideNow(seen))) return false;
  const file = await found.main.handle.getFile();
  return stampOf(file) === stamp.main && hex(await bytesOf(file, found.main.start, HEADER)) === stamp.header;
}

/**
 * Names a state that no write leaves as it is: files whose times can tell, with nothing beside them. In WAL mode neither the
 * header nor the time of the database says what is committed.
 */
export function markOf({ found, stamp, isSettled, ahead, isWal }: Look): string | undefined {
  if (!isSettled || isWal || ahead || stamp.journal !== COLD) return undefined;
  return `${[found.pool?.path ?? "", found.path, stamp.main, stamp.header].join("|")}#`;
}

/** What a mark says of the files, without what somebody else adds behind it. */
export function stampIn(mark: string): string {
  return mark.slice(0, Math.max(0, mark.lastIndexOf("#")));
}

/** The pages of a database that was looked at. */
export interface View {
  /** Size of the image, in bytes. */
  size: number;
  read(offset: number, into: Uint8Array): Promise<number>;
  free(): void;
}

/** The image that SQLite would see: with the WAL's committed pages, or a hot journal rolled back. */
export async function viewOf(
  { found, file, journal, wal, ahead, stamp }: Look,
  signal?: AbortSignal,
): Promise<View> {
  const main = bytesIn(found.path, file, found.main.start);
  const mainSize = Math.max(0, file.size - found.main.start);
  const plain: View = {
    size: mainSize,
    read: (offset, into) => main.read(into, offset),
    free: () => main.close(),
  };
  if (ahead) return aheadView(found.path, plain, ahead);
  const pageSize = pageSizeIn(stamp.header);
  if (pageSize === undefined || (!journal && !wal)) return plain;
  if (wal) {
    const side = await sideBytes(`${found.path}-wal`, wal, found.main.start);
    const { overlay, pageCount } = await readWal(side, pageSize, undefined, undefined, signal);
    if (pageCount === undefined) return freed(overlay, plain);
    return overlaid({ main, mainSize, side, overlay, pageSize, pageCount, isZeroFilled: false });
  }
  const side = await sideBytes(`${found.path}-journal`, journal as File, found.main.start);
  const rolled = await readJournal(side, pageSize, signal);
  if (!rolled) return plain;
  const { pageSize: before, pageCount, superJournal } = rolled;
  const isCommitted = superJournal !== undefined && !(await isThere(found, superJournal));
  const overlay = rolled.takeOverlay();
  rolled.free();
  if (isCommitted) return freed(overlay, plain);
  const mainPages = Math.floor(mainSize / before);
  const pages = { main, mainPages, path: found.path, pageCount };
  await checkJournalPages(pages, { file: side, overlay });
  return overlaid({ main, mainSize, side, overlay, pageSize: before, pageCount, isZeroFilled: true });
}

/** The database with the transactions that a write-ahead VFS has not moved into it yet. */
async function aheadView(path: string, main: View, files: NonNullable<Look["ahead"]>): Promise<View> {
  const reading = files.map((file) => sideBytes(path, file ?? new Blob(), 0));
  const logs = (await Promise.all(reading)) as [Bytes, Bytes];
  const { pageSize, size, pages } = await readAhead(logs);
  if (pages.size === 0) return main;
  return {
    size,
    free: () => main.free(),
    async read(offset, into) {
      const wanted = into.subarray(0, Math.max(0, Math.min(into.length, size - offset)));
      wanted.fill(0, await main.read(offset, wanted));
      const first = offset - (offset % pageSize);
      for (let place = first; place < offset + wanted.length; place += pageSize) {
        const found = pages.get(place);
        if (!found) continue;
        const page = new Uint8Array(pageSize);
        if ((await logs[found.file].read(page, found.offset)) < pageSize) throw changed(path);
        const from = Math.max(0, offset - place);
        wanted.set(
          page.subarray(from, Math.min(pageSize, offset + wanted.length - place)),
          place + from - offset,
        );
      }
      return wanted.length;
    },
  };
}

interface Layers {
  main: Bytes & { close(): void };
  mainSize: number;
  side: Bytes;
  overlay: Overlay;
  pageSize: number;
  pageCount: number;
  /** Whether pages that lie nowhere count as zeros. */
  isZeroFilled: boolean;
}

function overlaid({ main, mainSize, side, overlay, pageSize, pageCount, isZeroFilled }: Layers): View {
  const size = pageSize * pageCount;
  return {
    size,
    free() {
      overlay.free();
      main.close();
    },
    async read(offset, into) {
      const wanted = into.subarray(0, Math.max(0, Math.min(into.length, size - offset)));
      const inMain = wanted.subarray(0, Math.max(0, Math.min(wanted.length, mainSize - offset)));
      if ((await main.read(inMain, offset)) < inMain.length) return 0;
      wanted.fill(0, inMain.length);
      const first = Math.floor(offset / pageSize) + 1;
      const count = Math.ceil((offset + wanted.length) / pageSize) - first + 1;
      const beside = overlay.range(first, count);
      for (let i = 0; i < beside.length; i += 2) {
        const [page = 0, at = 0] = beside.subarray(i, i + 2);
        const bytes = new Uint8Array(pageSize);
        if ((await side.read(bytes, at)) < pageSize) return 0;
        // A page may begin before what is wanted, or end behind it.
        const start = (page - 1) * pageSize - offset;
        const from = Math.max(0, -start);
        wanted.set(bytes.subarray(from, Math.min(pageSize, wanted.length - start)), start + from);
      }
      if (isZeroFilled || inMain.length === wanted.length) return wanted.length;
      return isCovered(beside, first, count, (offset + inMain.length) / pageSize)
        ? wanted.length
        : inMain.length;
    },
  };
}

/** Whether every page behind the main file's end lies beside it. */
function isCovered(beside: Float64Array, first: number, count: number, mainPages: number): boolean {
  const present = new Set(beside.filter((_, i) => i % 2 === 0));
  for (let page = Math.max(first, Math.floor(mainPages) + 1); page < first + count; page++) {
    if (!present.has(page)) return false;
  }
  return true;
}

function freed(overlay: Overlay, view: View): View {
  overlay.free();
  return view;
}

/** What is read page by page: at once, unless it is large. */
async function sideBytes(path: string, file: Blob, start: number): Promise<Bytes> {
  const bytes = bytesIn(path, file, start);
  if (file.size > MOST_AT_ONCE) return bytes;
  const all = new Uint8Array(Math.max(0, file.size - start));
  const length = await bytes.read(all, 0);
  return {
    async read(into, position) {
      const part = all.subarray(position, Math.min(position + into.length, length));
      into.set(part);
      return part.length;
    },
  };
}

/** A file from `start` on. */
function bytesIn(path: string, file: Blob, start: number): Bytes & { close(): void } {
  const reader = new BlobReader(file);
  return {
    async read(into, position) {
      try {
        return await reader.read(start + position, into);
      } catch (error) {
        throw changed(path, error);
      }
    },
    close: () => reader.close(),
  };
}

/** Super-journals lie beside the database, or in its pool. */
async function isThere({ path, beside }: Found, superJournal: string): Promise<boolean> {
  const name = superJournal.startsWith(path) ? superJournal.slice(path.length) : undefined;
  return name === undefined || (await beside(name)) !== undefined;
}

async function hotJournal({ handle, start }: Part): Promise<File | undefined> {
  const file = await fileNow(handle);
  if (!file || file.size <= start) return undefined;
  return hex(await bytesOf(file, start, 8)) === JOURNAL_MAGIC ? file : undefined;
}

/** The file as it is now; `undefined` when it was deleted meanwhile. */
async function fileNow(handle: FileSystemFileHandle): Promise<File | undefined> {
  try {
    return await handle.getFile();
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

function pageSizeIn(header: string): number | undefined {
  const size = Number.parseInt(header.slice(32, 36), 16);
  return size === 1 ? 65_536 : size >= 512 && (size & (size - 1)) === 0 ? size : undefined;
}

function stampOf({ size, lastModified }: File): string {
  return `${size}:${lastModified}`;
}

async function bytesOf(file: Blob, start: number, length: number): Promise<Uint8Array> {
  return new Uint8Array(await file.slice(start, start + length).arrayBuffer());
}

export function hex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
