import type { Restorable, RestorePlan } from "../catalog/folder.ts";
import { type Core, core, named } from "../core/index.ts";
import { DamageError } from "../errors/index.ts";
import { damaged, type Part, type StoredFile } from "../objects/object-reader.ts";
import type { Store } from "../stores/store.ts";
import { BlockCache, type BlockSource, type Pages } from "./block-cache.ts";
import type { Frame, FramePlaces } from "./chain-index.ts";
import { type Block, isProved, PageDirectory, type Span } from "./page-directory.ts";
import { STATE_SIZE } from "./page-states.ts";

/** Pages whose states are looked at together. */
const MOST_TOGETHER = 4096;

type Directed = StoredFile & { directory: Part };

/** A backup whose files all have page directories. */
export type SparsePlan = RestorePlan & { backup: Restorable };

/**
 * Where the pages of a backup lie, for reading few of them: what is read of its files follows from the pages that are asked for.
 * Each page is proved by its fingerprint, which its block proves, which the directory proves, which the record proves.
 */
export class SparseChain implements FramePlaces {
  /** In bytes. */
  readonly pageSize: number;
  readonly pageCount: number;
  /** Oldest first. */
  readonly files: readonly StoredFile[];
  readonly #core: Core;
  readonly #entries: BlockCache<Span>;
  readonly #states: BlockCache<Uint8Array>;
  /** Page directories of the fingerprint files, oldest first; the oldest has every page. */
  readonly #directories: readonly PageDirectory[];

  /** Whether a backup can be read so; those of before 2026-12, and what `watch` stores, cannot. */
  static isFor(plan: RestorePlan): plan is SparsePlan {
    const { files, backup } = plan;
    const fingerprints = backup?.fingerprints ?? [];
    return fingerprints.length > 0 && [...files, ...fingerprints].every(({ directory }) => directory);
  }

  /** Reads the directories: 28 bytes for 32 pages, in large databases for 128. */
  static async open(store: Store, { files, backup }: SparsePlan, signal?: AbortSignal): Promise<SparseChain> {
    const read = new Map<string, Promise<PageDirectory>>();
    const directed = async (file: StoredFile) => {
      const { directory } = file as Directed;
      const reading = read.get(directory.key) ?? PageDirectory.read(store, directory, signal);
      read.set(directory.key, reading);
      return { key: file.key, directory: await reading };
    };
    const of = [await Promise.all(files.map(directed)), await Promise.all(backup.fingerprints.map(directed))];
    return new SparseChain(await core(), store, { files, backup }, of as [Located[], Located[]]);
  }

