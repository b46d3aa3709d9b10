// Reads one moment of a database that answers SQL, though it holds none: everything in one transaction where that is
// little, or slice by slice, each with the count of changes, which must be the same in all of them.
import { PagemarkError, SourceError } from "../../errors/index.ts";
import { type Answers, type Cell, HALF_LOADED, type Query, type RowSource } from "../source.ts";
import { ANYTHING, ColumnForm } from "./forms.ts";
import { Limits } from "./limits.ts";
import { heldIn, profileOfSaved, type SavedProfile, savedProfile, type TableProfile } from "./profile.ts";
import { type EntrySink, type ReaderPosition, TreeReader } from "./reader.ts";
import { type Schema, schemaOf, schemaQueries, type Tree } from "./schema.ts";
import { type SmallTable, Survey } from "./survey.ts";
import { askTogether } from "./together.ts";

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
  /** Digest of the schema. */
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
    const ask = async (queries: readonly Query[]) => {
      const { rows } = await this.#source.ask([...schemaQueries, ...queries], this.#signal);
      this.#compare(rows.splice(0, schemaQueries.length));
      return rows;
    };
    const answers = await askTogether(
      readers.map((reader) => ({ reader })),
      ask,
    );
    await taker.schema(objects);
    for (const reader of readers) {
      taker.begin(reader.tree);
      reader.take(answers.get(reader) ?? [], taker.sink, () => taker.next());
      answers.delete(reader);
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
    const survey = new Survey(tables, this.#source.answerBytes, (queries) => this.#slice(queries));
    let begun = from;
    for (let table = from?.table ?? 0; table < tables.length; table++) {
      const small = begun?.profile ? [] : await survey.smallFrom(table);
      if (small.length > 0) {
        await this.#together(small, taker);
        table += small.length - 1;
        begun = undefined;
        if (isSpent()) return this.#position({ table: table + 1, tree: 0 });
        continue;
      }
      const { trees = [] } = tables[table] ?? {};
      const profile = begun?.profile ? profileOfSaved(begun.profile) : await survey.profileOf(table);
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
  }: Pick<ReadingPosition, "table" | "tree" | "reader"> & { profile?: TableProfile }): ReadingPosition {
    return {
      ...at,
      ...(profile && { profile: savedProfile(profile) }),
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

  /** Reads all trees of some small tables at once. */
  async #together(tables: readonly SmallTable[], taker: RowTaker): Promise<void> {
    const asked = tables.flatMap(({ trees, profile }) =>
      trees.map((tree) => {
        const reader = new TreeReader(tree, this.#forms(tree, profile));
        return { reader, profile, limit: profile.rows + 1 };
      }),
    );
    const answers = await askTogether(asked, (queries) => this.#slice(queries));
    for (const { reader, profile, limit } of asked) {
      taker.begin(reader.tree);
      const taken = reader.take(answers.get(reader) ?? [], taker.sink, () => taker.next());
      answers.delete(reader);
      // Somebody wrote to it meanwhile, or it is at its end.
      if (taken === limit) await this.#rest(reader, profile, taker, () => false);
      else await this.#end(reader, profile, taker);
    }
    if (this.#way !== "hurried") await this.#source.pause?.();
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
    if (from) reader.goOn(from);
    else taker.begin(tree);
    return this.#rest(reader, profile, taker, isSpent);
  }

  /** Reads a tree from where `reader` is. */
  async #rest(
    reader: TreeReader,
    profile: TableProfile,
    taker: RowTaker,
    isSpent: () => boolean,
  ): Promise<ReaderPosition | undefined> {
    const limits = new Limits(this.#source, profile, reader);
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
    await this.#end(reader, profile, taker);
    return undefined;
  }

  async #end({ tree, count }: TreeReader, profile: TableProfile, taker: RowTaker): Promise<void> {
    // An emptied and dropped table leaves no trace in the count of changes.
    if (this.#way !== "loose" && !tree.where && count !== profile.rows) this.#changed();
    await taker.end();
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
export function refuseHalf({ objects }: { objects: readonly { name?: unknown }[] }, name: string): void {
  if (!objects.some((object) => object.name === HALF_LOADED)) return;
  const message = `${name}: a restore into it did not end, so that it holds a part only; run the restore again`;
  throw new SourceError("SOURCE_HALF_LOADED", message, { name });
}

function changesIn({ rows, noChanges = 0 }: Answers): [count: number, inserted: Cell] {
  const [count = 0, inserted = null] = rows[0]?.[0] ?? [];
  return [Number(count) - noChanges, inserted];
}
