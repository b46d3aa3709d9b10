import { damaged } from "../objects/object-reader.ts";
import { checkRead, type Moment } from "../sources/source.ts";
import type { Store } from "../stores/store.ts";
import { ChainIndex, type FramePlaces, type StoredChain } from "./chain-index.ts";
import { FrameReader, type Reach } from "./frame-reader.ts";
import type { PageProof } from "./page-proof.ts";

export interface StoredMomentOptions {
  /** For opening, and for reads that are given none. */
  signal?: AbortSignal | undefined;
  /** Proves every page as it is read. Without, only damage that keeps a page from being unpacked is noticed. */
  proof?: PageProof | undefined;
  /** What will be read; most of the pages unless given. */
  reach?: Reach | undefined;
}

/** The page that holds this byte has no data, and is in no file. */
const LOCK_BYTE = 2 ** 30;

/**
 * The pages of a stored backup, read from where they lie: nothing is restored for it.
 *
 * Pages that are read in roughly ascending order come about a MiB a request. Of a file whose pages are all replaced by
 * newer ones, only the index is read. What that takes in memory, {@link ChainIndex} and {@link FrameReader} say.
 *
 * @throws DamageError also from reads; it names the object that is damaged, or the page that none holds
 */
export async function openStoredMoment(
  store: Store,
  plan: StoredChain,
  options: StoredMomentOptions = {},
): Promise<Moment> {
  options.signal?.throwIfAborted();
  const chain = await ChainIndex.open(store, plan, options.signal);
  return new StoredMoment(store, chain, plan.backup?.name ?? "the backup", options);
}

/** The pages of a stored backup, as {@link openStoredMoment} gives them, wherever `chain` says that they lie. */
export class StoredMoment implements Moment {
  readonly taken = "start";
  readonly pageSize: number;
  readonly pageCount: number;
  readonly #chain: FramePlaces;
  readonly #reader: FrameReader;
  readonly #name: string;
  readonly #options: StoredMomentOptions;
  #released = false;

  constructor(store: Store, chain: FramePlaces, name: string, options: StoredMomentOptions) {
    this.pageSize = chain.pageSize;
    this.pageCount = chain.pageCount;
    this.#chain = chain;
    this.#reader = new FrameReader(store, chain, options.reach);
    this.#name = name;
    this.#options = options;
  }

  async read(first: number, into: Uint8Array, signal = this.#options.signal): Promise<void> {
    signal?.throwIfAborted();
    const { pageSize } = this;
    const lockPage = LOCK_BYTE / pageSize + 1;
    const pages = [...this.#pages(first, into)].filter((pgno) => pgno !== lockPage);
    if (pages.length < into.length / pageSize) {
      into.fill(0, (lockPage - first) * pageSize, (lockPage - first + 1) * pageSize);
    }
    if (this.#chain.load) await this.#chain.load(pages, signal);
    const frames = pages.map((pgno) => this.#chain.find(pgno));
    await this.#reader.read(frames, ({ pgno }, page) => into.set(page, (pgno - first) * pageSize), signal);
    const changed = this.#options.proof?.findChanged(first, into);
    if (changed === undefined) return;
    const frame = frames.find(({ pgno }) => pgno === changed);
    throw damaged(
      frame ? this.#chain.keyOf(frame) : this.#name,
      `does not hold page ${changed} as it was backed up`,
    );
  }

  async release(): Promise<void> {
    if (this.#released) return;
    this.#released = true;
    this.#chain.free();
    this.#options.proof?.free();
  }

  *#pages(first: number, into: Uint8Array): Generator<number, void, void> {
    const { pageSize, pageCount } = this;
    const moment = { name: this.#name, pageSize, pageCount, isReleased: this.#released };
    checkRead(moment, first, into);
    const end = first + into.length / pageSize;
    for (let pgno = first; pgno < end; pgno++) yield pgno;
  }
}
