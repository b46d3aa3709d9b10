import type { Moment } from "../sources/source.ts";

/** Consecutive pages. */
export interface PageRange {
  first: number;
  count: number;
}

interface Read extends PageRange {
  /** The pages; settled by the time they are there. */
  pages: Promise<Uint8Array>;
}

/** Buffers that are kept, none longer than what is asked for at once. */
const MOST_BUFFERS = 2;

/**
 * Reads pages of a moment, those that will probably be asked for while others are worked on. The moment sees one read
 * after the other, never two at once.
 *
 * Memory: what was read ahead, and buffers for as much, which are used again.
 */
export class AheadReader {
  /** What was read so far. */
  bytes = 0;
  readonly #moment: Moment;
  readonly #signal: AbortSignal | undefined;
  #ahead: Read[] = [];
  #last: Promise<unknown> = Promise.resolve();
  readonly #free: ArrayBuffer[] = [];

  constructor(moment: Moment, signal: AbortSignal | undefined) {
    this.#moment = moment;
    this.#signal = signal;
  }

  /** Hands the pages of `range`, and maybe more around them, to `use`, which does not keep them. */
  async read(range: PageRange, use: (first: number, pages: Uint8Array) => void): Promise<void> {
    const read = this.#ahead.find((read) => covers(read, range)) ?? this.#start(range);
    this.#ahead = this.#ahead.filter((other) => other !== read);
    const pages = await read.pages;
    use(read.first, pages);
    this.#reuse(pages);
  }

  /** Begins to read `ranges` in the place of what was read ahead before. */
  readAhead(ranges: PageRange[]): void {
    const before = this.#ahead;
    this.#ahead = [];
    for (const range of ranges) {
      this.#ahead.push(before.find((read) => covers(read, range)) ?? this.#start(range));
    }
    for (const read of before) {
      if (!this.#ahead.includes(read)) read.pages.then((pages) => this.#reuse(pages), ignore);
    }
  }

  /** Waits until the moment is left alone. */
  async end(): Promise<void> {
    await this.#last;
  }

  #reuse(pages: Uint8Array): void {
    this.#free.push(pages.buffer as ArrayBuffer);
    if (this.#free.length > MOST_BUFFERS) this.#free.shift();
  }

  #start({ first, count }: PageRange): Read {
    const pages = this.#last.then(async () => {
      const length = count * this.#moment.pageSize;
      const index = this.#free.findIndex((buffer) => buffer.byteLength >= length);
      const [buffer = new ArrayBuffer(length)] = index < 0 ? [] : this.#free.splice(index, 1);
      const into = new Uint8Array(buffer, 0, length);
      await this.#moment.read(first, into, this.#signal);
      this.bytes += length;
      return into;
    });
    // Who asked for it hears of its failure; who did not, need not.
    this.#last = pages.catch(ignore);
    return { first, count, pages };
  }
}

function covers(read: PageRange, { first, count }: PageRange): boolean {
  return read.first <= first && first + count <= read.first + read.count;
}

function ignore(): void {}
