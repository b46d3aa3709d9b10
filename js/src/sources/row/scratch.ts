import type { PagesOut } from "../../core/index.ts";
import { SourceError } from "../../errors/index.ts";
import type { Scratch } from "../source.ts";

/** Pages of one block, in bytes. */
export const BLOCK = 1 << 20;
/** How many blocks stay in memory where there is a scratch to put others; without one, how many there may be. */
const HELD = 12;
const MOST_WITHOUT = 40;

/** What lies in a scratch, as plain data. */
export interface ScratchState {
  /** How many blocks there are. */
  blocks: number;
  pageCount: number;
  /** Page 1, once it is made. */
  first: Uint8Array;
}

/** Where a database that is being made lies: pages that come in ascending order, and the first last. */
export class RowScratch {
  readonly #name: string;
  readonly #pageSize: number;
  readonly #scratch: Scratch | undefined;
  /** The blocks that are in memory. */
  readonly #blocks = new Map<number, Uint8Array>();
  readonly #stored = new Set<number>();
  #first: Uint8Array = new Uint8Array();
  #newest = 0;
  #dropped: Promise<void> | undefined;
  pageCount = 0;
  /** Size of the pages that were added, in bytes. */
  added = 0;

  constructor(name: string, pageSize: number, scratch: Scratch | undefined) {
    this.#name = name;
    this.#pageSize = pageSize;
    this.#scratch = scratch;
  }

  /** Goes on with what another has put away, into the same scratch. */
  static resume(
    name: string,
    pageSize: number,
    scratch: Scratch,
    { blocks, pageCount, first }: ScratchState,
  ): RowScratch {
    const resumed = new RowScratch(name, pageSize, scratch);
    for (let block = 0; block < blocks; block++) resumed.#stored.add(block);
    resumed.#newest = Math.max(0, blocks - 1);
    resumed.#first = first;
    resumed.pageCount = pageCount;
    return resumed;
  }

  /** Makes the block of `page` one that pages can be added to. */
  open(page: number): Promise<void> {
    return this.#open(Math.floor(((page - 1) * this.#pageSize) / BLOCK));
  }

  /** Makes the last block one that pages can be added to. */
  openLast(): Promise<void> {
    return this.#open(this.#newest);
  }

  async #open(block: number): Promise<void> {
    if (this.#stored.has(block)) this.#blocks.set(block, await this.#read(block, undefined));
  }

  /** Puts all of it away. */
  async save(): Promise<ScratchState> {
    for (const [number, block] of this.#blocks) await this.#store(number, block);
    this.#blocks.clear();
    return { blocks: this.#stored.size, pageCount: this.pageCount, first: this.#first };
  }

  add({ runs, bytes }: PagesOut): void {
    this.added += bytes.length;
    let at = 0;
    for (const { first, count } of runs) {
      let position = (first - 1) * this.#pageSize;
      for (const end = at + count * this.#pageSize; at < end; ) {
        // The first page comes when its block may have been put away.
        const isFirst = position === 0;
        const room = isFirst ? this.#pageSize : BLOCK - (position % BLOCK);
        const part = bytes.subarray(at, Math.min(end, at + room));
        if (isFirst) this.#first = part.slice();
        else this.#block(Math.floor(position / BLOCK)).set(part, position % BLOCK);
        at += part.length;
        position += part.length;
      }
    }
  }

  /** Puts away what is more than memory is meant for. @throws SourceError `SOURCE_TEMP_FULL` when there is nowhere to put it */
  async settle(): Promise<void> {
    if (!this.#scratch) {
      if (this.#blocks.size <= MOST_WITHOUT) return;
      const message = `${this.#name}: more than ${MOST_WITHOUT} MiB of pages, which is too much for memory; back it up to a store, where they can lie meanwhile`;
      throw new SourceError("SOURCE_TEMP_FULL", message, { name: this.#name });
    }
    for (const [number, block] of this.#blocks) {
      if (this.#blocks.size <= HELD || number >= this.#newest) break;
      await this.#store(number, block);
      this.#blocks.delete(number);
    }
  }

  async finish(pageCount: number): Promise<void> {
    this.pageCount = pageCount;
    await this.settle();
    if (this.#stored.size === 0) return;
    // From here on, what is in memory is only kept.
    for (const [number, block] of this.#blocks) await this.#store(number, block);
  }

  /** Fills `into` with the pages from `first` on. */
  async read(first: number, into: Uint8Array, signal?: AbortSignal): Promise<void> {
    for (let at = 0; at < into.length; ) {
      const position = (first - 1) * this.#pageSize + at;
      const block = await this.#read(Math.floor(position / BLOCK), signal);
      const part = block.subarray(position % BLOCK, (position % BLOCK) + into.length - at);
      into.set(part, at);
      at += part.length;
    }
    if (first === 1) into.set(this.#first);
  }

  drop(): Promise<void> {
    this.#blocks.clear();
    this.#dropped ??= this.#scratch && this.#stored.size > 0 ? this.#scratch.drop() : Promise.resolve();
    return this.#dropped;
  }

  async #read(number: number, signal: AbortSignal | undefined): Promise<Uint8Array> {
    const held = this.#blocks.get(number);
    if (held && this.#stored.size === 0) return held;
    if (!held && !this.#stored.has(number)) return new Uint8Array(BLOCK);
    const block = held ?? (await this.#scratch?.get(number, signal)) ?? new Uint8Array(BLOCK);
    // The one that was asked for last goes last.
    this.#blocks.delete(number);
    this.#blocks.set(number, block);
    const [oldest = number] = this.#blocks.keys();
    if (this.#blocks.size > HELD) this.#blocks.delete(oldest);
    return block;
  }

  async #store(number: number, block: Uint8Array): Promise<void> {
    await this.#scratch?.put(number, block);
    this.#stored.add(number);
  }

  #block(number: number): Uint8Array {
    const known = this.#blocks.get(number);
    if (known) return known;
    const made = new Uint8Array(BLOCK);
    this.#blocks.set(number, made);
    this.#newest = Math.max(this.#newest, number);
    return made;
  }
}
