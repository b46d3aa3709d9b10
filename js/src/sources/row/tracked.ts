// A moment of a database that tells which rows changed: what was read before, and those rows read again, in one
// transaction at the end.
import type { PreviousPages } from "../../core/index.ts";
import { SourceError } from "../../errors/index.ts";
import type { Cell, Moment, PinOptions, Query, RowTarget } from "../source.ts";
import { momentOf, PAGE_SIZE } from "./built.ts";
import { previousOf, RowChanges } from "./changes.ts";
import { Laying } from "./laying.ts";
import { Limits } from "./limits.ts";
import { changedMeanwhile, refuseHalf } from "./moment.ts";
import {
  bytesOfParts,
  KeptKeys,
  type Part,
  type PartReader,
  type Plan,
  partReader,
  planFrom,
  planQueries,
} from "./plan.ts";
import { averageOf, profileFrom, profileQueries, type TableProfile } from "./profile.ts";
import type { EntrySink, TreeReader } from "./reader.ts";
import { type Schema, schemaOf, schemaQueries } from "./schema.ts";
import { Ahead } from "./together.ts";
import {
  changedAfter,
  dropping,
  EPOCH,
  forgetting,
  type Installed,
  installedIn,
  isTracked,
  MAKE_TABLE,
  type Mark,
  markOf,
  markText,
  NEXT_EPOCH,
  OURS,
  reading,
  trackable,
  tracking,
  wasRead,
} from "./triggers.ts";

/** So much is read in the last step at most, in bytes: of a database elsewhere, and of one in this thread. */
const LAST_BYTES = { there: 4 << 20, here: 16 << 20 };
const LAST_KEYS = 20_000;
/** With more to read again than this, all is. */
const MOST_BYTES = 24 << 20;
const MOST_KEYS = 100_000;
/** Statements that are run at once when triggers are made, and queries when little is asked. */
const AT_ONCE = 240;
/** How often rows that changed meanwhile are read again, and how often each time the last step is tried. */
const ROUNDS = 8;
const TRIES = 20;

/** More changed than is worth being told, so that all has to be read. */
export class TooMuchTold extends Error {}
/** What triggers cannot tell of, as in the tables of a full-text index, is too large for the last step. */
export class Untold extends Error {}

/** What was read so far. */
export interface Base {
  moment: Moment;
  /** It has all that was changed in this epoch and before. */
  epoch: number;
  /** In which pages it differs from the last backup, as far as that is known. */
  changed: Uint32Array | undefined;
}

/** Reads all entries that a reader has to give. */
type Fill = (reader: TreeReader, sink: EntrySink, next: () => void) => Promise<void>;

/** Tells which rows of a database changed, and reads them. */
export class Tracker {
  readonly #source: RowTarget;
  readonly #options: PinOptions;

  constructor(source: RowTarget, options: PinOptions) {
    this.#source = source;
    this.#options = options;
  }

