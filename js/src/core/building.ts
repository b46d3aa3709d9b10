import * as glue from "../pkg/build/pagemark.js";
import { starting } from "./core.ts";
import { currentPlatform, type PageRun } from "./platform.ts";
import { RowBatch } from "./row-batch.ts";

export { RowBatch };

/** What the header of a database says, besides its size. Equal rows and an equal shape give equal bytes. */
export interface BuiltShape {
  /** In bytes; 4,096 unless given. */
  pageSize?: number;
  /** Rises with every commit; 1 unless given. */
  changeCounter?: number;
  /** Rises with every change of the schema; 1 unless given. */
  schemaCookie?: number;
  /** `PRAGMA user_version`; 0 unless given. */
  userVersion?: number;
  /** `PRAGMA application_id`; 0 unless given. */
  applicationId?: number;
}

/** A row of `sqlite_schema`. */
export interface BuiltObject {
  type: "table" | "index" | "view" | "trigger";
  name: string;
  /** The table that it belongs to. */
  table: string;
  /** Missing for an index that a constraint made. */
  sql: string | null;
  /** Whether it has a b-tree (`rootpage <> 0`): tables that are not virtual, and indexes. */
  hasTree: boolean;
}

/**
 * What a value's column is: any (`value`); of REAL affinity (`real`), where whole numbers are stored as integers; or the
 * INTEGER PRIMARY KEY of a table with rowids (`rowid`), which has no value of its own.
 */
export type ColumnKind = "value" | "real" | "rowid";
const COLLATIONS = ["BINARY", "NOCASE", "RTRIM"];
const COLUMN_KINDS: readonly ColumnKind[] = ["value", "real", "rowid"];

/** A column of a key, for {@link BuiltOrder}. */
export interface BuiltTerm {
  /** Its place in the record. */
  place: number;
  collation: "BINARY" | "NOCASE" | "RTRIM";
  isDescending: boolean;
}

/** How a b-tree is sorted, and the key of its rows; both are empty for a table of rowids. */
export interface BuiltOrder {
  terms: readonly BuiltTerm[];
  key: readonly BuiltTerm[];
}

/** Whole pages, one run after the other; the caller's from now on. */
export interface PagesOut {
  runs: readonly PageRun[];
  bytes: Uint8Array;
}

/** The wasm that makes pages of rows, started at the first call. */
const buildCore = /* @__PURE__ */ starting("build", glue, () => currentPlatform().buildWasm());

/** What is known of the pages of a database that was built before; good for one {@link pageBuilder}. */
export type PreviousPages = glue.Previous;

/**
 * Learns the pages of a database's file, which comes in order, in chunks of any size. Without `read`, which gives single pages
 * again, trees with very long names are not found.
 */
export async function previousPages(
  chunks: AsyncIterable<Uint8Array>,
  pageSize = 4096,
  read?: (pgno: number, into: Uint8Array) => Promise<void>,
): Promise<PreviousPages> {
  const { Previous } = await buildCore();
  const previous = new Previous(pageSize);
  for await (const bytes of chunks) previous.feed(bytes);
  for (let numbers = previous.missing(); read && numbers.length > 0; numbers = previous.missing()) {
    for (const pgno of numbers) {
      const page = new Uint8Array(pageSize);
      await read(pgno, page);
      previous.supply(pgno, page);
    }
  }
  return previous;
}

/**
 * For a database with this schema, whose objects are in the order of `sqlite_schema`. With `previous`, the file of a
 * database that was built before, rows that are the same stay on the pages that they had.
 */
export async function pageBuilder(
  shape: BuiltShape,
  schema: readonly BuiltObject[],
  previous?: AsyncIterable<Uint8Array> | PreviousPages,
): Promise<PageBuilder> {
  const { pageSize = 4096, changeCounter = 1, schemaCookie = 1, userVersion = 0, applicationId = 0 } = shape;
  const { Builder } = await buildCore();
  const header = [pageSize, changeCounter, schemaCookie, userVersion, applicationId] as const;
  let builder: glue.Builder;
  if (previous) {
    const before = Symbol.asyncIterator in previous ? await previousPages(previous, pageSize) : previous;
    builder = Builder.after(before, ...header);
  } else {
    builder = new Builder(...header);
  }
  for (const { type, name, table, sql, hasTree } of schema) {
    builder.object(type, name, table, sql ?? undefined, hasTree);
  }
  return new PageBuilder(builder);
}

