import { type Core, core, isPageSize, named } from "../core/index.ts";
import { DamageError } from "../errors/index.ts";
import { damaged, type StoredFile } from "../objects/object-reader.ts";
import type { Store } from "../stores/store.ts";
import { collect } from "../streams/streams.ts";

/** Length of an LTX file's end behind its page index, in bytes. */
const TAIL_SIZE = 24;
/** What is read of a file's end at first, in bytes: an index of some 6,000 pages comes with it, in one request. */
const END_SIZE = 64 << 10;
/** As far as a page count goes in an LTX file's header, in bytes. */
const SHAPE_SIZE = 16;
const LTX_MAGIC = 0x4c545831;
/** No frame is shorter, in bytes: not even that of a page of 512 zeros. */
const LEAST_FRAME = 16;

/** Requests at a time: as many as a Worker may have open. */
export const CONNECTIONS = 6;

/** The files of a backup, oldest first. */
export interface StoredChain {
  files: StoredFile[];
  /** The backup; the last file says how large the database is where it is missing. */
  backup?: { name?: string; view: { pageSize: number; pageCount: number } };
}

/** A page's frame in the newest file that holds the page. */
export interface Frame {
  pgno: number;
  /** Place of the file in the chain, oldest first. */
  file: number;
  /** Where it lies in the file, in bytes. */
  offset: number;
  length: number;
  /** What proves the page, where that is known before the page is read. */
  state?: Uint8Array;
}

/** Tells where the pages of a chain lie. */
export interface FramePlaces {
  /** In bytes. */
  readonly pageSize: number;
  readonly pageCount: number;
  /** Oldest first. */
  readonly files: readonly StoredFile[];
  /** Must be called with pages before {@link find} is, where it is there. */
  load?(pgnos: readonly number[], signal?: AbortSignal): Promise<void>;
  keyOf(frame: Frame): string;
  /** @throws DamageError `LTX_PAGE_MISSING` */
  find(pgno: number): Frame;
  /** A frame of the same file that may be wanted next. */
  next(frame: Frame): Frame | undefined;
  /**
   * The page in a frame with these bytes; also after {@link free}.
   *
   * @throws DamageError that names the object and the page
   */
  unpack(frame: Frame, bytes: Uint8Array): Uint8Array;
  /** Nothing is found any more. */
  free(): void;
}

/**
 * Where the pages of a chain lie: for each, the newest file that holds it.
 *
 * Memory: some three bytes in the core for each page in each file, and two here for each page of the database, which is
 * 13 MiB for 10 GiB in pages of 4 KiB. While an index is read it lies here and in the core as it is stored, some ten
 * bytes a page.
 */
export class ChainIndex implements FramePlaces {
  readonly pageSize: number;
  readonly pageCount: number;
  readonly files: readonly StoredFile[];
  readonly #core: Core;
  readonly #indexes: ReturnType<Core["PageIndex"]["parse"]>[] = [];
  /** By page number: the place of the newest file that holds it, counted from 1; 0 where none does. */
  readonly #owners: Uint16Array | Uint32Array;

  /** Reads the files' indexes: one request a file, two for one with many pages. */
  static async open(store: Store, plan: StoredChain, signal?: AbortSignal): Promise<ChainIndex> {
    const { files, backup } = plan;
    const shape = backup?.view ?? (await readShape(store, files.at(-1), signal));
    // Where only a header says how many pages there are, it gets no more memory than pages that can be stored.
    const stored = files.reduce((sum, { size }) => sum + size, 0);
    const most = backup ? shape.pageCount : Math.min(shape.pageCount, Math.floor(stored / LEAST_FRAME));
    const chain = new ChainIndex(await core(), files, shape, most);
    for (let at = 0; at < files.length; at += CONNECTIONS) {
      const batch = files.slice(at, at + CONNECTIONS).map(async (file, place) => {
        try {
          const triples = await readTriples(store, file, signal);
          chain.#indexes[at + place] = chain.#core.PageIndex.parse(triples);
          chain.#own(at + place, triples);
        } catch (error) {
          throw named(error, file.key);
        }
      });
      await Promise.all(batch);
    }
    return chain;
  }

