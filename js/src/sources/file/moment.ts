import type { PageFiles } from "../../core/index.ts";
import { DamageError } from "../../errors/index.ts";
import type { Bytes, Overlay } from "../side-files.ts";
import { checkRead, type Moment, type SourceIdentity } from "../source.ts";
import { changed, fileError } from "./errors.ts";

/** The pages of one moment, and where they lie. */
export interface Pages {
  /** Path of the database, for errors. */
  path: string;
  /** In bytes. */
  pageSize: number;
  pageCount: number;
  main: Bytes;
  /** How many pages lie in the main file. */
  mainPages: number;
  /** Pages that lie in the WAL or the journal instead. */
  side?: { file: Bytes; overlay: Overlay };
  /** Whether pages that lie nowhere were free, and count as zeros. */
  zeroFilled?: boolean;
}

/** Keeps the pages of a moment as they are. */
export interface Hold {
  readonly taken: Moment["taken"];
  /** Runs `read` while the pages cannot change. */
  during?(read: () => Promise<void>, signal?: AbortSignal): Promise<void>;
  /** Lets go. Throws SOURCE_CHANGED when the pages have changed all the same. */
  release(): Promise<void>;
}

/** What a source knows about its changes. */
export interface Progress {
  mark?: string | undefined;
  changed?: Uint32Array | undefined;
}

/** Frames that lie this close are read in one go, in bytes. */
const GAP = 1024;
const MOST_AT_ONCE = 1 << 20;

/** With more pages beside the main file, other threads are not told where they lie. */
const MOST_BESIDE = 1 << 17;

/** A moment of a database in files. */
export class FileMoment implements Moment {
  readonly pageSize: number;
  readonly pageCount: number;
  readonly taken: Moment["taken"];
  readonly mark?: string;
  readonly changed?: Uint32Array;
  identity?: SourceIdentity;
  beyond?: number;
  readonly #pages: Pages;
  readonly #hold: Hold;
  readonly #reading = new Set<Promise<void>>();
  #released: Promise<void> | undefined;

  constructor(pages: Pages, hold: Hold, { mark, changed }: Progress = {}) {
    this.pageSize = pages.pageSize;
    this.pageCount = pages.pageCount;
    this.taken = hold.taken;
    if (mark !== undefined) this.mark = mark;
    if (changed !== undefined) this.changed = changed;
    this.#pages = pages;
    this.#hold = hold;
  }

  /** How many pages the main file has behind the end of the database, when it alone is the database. */
  get pagesBehind(): number {
    const { side, mainPages } = this.#pages;
    return side ? 0 : Math.max(0, mainPages - this.pageCount);
  }