  /** Sees to it that all tables are tracked, and ends the current epoch, which it gives. */
  async begin(): Promise<number> {
    for (let tries = 0; ; tries++) {
      const answers = await this.#ask([...schemaQueries, OURS]);
      const schema = schemaOf(answers.slice(0, -1), this.#source.name);
      refuseHalf(schema, this.#source.name);
      try {
        await this.#install(schema, installedIn(answers.at(-1) ?? []));
        break;
      } catch (error) {
        // A table may be another by now.
        const isRefused = error instanceof SourceError && error.code === "SOURCE_REFUSED";
        if (!isRefused || tries === TRIES) throw error;
      }
    }
    const [[[epoch] = []] = []] = await this.#ask([EPOCH, { sql: NEXT_EPOCH }]);
    return Number(epoch);
  }

  /** The moment that a mark is of, if it is one of this database's; what was noted up to it is forgotten. */
  async known(text: string | undefined): Promise<Mark | undefined> {
    const mark = markOf(text);
    if (!mark) return undefined;
    const [rows = []] = await this.#ask([wasRead(mark)]);
    if (rows.length === 0) return undefined;
    await this.#ask([{ sql: forgetting(mark.epoch) }]);
    return mark;
  }

  /**
   * The database at one moment, made of what was read before. `base` is released with it, or when there is none.
   *
   * @throws SourceError `SOURCE_CHANGED` when more was written all the time than could be read
   * @throws TooManyChanges, {@link TooMuchTold}, {@link Untold}
   */
  async moment(base: Base): Promise<Moment> {
    let current = base;
    try {
      for (let round = 0; round < ROUNDS; round++) {
        const made = await this.#last(current);
        if (made) return made;
        current = await this.#round(current);
      }
      throw changedMeanwhile(this.#source.name);
    } catch (error) {
      await current.moment.release();
      throw error;
    }
  }

  async #install(schema: Schema, installed: Installed): Promise<void> {
    const stale = trackable(schema).filter((table) => !isTracked(table, installed));
    // A name must be free before another trigger gets it.
    const drops = stale.flatMap((table) => dropping(table.name, installed)).map((drop) => [drop]);
    const groups = [...(installed.hasTable ? [] : [MAKE_TABLE]), ...drops, ...stale.map(tracking)];
    let batch: string[] = [];
    for (const [index, group] of groups.entries()) {
      batch.push(...group);
      if (batch.length < AT_ONCE && index < groups.length - 1) continue;
      await this.#source.write(batch, this.#options.signal);
      batch = [];
    }
  }

  /** The last step: all that changed, in one transaction. Nothing where that is too much for one. */
  async #last(base: Base): Promise<Moment | undefined> {
    const most = this.#source.isHere ? LAST_BYTES.here : LAST_BYTES.there;
    let before: PreviousPages | undefined;
    for (let tries = 0; tries < TRIES; tries++) {
      const plan = await this.#plan(base.epoch);
      const step = async () => {
        const profiles = await this.#profiles(plan, base.epoch);
        const internal = plan.parts.filter(({ table }) => table.isInternal);
        if (bytesOfParts(internal, profiles) > most) throw new Untold();
        const keys = plan.parts.reduce((sum, part) => sum + part.keys, 0);
        if (bytesOfParts(plan.parts, profiles) > most || keys > LAST_KEYS) return "much";
        // That takes its time, and would be part of the moment otherwise.
        before ??= await previousOf(base.moment, this.#options.signal);
        return this.#readAll(plan, base.epoch);
      };
      const read = await this.#meeting(plan, step);
      if (read === "much") return undefined;
      if (read === "other" || !before) continue;
      const { readers, answers, mark } = read;
      const fill: Fill = async (reader, sink, next) =>
        void reader.take(answers.get(reader) ?? [], sink, next);
      return this.#lay(base, before, plan, readers, fill, mark);
    }
    return undefined;
  }

  /** Reads what changed, while more does: so less is left for the next time. */
  async #round(base: Base): Promise<Base> {
    const epoch = await this.begin();
    const plan = await this.#plan(base.epoch);
    const made = await this.#meeting(plan, async () => {
      const profiles = await this.#profiles(plan, base.epoch);
      const keys = plan.parts.reduce((sum, part) => sum + part.keys, 0);
      if (bytesOfParts(plan.parts, profiles) > MOST_BYTES || keys > MOST_KEYS) throw new TooMuchTold();
      const before = await previousOf(base.moment, this.#options.signal);
      const readers = plan.parts.map((part) =>
        partReader(part, { epoch: base.epoch, source: this.#source, profile: profiles.get(part) }),
      );
      const profileOf = new Map(
        readers.flatMap(({ part, keys, trees }) => {
          const profile = profiles.get(part);
          const all = part.read === "nothing" ? [] : [...(keys ? [keys] : []), ...trees];
          return all.map((reader) => [reader, { part, profile, isKeys: reader === keys }] as const);
        }),
      );
      const expected = [...profileOf].map(([reader, { part, profile }]) => {
        const rows = Math.max(part.keys, profile?.rows ?? 0);
        const bytes = profile ? rows * averageOf(profile, reader.tree.exprs) : Number.POSITIVE_INFINITY;
        return { reader, limit: rows + 1, bytes };
      });
      const ahead = new Ahead(expected, this.#source.answerBytes, (queries) => this.#ask(queries));
      const fill: Fill = async (reader, sink, next) => {
        const { answers = [], limit } = (await ahead.next()) ?? {};
        if (limit !== undefined && reader.take(answers, sink, next) < limit) return;
        const { profile, isKeys } = profileOf.get(reader) ?? {};
        await this.#slices(reader, isKeys ? undefined : profile, sink, next);
      };
      return this.#lay(base, before, plan, readers, fill, undefined);
    });
    return made === "other" ? base : { moment: made, epoch, changed: made.changed };
  }

  /** What `action` comes to; `other` where it failed as the schema is another one by now. */
  async #meeting<T>(plan: Plan, action: () => Promise<T>): Promise<T | "other"> {
    try {
      return await action();
    } catch (error) {
      if (!(error instanceof SourceError && error.code === "SOURCE_UNREADABLE")) throw error;
      const answers = await this.#ask(schemaQueries);
      if (schemaOf(answers, this.#source.name).digest === plan.schema.digest) throw error;
      return "other";
    }
  }

  async #plan(epoch: number): Promise<Plan> {
    return planFrom(await this.#ask(planQueries(epoch)), this.#source.name);
  }

  /** What the rows that are to be read hold. */
  async #profiles(plan: Plan, epoch: number): Promise<Map<Part, TableProfile>> {
    const parts = plan.parts.filter(({ read }) => read !== "nothing");
    const queries = parts.map(({ table, read }) =>
      profileQueries(table.trees, read === "changes" ? changedAfter(table, epoch) : undefined),
    );
    const all = queries.flat();
    const answers: Cell[][][] = [];
    while (answers.length < all.length)
      answers.push(...(await this.#ask(all.slice(answers.length, answers.length + AT_ONCE))));
    return new Map(
      parts.map((part, index) => {
        const own = answers.splice(0, queries[index]?.length ?? 0);
        return [part, profileFrom(part.table.trees, own)];
      }),
    );
  }

  /** Reads all of a plan in one transaction, at whose end an epoch ends; `other` where the plan was not right any more. */
  async #readAll(plan: Plan, epoch: number) {
    const readers = plan.parts.map((part) => partReader(part, { epoch, source: this.#source }));
    const all = readers
      .filter(({ part }) => part.read !== "nothing")
      .flatMap(({ keys, trees }) => [...(keys ? [keys] : []), ...trees]);
    const name = crypto.randomUUID();
    for (;;) {
      const planned = planQueries(epoch);
      const queries = all.map((reader) => reader.queries());
      const ends = [{ sql: reading(name) }, { sql: NEXT_EPOCH }];
      const rows = await this.#ask([EPOCH, ...planned, ...queries.flat(), ...ends]);
      const [[[current] = []] = []] = rows.splice(0, 1);
      if (planFrom(rows.splice(0, planned.length), this.#source.name).sign !== plan.sign) return "other";
      const answers = new Map(all.map((reader, at) => [reader, rows.splice(0, queries[at]?.length ?? 0)]));
      if (all.filter((reader) => reader.distrusts(answers.get(reader) ?? [])).length > 0) continue;
      return { readers, answers, mark: markText({ epoch: Number(current), name }) };
    }
  }

  async #slices(
    reader: TreeReader,
    profile: TableProfile | undefined,
    sink: EntrySink,
    next: () => void,
  ): Promise<void> {
    const limits = profile ? new Limits(this.#source, profile, reader) : undefined;
    for (let limit = 0, taken = 0; taken === limit; ) {
      limit = (await limits?.next((query) => this.#ask([query]))) ?? LAST_KEYS;
      const answers = await this.#ask(reader.queries(limit));
      taken = limit;
      if (reader.distrusts(answers)) continue;
      taken = reader.take(answers, sink, next);
      limits?.took(taken);
      await this.#source.pause?.();
    }
  }

  /** Lays what was read on the base. */
  async #lay(
    base: Base,
    before: PreviousPages,
    plan: Plan,
    readers: PartReader[],
    fill: Fill,
    mark: string | undefined,
  ): Promise<Moment> {
    const { signal } = this.#options;
    const pages = new RowChanges(PAGE_SIZE, base.moment, base.changed);
    const laying = new Laying(pages, PAGE_SIZE, { previous: before });
    try {
      await laying.schema(plan.schema.objects);
      for (const { part, keys, trees } of readers) {
        const kept = new KeptKeys();
        if (keys) await fill(keys, kept, () => kept.begin());
        for (const reader of trees) {
          const { tree } = reader;
          if (part.read === "nothing") {
            laying.keep(tree);
            continue;
          }
          if (keys) {
            laying.beginAfter(tree);
            laying.change(tree, kept.keys);
          } else laying.begin(tree);
          await fill(reader, laying.sink, () => laying.next());
          if (keys) await laying.merge((first, into) => base.moment.read(first, into, signal));
          else await laying.end();
        }
      }
      await laying.finish();
      const { name } = this.#source;
      return momentOf(name, pages, "tracked", { below: base.moment, ...(mark !== undefined && { mark }) });
    } catch (error) {
      await pages.drop();
      throw error;
    } finally {
      laying.free();
    }
  }

  async #ask(queries: readonly Query[]): Promise<Cell[][][]> {
    return (await this.#source.ask(queries, this.#options.signal)).rows;
  }
}
