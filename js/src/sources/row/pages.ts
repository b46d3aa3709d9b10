// The pages of a database that gives none: its rows are laid into b-trees, which lie in memory or in a scratch until
// the moment is released.
import { named } from "../../core/index.ts";
import { checkHas, checkOptions, checkText, PagemarkError, SourceError } from "../../errors/index.ts";
import type { Moment, PageSource, PinOptions, RowSource, RowTarget } from "../source.ts";
import { momentOf, PAGE_SIZE } from "./built.ts";
import { previousOf, RowChanges, TooManyChanges } from "./changes.ts";
import { Laying, LostTree } from "./laying.ts";
import { changedMeanwhile, readMoment, sizeOfDatabase, type Way } from "./moment.ts";
import { RowScratch } from "./scratch.ts";
import { ParentTables } from "./stand-ins.ts";
import { type Base, TooMuchTold, Tracker, Untold } from "./tracked.ts";
import { installedIn, OURS, untracking } from "./triggers.ts";

/** How often all is read where what changed meanwhile is too much to be told. */
const SCANS = 3;
/** A database of so many bytes is read in one transaction at once. */
const SMALL = 1 << 20;
/** One of so many is, where writers came in between. */
const NOT_LARGE = 4 << 20;

/** A database whose pages are made of its rows whenever it is pinned. */
export function fromRows<Source extends RowSource>(
  source: Source,
): PageSource & Source & Pick<RowTarget, "standIns"> {
  checkHas("ask", source, "the source", "a RowSource, with ask()");
  checkText(source.name, "the source's name");
  return { ...source, pin: (options) => pinRows(source, options), standIns: () => new ParentTables() };
}

/** @throws SourceError `SOURCE_CHANGED` when writers came in between in every way of reading */
async function pinRows(source: RowSource, options: PinOptions = {}): Promise<Moment> {
  const { signal } = options;
  signal?.throwIfAborted();
  const tracked = source.tracking ? await pinTracked(source, options) : undefined;
  if (tracked) return tracked;
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

/**
 * Ends the tracking of changes: takes the triggers and the table `pagemark_changes` away. Without any, it does nothing. The
 * next backup reads all rows.
 *
 * @returns whether there was anything to take away
 * @throws SourceError
 * @example
 * ```ts
 * import { d1, untrack } from "pagemark";
 * await untrack(d1(env.DB));
 * ```
 */
export async function untrack(database: RowTarget, options: { signal?: AbortSignal } = {}): Promise<boolean> {
  checkHas("write", database, "the database", "a source such as d1(binding)");
  const { signal } = checkOptions(options);
  const { rows } = await database.ask([OURS], signal);
  const installed = installedIn(rows[0] ?? []);
  const isTracked = installed.hasTable || installed.triggers.size > 0;
  if (isTracked) await database.write(untracking(installed), signal);
  return isTracked;
}

/** By what triggers tell; nothing where what they cannot tell is too much. */
async function pinTracked(source: RowSource, options: PinOptions): Promise<Moment | undefined> {
  const { name, write } = source;
  if (!write) throw new PagemarkError("USAGE", `${name}: a database that is only read cannot be tracked`);
  const tracker = new Tracker({ ...source, write } satisfies RowTarget, options);
  try {
    let epoch = await tracker.begin();
    const mark = await tracker.known(options.since);
    const last = mark && (await openPrevious(options));
    const made =
      last && (await told(tracker, { moment: last, epoch: mark.epoch, changed: new Uint32Array() }));
    if (made) return made;
    for (let scans = 0; scans < SCANS; scans++) {
      if (scans > 0) epoch = await tracker.begin();
      const moment = await scanned(source, options);
      const made = moment && (await told(tracker, { moment, epoch, changed: moment.changed }));
      if (made) return made;
    }
    throw changedMeanwhile(name);
  } catch (error) {
    if (error instanceof Untold) return undefined;
    throw named(error, name);
  }
}

/** The moment on top of what was read before; nothing where too much changed since, or that is not what the notes go by. */
async function told(tracker: Tracker, base: Base): Promise<Moment | undefined> {
  try {
    return await tracker.moment(base);
  } catch (error) {
    const isTooMuch = error instanceof TooMuchTold || error instanceof TooManyChanges;
    if (isTooMuch || error instanceof LostTree) return undefined;
    throw error;
  }
}

/** All there is, of several moments; nothing where a table went away meanwhile. */
async function scanned(source: RowSource, options: PinOptions): Promise<Moment | undefined> {
  const previous = await openPrevious(options);
  try {
    return await pinPages(source, "loose", "tracked", previous, options);
  } catch (error) {
    await previous?.release();
    if (error instanceof SourceError && error.code === "SOURCE_CHANGED") return undefined;
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
  const before = previous && (await previousOf(previous, signal));
  const pages = previous
    ? new RowChanges(PAGE_SIZE, previous, new Uint32Array())
    : new RowScratch(source.name, PAGE_SIZE, scratch);
  const laying = new Laying(pages, PAGE_SIZE, { previous: before });
  try {
    await readMoment(source, laying, way, signal);
    await laying.finish();
    return momentOf(source.name, pages, taken, { below: previous });
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
function waysFor({ isHere = false }: RowSource, size: number): Way[] {
  if (size <= SMALL) return ["whole", "whole", "whole"];
  return ["slices", "slices", !isHere && size <= NOT_LARGE ? "whole" : "hurried"];
}
