// How many entries of a tree to ask for at once.
import type { Cell, Query, RowSource } from "../source.ts";
import { sizeOf } from "./forms.ts";
import { averageOf, type TableProfile } from "./profile.ts";
import type { TreeReader } from "./reader.ts";

/** Entries that are asked for at once at most. */
const MOST_ENTRIES = 5_000;

export class Limits {
  readonly #source: RowSource;
  readonly #reader: TreeReader;
  readonly #usual: number;
  /** Whether so many of the longest rows were too much, so that it takes a look at the sizes first. */
  readonly #isUneven: boolean;
  #sizes: number[] = [];

  constructor(source: RowSource, profile: TableProfile, reader: TreeReader) {
    this.#source = source;
    this.#reader = reader;
    const usual = Math.floor(source.answerBytes / averageOf(profile, reader.tree.exprs));
    this.#usual = Math.min(MOST_ENTRIES, Math.max(1, usual));
    this.#isUneven = this.#usual * profile.longest > 8 * source.answerBytes;
  }

  async next(ask: (query: Query) => Promise<Cell[][][]>): Promise<number> {
    if (!this.#isUneven) return this.#usual;
    if (this.#sizes.length === 0) {
      const [rows = []] = await ask(this.#reader.sizesQuery(4 * this.#usual, sizeOf));
      this.#sizes = rows.map(([size]) => Number(size));
    }
    let [count, bytes] = [0, 0];
    while (count < this.#sizes.length) {
      bytes += this.#sizes[count] ?? 0;
      if (bytes > this.#source.answerBytes && count > 0) break;
      count++;
    }
    return Math.max(1, count);
  }

  took(count: number): void {
    this.#sizes.splice(0, count);
  }
}
