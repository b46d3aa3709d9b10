// Rows on their way into pages.
import {
  type BuiltTerm,
  type PageBuilder,
  type PreviousPages,
  pageBuilder,
  RowBatch,
} from "../../core/index.ts";
import type { RowChanges } from "./changes.ts";
import type { RowTaker } from "./moment.ts";
import type { SchemaObject, SortTerm, Tree } from "./schema.ts";
import type { RowScratch } from "./scratch.ts";
import { type ExactValue, give } from "./values.ts";

/** A tree is not in the database before, though it should be. */
export class LostTree extends Error {}

/** Lays rows into pages, on top of a database if there is one. */
export class Laying implements RowTaker {
  readonly sink = new RowBatch();
  readonly #pages: RowScratch | RowChanges;
  readonly #pageSize: number;
  readonly #previous: PreviousPages | undefined;
  readonly #saved: Uint8Array | undefined;
  #builder: PageBuilder | undefined;

  /**
   * @param previous of the database below, which is good for this once
   * @param saved what {@link save} gave: rows go on behind those
   */
  constructor(
    pages: RowScratch | RowChanges,
    pageSize: number,
    { previous, saved }: { previous?: PreviousPages | undefined; saved?: Uint8Array | undefined } = {},
  ) {
    this.#pages = pages;
    this.#pageSize = pageSize;
    this.#previous = previous;
    this.#saved = saved;
  }

  async schema(objects: readonly SchemaObject[]): Promise<void> {
    this.#builder = await pageBuilder({ pageSize: this.#pageSize }, objects, this.#previous);
    if (this.#saved) this.#builder.restore(this.#saved);
  }

  /** The b-trees so far, without the pages that are done: when all entries were passed on, and on top of no database. */
  save(): Uint8Array {
    return this.#built.save();
  }

  /** Leaves a tree as it was. */
  keep({ object }: Tree): void {
    if (!this.#built.keep(object)) throw new LostTree();
  }

  /** Begins a tree as it was; {@link change} and the entries of these rows are to follow, then {@link merge}. */
  beginAfter({ object, kind, kinds, exprs, order, key }: Tree): void {
    const terms = (some: readonly SortTerm[]) =>
      some.map(({ expr, collation = "BINARY", isDescending }) => {
        return { place: exprs.indexOf(expr), collation: collation as BuiltTerm["collation"], isDescending };
      });
    const sorted = { terms: kind === "table" ? [] : terms(order), key: terms(key) };
    if (!this.#built.beginAfter(object, kind, kinds, sorted)) throw new LostTree();
  }

  /** The rows of these keys changed. */
  change({ kind }: Tree, keys: readonly (readonly ExactValue[])[]): void {
    const batch = new RowBatch();
    for (const values of keys) {
      for (const value of values) {
        if (kind === "table" && value.type === "integer") batch.rowid(value.value);
        else give(value, batch);
      }
    }
    this.#built.change(batch);
  }

  /** Puts the tree together that was begun as it was, with what changed; `read` gives pages of the database before. */
  async merge(read: (first: number, into: Uint8Array) => Promise<void>): Promise<void> {
    this.#pages.add(this.#built.add(this.sink));
    for (;;) {
      const { runs, made } = this.#built.missing();
      this.#pages.add(made);
      await this.#pages.settle();
      if (runs.length === 0) break;
      for (const { first, count } of runs) {
        const bytes = new Uint8Array(count * this.#pageSize);
        await read(first, bytes);
        this.#built.supply(first, bytes);
      }
    }
    await this.end();
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
