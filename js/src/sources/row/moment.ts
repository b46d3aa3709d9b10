// Reads one moment of a database that answers SQL, though it holds none: everything in one transaction where that is
// little, or slice by slice, each with the count of changes, which must be the same in all of them.
import { PagemarkError, SourceError } from "../../errors/index.ts";
import { type Answers, type Cell, HALF_LOADED, type Query, type RowSource } from "../source.ts";
import { ANYTHING, ColumnForm, sizeOf } from "./forms.ts";
import {
  averageOf,
  heldIn,
  profileFrom,
  profileOfSaved,
  profileQueries,
  type SavedProfile,
  savedProfile,
  type TableProfile,
} from "./profile.ts";
import { type EntrySink, type ReaderPosition, TreeReader } from "./reader.ts";
import { type Schema, schemaOf, schemaQueries, type Tree } from "./schema.ts";

/** Takes all of a database. */
export interface RowTaker {
  readonly sink: EntrySink;
  schema(objects: Schema["objects"]): Promise<void>;
  begin(tree: Tree): void;
  /** Before each entry. */
  next(): void;
  /** After some entries: passes on what they gave. */
  flush(): Promise<void>;
  end(): Promise<void>;
}

/** How a moment is read. */
export type Way =
  /** All in one transaction, without a look at what the tables hold. */
  | "whole"
  /** Slice by slice; writers come in between, and then the moment is lost. */
  | "slices"
  /** Slice by slice, without giving way where it need not be given. */
  | "hurried"
  /** Slice by slice, whoever comes in between: only of rows that nobody writes meanwhile, what is read is true. */
  | "loose";

/** How far a moment was read: plain data, from which another process goes on. */
export interface ReadingPosition {
  /** What the count of changes has to be, and the rowid inserted last. */
  count: number;
  inserted: Cell;
  /** Of the schema. */
  digest: string;
  /** The table and its tree that come next, and what is known of the table. */
  table: number;
  tree: number;
  profile?: SavedProfile;
  /** How far that tree was read, if it was begun. */
  reader?: ReaderPosition;
}

/** How a reading that may end early goes on, and when it ends. */
export interface ReadingLimits {
  from?: ReadingPosition | undefined;
  isSpent: () => boolean;
}

/**
 * The count rises with every row that a statement inserts, updates or deletes, and begins anew with the connection. It does
 * not count what changes the schema, which is compared by itself.
 */
const CHANGES: Query = { sql: "SELECT total_changes() AS a, last_insert_rowid() AS b" };
/** Entries that are asked for at once at most. */
const MOST_ENTRIES = 5_000;

/**
 * Reads the schema and all entries of all trees.
 *
 * @throws SourceError `SOURCE_CHANGED` when a writer came in between
 */
export async function readMoment(
  source: RowSource,
  taker: RowTaker,
  way: Way,
  signal?: AbortSignal,
): Promise<void> {
  const reading = await Reading.begin(source, way, signal);
  await reading.meeting(async () => {
    await (way === "whole" ? reading.whole(taker) : reading.slices(taker));
  });
}

/**
 * As {@link readMoment}, slice by slice, for as long as `limits` says: gives from where to go on, until there is nothing more.
 *
 * @throws SourceError `SOURCE_CHANGED` when a writer came in between, also before this began
 */
export async function readOn(
  source: RowSource,
  taker: RowTaker,
  way: Way,
  limits: ReadingLimits,
  signal?: AbortSignal,
): Promise<ReadingPosition | undefined> {
  const reading = await Reading.begin(source, way, signal, limits.from);
  return reading.meeting(() => reading.slices(taker, limits));
}

/** What the database takes, in bytes. */
export async function sizeOfDatabase(source: RowSource, signal?: AbortSignal): Promise<number> {
  return (await source.ask([CHANGES], signal)).size;
}

class Reading {
  readonly #source: RowSource;
  readonly #signal: AbortSignal | undefined;
  readonly #schema: Schema;
  /** What the count of changes is, as long as nobody else changes anything; and the rowid inserted last. */
  #count: number;
  /** What it was when this began. */
  readonly #before: number;
  readonly #inserted: Cell;
  readonly #way: Way;

  static async begin(
    source: RowSource,
    way: Way,
    signal: AbortSignal | undefined,
    from?: ReadingPosition,
  ): Promise<Reading> {
    const reading = new Reading(source, await source.ask([CHANGES, ...schemaQueries], signal), way, signal);
    if (from) reading.#follows(from);
    return reading;
  }

