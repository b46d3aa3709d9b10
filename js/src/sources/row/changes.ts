import { type PagesOut, type PreviousPages, previousPages } from "../../core/index.ts";
import { turn } from "../../streams/progress.ts";
import type { Moment } from "../source.ts";

/** Pages that differ from the last backup are kept in memory up to so many bytes. */
const MOST = 24 << 20;

/** There are so many changes that all pages had better be made anew. */
export class TooManyChanges extends Error {}

/** A database that is made on top of another: the pages that are others now, and the rest from there. */
export class RowChanges {
  readonly #pageSize: number;
  readonly #previous: Moment;
  readonly #pages = new Map<number, Uint8Array>();
  readonly #before: Uint32Array | undefined;
  pageCount = 0;

  /** @param before in which pages the other differs from the last backup, if that is known; in none, if it is the last backup */
  constructor(pageSize: number, previous: Moment, before: Uint32Array | undefined) {
    this.#pageSize = pageSize;
    this.#previous = previous;
    this.#before = before;
  }

  /** The pages that may differ from the last backup. */
  get changed(): Uint32Array | undefined {
    if (!this.#before) return undefined;
    const all = new Set(this.#pages.keys());
    for (const page of this.#before) if (page <= this.pageCount) all.add(page);
    return Uint32Array.from(all).sort();
  }

  add({ runs, bytes }: PagesOut): void {
    let at = 0;
    for (const { first, count } of runs) {
      for (let page = first; page < first + count; page++, at += this.#pageSize) {
        this.#pages.set(page, bytes.slice(at, at + this.#pageSize));
      }
    }
  }

  /** @throws TooManyChanges */
  async settle(): Promise<void> {
    if (this.#pages.size * this.#pageSize > MOST) throw new TooManyChanges();
  }

  async finish(pageCount: number): Promise<void> {
    this.pageCount = pageCount;
  }

  async read(first: number, into: Uint8Array, signal?: AbortSignal): Promise<void> {
    const size = this.#pageSize;
    const count = into.length / size;
    // What is not among the changes is read in runs.
    for (let at = 0; at < count; ) {
      const page = this.#pages.get(first + at);
      if (page) into.set(page, at++ * size);
      else {
        const start = at++;
        while (at < count && !this.#pages.has(first + at)) at++;
        await this.#previous.read(first + start, into.subarray(start * size, at * size), signal);
      }
    }
  }

  async drop(): Promise<void> {
    this.#pages.clear();
  }
}

/** What is known of the pages of a moment that was built here. */
export function previousOf(moment: Moment, signal: AbortSignal | undefined): Promise<PreviousPages> {
  const read = (pgno: number, into: Uint8Array) => moment.read(pgno, into, signal);
  return previousPages(bytesOf(moment, signal), moment.pageSize, read);
}

/** All bytes of a moment, in order. */
async function* bytesOf(
  moment: Moment,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, void> {
  const { pageSize, pageCount } = moment;
  const most = Math.max(1, Math.floor((512 << 10) / pageSize));
  for (let first = 1; first <= pageCount; first += most) {
    const pages = new Uint8Array(Math.min(most, pageCount - first + 1) * pageSize);
    await moment.read(first, pages, signal);
    await turn();
    yield pages;
  }
}