  private constructor(
    core: Core,
    files: StoredFile[],
    { pageSize, pageCount }: { pageSize: number; pageCount: number },
    most: number,
  ) {
    this.#core = core;
    this.files = files;
    this.pageSize = pageSize;
    this.pageCount = pageCount;
    this.#owners = new (files.length > 0xffff ? Uint32Array : Uint16Array)(most + 1);
  }

  keyOf({ file }: Frame): string {
    return this.files[file]?.key ?? "";
  }

  find(pgno: number): Frame {
    const file = (this.#owners[pgno] ?? 0) - 1;
    const [offset, length] = this.#indexes[file]?.find(pgno) ?? [];
    if (offset !== undefined && length !== undefined) return { pgno, file, offset, length };
    throw new DamageError("LTX_PAGE_MISSING", `no file of the chain holds page ${pgno}`, { page: pgno });
  }

  /** The numbers of all pages that the files hold, ascending. */
  *pages(): Generator<number, void, void> {
    // The zero at an index's end is no page.
    for (const [pgno, owner] of this.#owners.entries()) if (pgno > 0 && owner > 0) yield pgno;
  }

  /** The next frame of the same file that no newer file replaces. */
  next({ pgno, file }: Frame): Frame | undefined {
    const next = this.#owners.indexOf(file + 1, pgno + 1);
    return next === -1 ? undefined : this.find(next);
  }

  unpack(frame: Frame, bytes: Uint8Array): Uint8Array {
    const { pgno } = frame;
    try {
      return this.#core.unpackFrame(this.pageSize, pgno, bytes);
    } catch (error) {
      throw named(error, this.keyOf(frame));
    }
  }

  free(): void {
    for (const index of this.#indexes.splice(0)) index.free();
  }

  /**
   * Takes note of the pages in an index that the core has found sound: the first of every three numbers, in LEB128,
   * up to a zero. Asking the core's index for every page of the database would take seconds for each file.
   */
  #own(file: number, triples: Uint8Array): void {
    let [field, value, unit] = [0, 0, 1];
    for (const byte of triples) {
      value += (byte & 0x7f) * unit;
      unit *= 0x80;
      if (byte & 0x80) continue;
      if (field === 0) {
        // Files come in any order.
        const owner = this.#owners[value];
        if (owner !== undefined && owner <= file) this.#owners[value] = file + 1;
      }
      [field, value, unit] = [(field + 1) % 3, 0, 1];
    }
  }
}

/** Part of an object, all of it. */
export async function readRange(
  store: Store,
  key: string,
  offset: number,
  length: number,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const bytes = await collect(await store.get(key, { offset, length, signal }), length);
  signal?.throwIfAborted();
  if (bytes.length < length) throw damaged(key, `ends before byte ${offset + length}`);
  return bytes;
}

async function readTriples(
  store: Store,
  { key, size }: StoredFile,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const { PageIndex } = await core();
  const start = Math.max(0, size - END_SIZE);
  const end = await readRange(store, key, start, size - start, signal);
  const [offset = 0, length = 0] = PageIndex.locate(end.subarray(-TAIL_SIZE), size);
  if (offset >= start) return end.subarray(offset - start, offset - start + length);
  return readRange(store, key, offset, length, signal);
}

/** Page size and page count of the database after `newest`, which only its header tells where there is no record. */
async function readShape(store: Store, newest: StoredFile | undefined, signal?: AbortSignal) {
  if (!newest) throw new Error("a chain has at least one file");
  const { key } = newest;
  const bytes = await readRange(store, key, 0, SHAPE_SIZE, signal);
  const header = new DataView(bytes.buffer, bytes.byteOffset, SHAPE_SIZE);
  const [magic, pageSize, pageCount] = [header.getUint32(0), header.getUint32(8), header.getUint32(12)];
  if (magic !== LTX_MAGIC) throw new DamageError("LTX_MAGIC", `${key} is not an LTX file`, { name: key });
  if (!isPageSize(pageSize) || pageCount === 0) {
    const message = `${key}: the LTX header is damaged or from an unknown version`;
    throw new DamageError("LTX_HEADER", message, { name: key, offset: isPageSize(pageSize) ? 12 : 8 });
  }
  return { pageSize, pageCount };
}