  private constructor(source: RowSource, answers: Answers, way: Way, signal: AbortSignal | undefined) {
    this.#source = source;
    const [count, inserted] = changesIn(answers);
    this.#before = count;
    this.#count = count + (answers.ownChanges ?? 0);
    this.#inserted = inserted;
    this.#schema = schemaOf(answers.rows.slice(1), source.name);
    this.#way = way;
    this.#signal = signal;
    refuseHalf(this.#schema, source.name);
  }

  async whole(taker: RowTaker): Promise<void> {
    const { tables, objects } = this.#schema;
    const trees = tables.flatMap((table) => table.trees);
    const readers = trees.map((tree) => new TreeReader(tree, this.#forms(tree, undefined)));
    let parts: Cell[][][][];
    do {
      const queries = readers.map((reader) => reader.queries());
      const { rows } = await this.#source.ask([...schemaQueries, ...queries.flat()], this.#signal);
      this.#compare(rows.splice(0, schemaQueries.length));
      parts = queries.map((some) => rows.splice(0, some.length));
    } while (readers.filter((reader, index) => reader.distrusts(parts[index] ?? [])).length > 0);
    await taker.schema(objects);
    for (const [index, reader] of readers.entries()) {
      taker.begin(reader.tree);
      reader.take(parts[index] ?? [], taker.sink, () => taker.next());
      parts[index] = [];
      await taker.end();
    }
  }

  /** Reads on; gives where it stopped, if it did not come to the end. */
  async slices(
    taker: RowTaker,
    { from, isSpent }: ReadingLimits = { isSpent: () => false },
  ): Promise<ReadingPosition | undefined> {
    const { tables, objects } = this.#schema;
    await taker.schema(objects);
    let begun = from;
    for (let table = from?.table ?? 0; table < tables.length; table++) {
      const { trees = [] } = tables[table] ?? {};
      const profile = begun?.profile
        ? profileOfSaved(begun.profile)
        : profileFrom(trees, await this.#slice(profileQueries(trees)));
      for (let tree = begun?.tree ?? 0; tree < trees.length; tree++) {
        const reader = await this.#tree(trees[tree] as Tree, profile, taker, begun?.reader, isSpent);
        begun = undefined;
        if (reader) return this.#position({ table, tree, profile, reader });
        if (isSpent()) return this.#position({ table, tree: tree + 1, profile });
      }
      begun = undefined;
    }
    if (this.#way !== "loose") this.#compare(await this.#slice(schemaQueries));
    return undefined;
  }

  /** Does `action`, which may fail because a table is another by now. */
  async meeting<T>(action: () => Promise<T>): Promise<T> {
    try {
      return await action();
    } catch (error) {
      const isSql = error instanceof PagemarkError && error.code === "SOURCE_UNREADABLE";
      if (isSql) await this.checkSchema();
      throw error;
    }
  }

  #position({
    profile,
    ...at
  }: Pick<ReadingPosition, "table" | "tree" | "reader"> & { profile: TableProfile }): ReadingPosition {
    const saved = savedProfile(profile);
    return {
      ...at,
      profile: saved,
      count: this.#count,
      inserted: this.#inserted,
      digest: this.#schema.digest,
    };
  }

  /** Whether nothing was written since. */
  #follows({ count, inserted, digest }: ReadingPosition): void {
    const isOther = this.#before !== count || this.#inserted !== inserted;
    if (this.#schema.digest !== digest || (isOther && this.#way !== "loose")) this.#changed();
  }

  /** @throws SourceError `SOURCE_CHANGED` when the schema is another by now */
  async checkSchema(): Promise<void> {
    this.#compare((await this.#source.ask(schemaQueries, this.#signal)).rows);
  }

  #compare(answers: Cell[][][]): void {
    if (schemaOf(answers, this.#source.name).digest !== this.#schema.digest) this.#changed();
  }

  /** Reads a tree, behind what was read of it; gives where it stopped, if it did not come to the end. */
  async #tree(
    tree: Tree,
    profile: TableProfile,
    taker: RowTaker,
    from: ReaderPosition | undefined,
    isSpent: () => boolean,
  ): Promise<ReaderPosition | undefined> {
    const reader = new TreeReader(tree, this.#forms(tree, profile));
    const limits = new Limits(this.#source, profile, reader);
    if (from) reader.goOn(from);
    else taker.begin(tree);
    for (let limit = 0, taken = 0; taken === limit; ) {
      limit = await limits.next((query) => this.#slice([query]));
      const answers = await this.#slice(reader.queries(limit));
      // The same entries are asked for again, otherwise.
      taken = limit;
      if (reader.distrusts(answers)) continue;
      taken = reader.take(answers, taker.sink, () => taker.next());
      limits.took(taken);
      await taker.flush();
      if (this.#way !== "hurried") await this.#source.pause?.();
      if (taken === limit && isSpent()) return reader.position;
    }
    // An emptied and dropped table leaves no trace in the count of changes.
    if (this.#way !== "loose" && !tree.where && reader.count !== profile.rows) this.#changed();
    await taker.end();
    return undefined;
  }

  #forms(tree: Tree, profile: TableProfile | undefined): ColumnForm[] {
    return tree.exprs.map((expr, at) => {
      const held = profile ? heldIn(profile, expr) : ANYTHING;
      return new ColumnForm(`c${at}`, held, this.#source);
    });
  }

  /** Asks within the moment. */
  async #slice(queries: readonly Query[]): Promise<Cell[][][]> {
    const answers = await this.#source.ask([CHANGES, ...queries], this.#signal);
    const [count, inserted] = changesIn(answers);
    const isOther = count !== this.#count || inserted !== this.#inserted;
    if (isOther && this.#way !== "loose") this.#changed();
    this.#count += answers.ownChanges ?? 0;
    return answers.rows.slice(1);
  }

  #changed(): never {
    throw changedMeanwhile(this.#source.name);
  }
}

/** The error when no moment could be had. */
export function changedMeanwhile(name: string): SourceError {
  const message = `${name}: a writer came in between while it was read; try again when there is less to write`;
  return new SourceError("SOURCE_CHANGED", message, { name });
}

/** @throws SourceError `SOURCE_HALF_LOADED` where a restore did not come to its end */
export function refuseHalf({ objects }: Schema, name: string): void {
  if (!objects.some((object) => object.name === HALF_LOADED)) return;
  const message = `${name}: a restore into it did not end, so that it holds a part only; run the restore again`;
  throw new SourceError("SOURCE_HALF_LOADED", message, { name });
}

function changesIn({ rows }: Answers): [count: number, inserted: Cell] {
  const [count = 0, inserted = null] = rows[0]?.[0] ?? [];
  return [Number(count), inserted];
}

/** How many entries to ask for at once. */
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