  get files(): PageFiles | undefined {
    const { pageSize, pageCount, main, mainPages, side, zeroFilled } = this.#pages;
    if (main.fd === undefined || this.#hold.during || zeroFilled || this.#released !== undefined)
      return undefined;
    const files = { pageSize, pageCount, main: main.fd, mainPages };
    if (!side) return { ...files, beside: new Float64Array() };
    if (side.file.fd === undefined || side.overlay.size > MOST_BESIDE) return undefined;
    return { ...files, side: side.file.fd, beside: side.overlay.range(1, pageCount) };
  }

  async read(first: number, into: Uint8Array, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    const { pageSize, pageCount } = this;
    const isReleased = this.#released !== undefined;
    checkRead({ name: this.#pages.path, pageSize, pageCount, isReleased }, first, into);
    const read = () => readPages(this.#pages, first, into);
    const reading = this.#hold.during ? this.#hold.during(read, signal) : read();
    this.#reading.add(reading);
    try {
      await reading;
    } catch (error) {
      throw fileError(error, this.#pages.path);
    } finally {
      this.#reading.delete(reading);
    }
    signal?.throwIfAborted();
  }

  release(): Promise<void> {
    this.#released ??= this.#release();
    return this.#released;
  }

  async #release(): Promise<void> {
    // Descriptors and locks stay until nothing reads through them.
    await Promise.allSettled(this.#reading);
    this.#pages.side?.overlay.free();
    try {
      await this.#hold.release();
    } catch (error) {
      throw fileError(error, this.#pages.path);
    }
  }
}

/** Fills `into` with the pages from `first` on: from the main file, then over it those that lie beside it. */
async function readPages(pages: Pages, first: number, into: Uint8Array): Promise<void> {
  const { pageSize } = pages;
  const count = into.length / pageSize;
  // Page number, byte offset, page number, …
  const beside = pages.side?.overlay.range(first, count) ?? new Float64Array();
  if (beside.length < count * 2) {
    const inMain = Math.max(0, Math.min(count, pages.mainPages - first + 1));
    await readMain(pages, first, into.subarray(0, inMain * pageSize));
    into.fill(0, inMain * pageSize);
    if (inMain < count && !pages.zeroFilled) checkPresent(pages, first + inMain, first + count - 1, beside);
  }
  if (pages.side && beside.length > 0) await readBeside(pages.side.file, pages, first, beside, into);
}

/** The lock page holds nothing but locks, and on Windows reading it fails while one is held. It reads as zeros. */
async function readMain({ main, pageSize, path }: Pages, first: number, into: Uint8Array): Promise<void> {
  const start = (first - 1) * pageSize;
  const lock = 2 ** 30 - start;
  const parts =
    lock >= 0 && lock < into.length
      ? [
          [0, lock],
          [lock + pageSize, into.length],
        ]
      : [[0, into.length]];
  if (parts.length > 1) into.fill(0, lock, lock + pageSize);
  for (const [from = 0, to = 0] of parts) {
    const count = await main.read(into.subarray(from, to), start + from);
    // It was longer when the moment was pinned.
    if (count < to - from) throw changed(path);
  }
}

/** Makes sure that the pages from `from` to `to`, which lie past the end of the main file, all lie beside it. */
function checkPresent({ path, pageSize }: Pages, from: number, to: number, beside: Float64Array): void {
  const present = new Set(beside.filter((_, i) => i % 2 === 0));
  for (let page = from; page <= to; page++) {
    if (present.has(page) || page === 2 ** 30 / pageSize + 1) continue;
    const message = `${path}: page ${page} is missing: the file was cut off or is a torn copy; restore a backup`;
    throw new DamageError("DATABASE_TRUNCATED", message, { name: path, page });
  }
}

interface Run {
  start: number;
  end: number;
  /** Page number and byte offset. */
  pages: [page: number, offset: number][];
}

/** Fills `into`, which begins with page `first`, with the pages in `beside`: page number, byte offset, page number, … */
export async function readBeside(
  file: Bytes,
  { pageSize, path }: Pages,
  first: number,
  beside: Float64Array,
  into: Uint8Array,
): Promise<void> {
  const read = async ({ start, end, pages }: Run) => {
    const [page = 0] = pages[0] ?? [];
    const only = pages.length === 1;
    const bytes = only
      ? into.subarray((page - first) * pageSize).subarray(0, pageSize)
      : new Uint8Array(end - start);
    if ((await file.read(bytes, start)) < bytes.length) throw changed(path);
    if (only) return;
    for (const [page, offset] of pages) {
      into.set(bytes.subarray(offset - start, offset - start + pageSize), (page - first) * pageSize);
    }
  };
  await Promise.all(runsOf(beside, pageSize).map(read));
}

/** Pages in the order in which they lie in the side file; those close together in one run. */
function runsOf(beside: Float64Array, pageSize: number): Run[] {
  const pages: Run["pages"] = [];
  for (let i = 0; i < beside.length; i += 2) pages.push([beside[i] ?? 0, beside[i + 1] ?? 0]);
  pages.sort(([, a], [, b]) => a - b);
  const runs: Run[] = [];
  for (const page of pages) {
    const [, offset] = page;
    const last = runs.at(-1);
    if (last && offset - last.end <= GAP && offset + pageSize - last.start <= MOST_AT_ONCE) {
      last.end = offset + pageSize;
      last.pages.push(page);
    } else {
      runs.push({ start: offset, end: offset + pageSize, pages: [page] });
    }
  }
  return runs;
}