/**
 * Makes the pages of a database of rows that come sorted: for each object with a b-tree, in any order, {@link begin},
 * {@link add} with all of its rows, {@link end}; at last {@link finish}.
 *
 * Each page comes once, but the lock page, and those that are as they were before; page 1 is the last of all. Without a
 * database before they ascend from page 2 on, and nothing of the size of the database is kept. After an error the builder
 * is of no use.
 */
export class PageBuilder {
  readonly #builder: glue.Builder;

  constructor(builder: glue.Builder) {
    this.#builder = builder;
  }

  /**
   * Begins the b-tree of an object, by its place in the schema. `table` is one of rowids: its rows come by rowid.
   * `index` is an index, or a table WITHOUT ROWID: its entries come in the order of the b-tree, which is not checked.
   * `columns` are those of its records, in order.
   */
  begin(object: number, form: "table" | "index", columns: readonly ColumnKind[]): void {
    const kinds = Uint8Array.from(columns, (column) => COLUMN_KINDS.indexOf(column));
    this.#builder.begin(object, form === "table", kinds);
  }

  /** Leaves the b-tree of an object as it was in the database before; `false` where it had none of that name. */
  keep(object: number): boolean {
    return this.#builder.keep(object);
  }

  /**
   * Begins the b-tree of an object as it was in the database before: {@link change} with the keys of rows that changed,
   * {@link add} with the entries that these have now, in order, {@link supply} until nothing is {@link missing}, {@link end}.
   * `false`, and nothing is begun, where there was none of that name.
   */
  beginAfter(
    object: number,
    form: "table" | "index",
    columns: readonly ColumnKind[],
    { terms, key }: BuiltOrder,
  ): boolean {
    const kinds = Uint8Array.from(columns, (column) => COLUMN_KINDS.indexOf(column));
    const [sorted, keys] = [terms, key].map((some) => Uint32Array.from(some.flatMap(termNumbers)));
    return this.#builder.beginAfter(
      object,
      form === "table",
      kinds,
      sorted as Uint32Array,
      keys as Uint32Array,
    );
  }

  /** Takes the keys of rows that changed: of a table their rowids, else the values of the key. The batch is empty afterwards. */
  change(keys: RowBatch): void {
    this.#builder.change(keys.take());
  }

  /** Pages of the database before that are missing to go on; none when the b-tree is whole. */
  missing(): { runs: PageRun[]; made: PagesOut } {
    const numbers = this.#builder.missing();
    return { runs: runsOf(numbers), made: this.#take() };
  }

  /** Takes pages of the database before, from `first` on. */
  supply(first: number, pages: Uint8Array): void {
    this.#builder.supply(first, pages);
  }

  /** Adds the rows of a batch, which is empty afterwards. */
  add(rows: RowBatch): PagesOut {
    this.#builder.add(rows.take());
    return this.#take();
  }

  /** Adds bytes of the long values of the row that was added last, in the order of its columns. */
  piece(bytes: Uint8Array): PagesOut {
    this.#builder.piece(bytes);
    return this.#take();
  }

  /** Ends the b-tree. */
  end(): PagesOut {
    this.#builder.end();
    return this.#take();
  }

  /** Ends the database, whose size in pages is known now. */
  finish(): PagesOut & { pageCount: number } {
    const pageCount = this.#builder.finish();
    return { ...this.#take(), pageCount };
  }

  /** What {@link restore} goes on from, when all pages were taken: between two batches, on top of no database. */
  save(): Uint8Array {
    return this.#builder.save();
  }

  /**
   * Goes on from what was saved, behind the same objects.
   *
   * @throws DamageError `SAVED_STATE`
   */
  restore(saved: Uint8Array): void {
    this.#builder.restore(saved);
  }

  /** Frees its memory. */
  free(): void {
    this.#builder.free();
  }

  #take(): PagesOut {
    const bytes = this.#builder.take();
    return { runs: runsOf(this.#builder.runs()), bytes };
  }
}

function runsOf(numbers: Uint32Array): PageRun[] {
  return Array.from({ length: numbers.length / 2 }, (_, index) => ({
    first: numbers[2 * index] ?? 0,
    count: numbers[2 * index + 1] ?? 0,
  }));
}

function termNumbers({ place, collation, isDescending }: BuiltTerm): number[] {
  return [place, COLLATIONS.indexOf(collation), isDescending ? 1 : 0];
}
