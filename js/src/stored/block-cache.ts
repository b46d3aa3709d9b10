import type { Store } from "../stores/store.ts";
import { CONNECTIONS, readRange } from "./chain-index.ts";
import type { Block, PageDirectory, Span } from "./page-directory.ts";

/** What is known of a block's pages, each by its number. */
export type Pages<T> = Map<number, T>;

/** Where blocks are read from. */
export interface BlockSource<T> {
  key: string;
  directory: PageDirectory;
  span: (block: Block) => Span;
  parse: (bytes: Uint8Array, block: Block) => Pages<T> | Promise<Pages<T>>;
}

/** Blocks that are kept at most, 3 to 10 KB each. */
const MOST = 2048;
/** Blocks that are read ahead at most while blocks are read in a row. */
const MOST_AHEAD = 256;

interface Request<T> {
  source: BlockSource<T>;
  first: number;
  count: number;
}

/** Blocks of several files, read when one of their pages is asked for. The least recently used make room. */
export class BlockCache<T> {
  readonly #store: Store;
  /** Oldest first. */
  readonly #sources: readonly BlockSource<T>[];
  /** By file and place, in the order in which they were last used. */
  readonly #kept = new Map<string, Pages<T>>();
  /** By file: the block after those read last, and how many that were. */
  readonly #last: { next: number; count: number }[] = [];

  constructor(store: Store, sources: readonly BlockSource<T>[]) {
    this.#store = store;
    this.#sources = sources;
  }

  /** Reads the blocks that may have these pages. */
  async load(pgnos: Iterable<number>, signal?: AbortSignal): Promise<void> {
    this.#makeRoom();
    const wanted = [...pgnos];
    const newer = this.#sources.keys().filter((file) => file > 0);
    await this.#read(
      [...newer].flatMap((file) => this.#plan(file, wanted)),
      signal,
    );
    // The oldest file has every page and is the largest: of it only what no newer one replaces.
    const left = wanted.filter((pgno) => !this.find(pgno));
    await this.#read(this.#plan(0, left), signal);
  }

  /** The numbers of all pages in a file, ascending. */
  async *pagesOf(file: number, signal?: AbortSignal): AsyncGenerator<number, void, void> {
    const blocks = this.#sources[file]?.directory.blocks ?? [];
    for (let at = 0; at < blocks.length; at += MOST_AHEAD) {
      const firsts = blocks.slice(at, at + MOST_AHEAD).map(({ first }) => first);
      this.#makeRoom();
      await this.#read(this.#plan(file, firsts), signal);
      for (const place of firsts.keys()) yield* this.#kept.get(`${file}/${at + place}`)?.keys() ?? [];
    }
  }

  /** What the newest file that has a page says of it, and the file's place; nothing where none has it. */
  find(pgno: number): { file: number; found: T } | undefined {
    for (let file = this.#sources.length - 1; file >= 0; file--) {
      const found = this.in(file, pgno);
      if (found !== undefined) return { file, found };
    }
    return undefined;
  }

  /** What a file says of a page, as far as it was read. */
  in(file: number, pgno: number): T | undefined {
    const place = this.#sources[file]?.directory.placeOf(pgno) ?? -1;
    return this.#kept.get(`${file}/${place}`)?.get(pgno);
  }

  #makeRoom(): void {
    for (const key of this.#kept.keys()) {
      if (this.#kept.size <= MOST) break;
      this.#kept.delete(key);
    }
  }

  /** The blocks that are missing, those side by side together, and more where a file is read onwards. */
  #plan(file: number, pgnos: readonly number[]): Request<T>[] {
    const source = this.#sources[file];
    if (!source) return [];
    const places = new Set(pgnos.map((pgno) => source.directory.placeOf(pgno)));
    places.delete(-1);
    const requests: Request<T>[] = [];
    for (const place of [...places].sort((one, other) => one - other)) {
      const key = `${file}/${place}`;
      const kept = this.#kept.get(key);
      if (kept) {
        this.#kept.delete(key);
        this.#kept.set(key, kept);
        continue;
      }
      const before = requests.at(-1);
      if (before && place < before.first + before.count) continue;
      if (before && place === before.first + before.count) {
        before.count++;
        continue;
      }
      const last = this.#last[file];
      const ahead = last?.next === place ? Math.min(2 * last.count, MOST_AHEAD) : 1;
      requests.push({ source, first: place, count: Math.min(ahead, source.directory.blocks.length - place) });
    }
    const last = requests.at(-1);
    if (last) this.#last[file] = { next: last.first + last.count, count: last.count };
    return requests;
  }

  async #read(requests: Request<T>[], signal?: AbortSignal): Promise<void> {
    for (let at = 0; at < requests.length; at += CONNECTIONS) {
      await Promise.all(
        requests.slice(at, at + CONNECTIONS).map((request) => this.#readBlocks(request, signal)),
      );
    }
  }

  async #readBlocks({ source, first, count }: Request<T>, signal?: AbortSignal): Promise<void> {
    const { key, directory, span, parse } = source;
    const blocks = directory.blocks.slice(first, first + count);
    const spans = blocks.map(span);
    const [start, length] = [spans[0]?.offset ?? 0, spans.reduce((sum, { length }) => sum + length, 0)];
    const bytes = length > 0 ? await readRange(this.#store, key, start, length, signal) : new Uint8Array();
    for (const [at, block] of blocks.entries()) {
      const { offset, length } = span(block);
      const pages = await parse(bytes.subarray(offset - start, offset - start + length), block);
      this.#kept.set(`${this.#sources.indexOf(source)}/${first + at}`, pages);
    }
  }
}
