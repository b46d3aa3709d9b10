// The pages of a database that gives none: its rows are laid into b-trees, which lie in memory or in a scratch until
// the moment is released.
import {
  named,
  type PageBuilder,
  type PreviousPages,
  pageBuilder,
  previousPages,
  RowBatch,
} from "../core/index.ts";
import { PagemarkError, SourceError } from "../errors/index.ts";
import { bytesOf, RowChanges, TooManyChanges } from "./row-changes.ts";
import { type RowTaker, readMoment, sizeOfDatabase, type Way } from "./row-moment.ts";
import type { SchemaObject, Tree } from "./row-schema.ts";
import { RowScratch } from "./row-scratch.ts";
import type { Moment, PageSource, PinOptions, RowSource } from "./source.ts";

/** As D1 and Durable Objects have, in bytes. */
const PAGE_SIZE = 4096;
/** A database of so many bytes is read in one transaction at once. */
const SMALL = 1 << 20;
/** One of so many is, where writers came in between. */
const NOT_LARGE = 4 << 20;

/** A database whose pages are made of its rows whenever it is pinned. */
export function fromRows<Source extends RowSource>(source: Source): PageSource & Source {
  return { ...source, pin: (options) => pinRows(source, options) };
}

/** @throws SourceError `SOURCE_CHANGED` when writers came in between in every way of reading */
async function pinRows(source: RowSource, options: PinOptions = {}): Promise<Moment> {
  const { signal } = options;
  signal?.throwIfAborted();
  const size = await sizeOfDatabase(source, signal);
  const previous = await openPrevious(options);
  try {
    let lost: unknown;
    for (const way of waysFor(source, size)) {
      // What nobody changed while it was read is still what it was at the beginning.
      const taken = lost === undefined && way !== "whole" ? "start" : "end";
      try {
        return await pinPages(source, way, taken, previous, options);
      } catch (error) {
        lost = named(error, source.name);
        if (!(lost instanceof SourceError && lost.code === "SOURCE_CHANGED")) throw lost;
      }
    }
    throw lost;
  } catch (error) {
    await previous?.release();
    throw error;
  }
}

/** Reads in one way, on top of the last backup if that is worth it. */
async function pinPages(
  source: RowSource,
  way: Way,
  taken: Moment["taken"],
  previous: Moment | undefined,
  { scratch, signal }: PinOptions,
): Promise<Moment> {
  // The last backup is read before the moment begins: that takes its time.
  const before = previous && (await previousPages(bytesOf(previous, signal), PAGE_SIZE));
  const pages = previous
    ? new RowChanges(PAGE_SIZE, previous)
    : new RowScratch(source.name, PAGE_SIZE, scratch);
  const laying = new Laying(pages, before);
  try {
    await readMoment(source, laying, way, signal);
    await laying.finish();
    return momentOf(source.name, pages, taken, previous);
  } catch (error) {
    await pages.drop();
    if (!(error instanceof TooManyChanges)) throw error;
    const moment = await pinPages(source, way, taken, undefined, { scratch, signal });
    await previous?.release();
    return moment;
  } finally {
    laying.free();
  }
}

/** The last backup, if there is one that can be read; what is wrong with another is not this one's to say. */
async function openPrevious({ previous }: PinOptions): Promise<Moment | undefined> {
  try {
    const moment = await previous?.();
    if (moment?.pageSize === PAGE_SIZE) return moment;
    await moment?.release();
    return undefined;
  } catch (error) {
    if (error instanceof PagemarkError) return undefined;
    throw error;
  }
}

/** The ways to try one after the other, as long as writers come in between. */
function waysFor({ pause }: RowSource, size: number): Way[] {
  if (size <= SMALL) return ["whole", "whole", "whole"];
  if (pause) return ["slices", "slices", "hurried"];
  return size <= NOT_LARGE ? ["slices", "slices", "whole"] : ["slices", "slices", "slices"];
}

/** Lays rows into pages. */
class Laying implements RowTaker {
  readonly sink = new RowBatch();
  readonly #pages: RowScratch | RowChanges;
  readonly #previous: PreviousPages | undefined;
  #builder: PageBuilder | undefined;

  constructor(pages: RowScratch | RowChanges, previous: PreviousPages | undefined) {
    this.#pages = pages;
    this.#previous = previous;
  }

  async schema(objects: readonly SchemaObject[]): Promise<void> {
    this.#builder = await pageBuilder({ pageSize: PAGE_SIZE }, objects, this.#previous);
  }

  begin({ object, kind, kinds }: Tree): void {
    this.#built.begin(object, kind, kinds);
  }

  next(): void {
    if (this.sink.isFull) this.#pages.add(this.#built.add(this.sink));
  }

  async flush(): Promise<void> {
    this.#pages.add(this.#built.add(this.sink));
    await this.#pages.settle();
  }

  async end(): Promise<void> {
    this.#pages.add(this.#built.add(this.sink));
    this.#pages.add(this.#built.end());
    await this.#pages.settle();
  }

  async finish(): Promise<void> {
    const last = this.#built.finish();
    this.#pages.add(last);
    await this.#pages.finish(last.pageCount);
  }

  free(): void {
    this.#builder?.free();
  }

  get #built(): PageBuilder {
    return this.#builder as PageBuilder;
  }
}

function momentOf(
  name: string,
  pages: RowScratch | RowChanges,
  taken: Moment["taken"],
  previous: Moment | undefined,
): Moment {
  let isReleased = false;
  return {
    pageSize: PAGE_SIZE,
    pageCount: pages.pageCount,
    taken,
    ...(pages instanceof RowChanges && { changed: pages.changed }),
    async read(first, into, signal) {
      signal?.throwIfAborted();
      const at = { name, page: first };
      if (isReleased)
        throw new SourceError("SOURCE_RELEASED", `${name}: the moment was already released`, at);
      const count = into.length / PAGE_SIZE;
      const isWithin = Number.isInteger(first) && first >= 1 && first + count - 1 <= pages.pageCount;
      if (!isWithin || !Number.isInteger(count)) {
        const range = `${into.length} bytes from page ${first}`;
        const message = `${range} are not whole pages of the ${pages.pageCount} there are`;
        throw new SourceError("SOURCE_RANGE", message, at);
      }
      await pages.read(first, into, signal);
    },
    async release() {
      if (isReleased) return;
      isReleased = true;
      await pages.drop();
      await previous?.release();
    },
  };
}