  private constructor(core: Core, store: Store, { files, backup }: SparsePlan, of: [Located[], Located[]]) {
    this.#core = core;
    this.files = files;
    this.pageSize = backup.view.pageSize;
    this.pageCount = backup.view.pageCount;
    const [ltx, fingerprints] = of;
    this.#directories = fingerprints.map(({ directory }) => directory);
    this.#entries = new BlockCache(
      store,
      ltx.map((file): BlockSource<Span> => ({ ...file, span: ({ entries }) => entries, parse: placesIn })),
    );
    this.#states = new BlockCache(
      store,
      fingerprints.map((file): BlockSource<Uint8Array> => {
        const parse = async (bytes: Uint8Array, block: Block) => {
          if (await isProved(bytes, block)) return statesIn(bytes);
          throw damaged(
            file.key,
            `does not hold the fingerprints of page ${block.first} as they were stored`,
          );
        };
        return { ...file, span: ({ runs }) => runs, parse };
      }),
    );
  }

  /** Reads what must be known of these pages before {@link find}. */
  async load(pgnos: readonly number[], signal?: AbortSignal): Promise<void> {
    await Promise.all([this.#entries.load(pgnos, signal), this.#states.load(pgnos, signal)]);
  }

  keyOf({ file }: Frame): string {
    return this.files[file]?.key ?? "";
  }

  /** @throws DamageError `LTX_PAGE_MISSING` */
  find(pgno: number): Frame {
    const place = this.#entries.find(pgno);
    const state = this.#states.find(pgno)?.found;
    if (place && state) return this.#checked({ pgno, file: place.file, ...place.found, state });
    throw new DamageError("LTX_PAGE_MISSING", `no file of the chain holds page ${pgno}`, { page: pgno });
  }

  /** The next frame of the same file, where it is known and lies behind this one; a newer file may replace it. */
  next({ pgno, file, offset, length }: Frame): Frame | undefined {
    const next = this.#entries.in(file, pgno + 1);
    return next && next.offset >= offset + length ? { pgno: pgno + 1, file, ...next } : undefined;
  }

  /** @throws DamageError that names the object and the page */
  unpack(frame: Frame, bytes: Uint8Array): Uint8Array {
    const { pgno, state = new Uint8Array(STATE_SIZE) } = frame;
    const key = this.keyOf(frame);
    let page: Uint8Array;
    try {
      page = this.#core.unpackFrame(this.pageSize, pgno, bytes);
    } catch (error) {
      throw named(error, key);
    }
    if (this.#core.differingPages(this.pageSize, pgno, page, state).length === 0) return page;
    throw damaged(key, `does not hold page ${pgno} as it was backed up`);
  }

  /** Marks all pages in the files from the one at `place` on: those of number n at n. */
  async markFrom(place: number, marks: Uint8Array, signal?: AbortSignal): Promise<void> {
    for (let file = place; file < this.files.length; file++) {
      for await (const pgno of this.#entries.pagesOf(file, signal)) marks[pgno] = 1;
    }
  }

  /** Marks the pages that are not the same in `other`, as {@link markFrom} does; of those that both have. */
  async markChanged(other: SparseChain, marks: Uint8Array, signal?: AbortSignal): Promise<void> {
    const candidates = new Uint8Array(Math.min(this.pageCount, other.pageCount) + 1);
    for (const [one, two] of [
      [this, other],
      [other, this],
    ] as const) {
      one.#markUnlike(two, candidates);
      for (let file = 1; file < one.#directories.length; file++) {
        for await (const pgno of one.#states.pagesOf(file, signal)) candidates[pgno] = 1;
      }
    }
    for (let pages = markedFrom(candidates, 1); pages.length > 0; ) {
      await Promise.all([this, other].map((chain) => chain.#states.load(pages, signal)));
      for (const pgno of pages) {
        const [one, two] = [this, other].map((chain) => chain.#states.find(pgno)?.found);
        if (!areEqual(one, two)) marks[pgno] = 1;
      }
      pages = markedFrom(candidates, (pages.at(-1) ?? 0) + 1);
    }
  }

  free(): void {}

  /** Nothing proves the page index: it must not lead to endless reading. */
  #checked(frame: Frame): Frame {
    const { file, offset, length } = frame;
    const isWithin = offset + length <= (this.files[file]?.size ?? 0) && length <= 2 * this.pageSize + 64;
    if (isWithin) return frame;
    throw damaged(this.keyOf(frame), `has no page ${frame.pgno} where its index says`);
  }

  /** Marks the pages in blocks of the oldest fingerprint file that the other's has not. */
  #markUnlike(other: SparseChain, marks: Uint8Array): void {
    const has = new Set(other.#directories[0]?.blocks.map(({ first, digest }) => `${first}/${digest}`));
    const blocks = this.#directories[0]?.blocks ?? [];
    for (const [at, { first, digest }] of blocks.entries()) {
      if (!has.has(`${first}/${digest}`)) marks.fill(1, first, blocks[at + 1]?.first);
    }
  }
}

/** The numbers of the next pages that are marked, ascending; few enough to be looked at together. */
function markedFrom(marks: Uint8Array, from: number): number[] {
  const pages: number[] = [];
  for (let pgno = from; pgno < marks.length && pages.length < MOST_TOGETHER; pgno++) {
    if (marks[pgno]) pages.push(pgno);
  }
  return pages;
}

interface Located {
  key: string;
  directory: PageDirectory;
}

/** Reads the page index's entries: page, offset and length, in LEB128. */
function placesIn(bytes: Uint8Array): Pages<Span> {
  const places: Pages<Span> = new Map();
  const entry = [0, 0, 0];
  let [field, value, unit] = [0, 0, 1];
  for (const byte of bytes) {
    value += (byte & 0x7f) * unit;
    unit *= 0x80;
    if (byte & 0x80) continue;
    entry[field++] = value;
    [value, unit] = [0, 1];
    if (field < entry.length) continue;
    const [pgno = 0, offset = 0, length = 0] = entry;
    places.set(pgno, { offset, length });
    field = 0;
  }
  return places;
}

/** Reads runs that were proved: first page and number of pages, then their states. */
function statesIn(bytes: Uint8Array): Pages<Uint8Array> {
  const states: Pages<Uint8Array> = new Map();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at < bytes.length; ) {
    const [first, count] = [view.getUint32(at), view.getUint32(at + 4)];
    at += 8;
    for (let pgno = first; pgno < first + count; pgno++) {
      states.set(pgno, bytes.subarray(at, at + STATE_SIZE));
      at += STATE_SIZE;
    }
  }
  return states;
}

function areEqual(one: Uint8Array | undefined, other: Uint8Array | undefined): boolean {
  return one !== undefined && other !== undefined && one.every((byte, at) => byte === other[at]);
}
