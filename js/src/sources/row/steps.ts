// A database that gives rows is laid into pages step by step, by one process after the other: the pages lie in a scratch
// meanwhile, and what else is known is plain data.
import { uuid } from "../../core/index.ts";
import { PagemarkError, SourceError } from "../../errors/index.ts";
import type { Moment, PageSource, RowSource, RowTarget, Scratch } from "../source.ts";
import { momentOf, PAGE_SIZE } from "./built.ts";
import { Laying } from "./laying.ts";
import { changedMeanwhile, type ReadingPosition, readOn } from "./moment.ts";
import { BLOCK, RowScratch, type ScratchState } from "./scratch.ts";
import { TooMuchTold, Tracker, Untold } from "./tracked.ts";

export { BLOCK };

/** How far a database is laid into pages; plain data. */
export interface RowsState extends ScratchState {
  /** Names the moment, and its scratch. */
  id: string;
  /** What comes next: rows; with tracking, those that changed meanwhile; or nothing. */
  next: "rows" | "changes" | "nothing";
  /** Where the next row is, and what the b-trees are so far. */
  from?: ReadingPosition;
  trees?: Uint8Array;
  /** With tracking, the epoch at which it began. */
  epoch?: number;
  mark?: string;
  /** Names of the blocks in the scratch. */
  names: string[];
  /** How often it began anew, as a writer came in between. */
  lost: number;
}

/** Room for blocks that have names. */
export interface NamedScratch {
  put(name: string, block: Uint8Array): Promise<void>;
  get(name: string, signal?: AbortSignal): Promise<Uint8Array>;
}

/** More is not worth the reading. */
const MOST_LOST = 5;
/** Pages of one block. */
const AT_ONCE = BLOCK / PAGE_SIZE;

export function isRowSource(source: object): source is RowSource & PageSource {
  return "ask" in source && "answerBytes" in source;
}

export function newRows(): RowsState {
  return begun(uuid(), 0);
}

function begun(id: string, lost: number): RowsState {
  return { id, next: "rows", lost, names: [], blocks: 0, pageCount: 0, first: new Uint8Array() };
}

/**
 * Goes on until `isSpent` says so of the bytes of pages that this call made. Where a writer came in between, it begins anew.
 *
 * @throws SourceError `SOURCE_CHANGED` when that was so too often
 */
export async function layOn(
  source: RowSource,
  state: RowsState,
  scratch: NamedScratch,
  isSpent: (bytes: number) => boolean,
  signal: AbortSignal | undefined,
): Promise<RowsState> {
  try {
    return await (state.next === "rows"
      ? layRows(source, state, scratch, isSpent, signal)
      : layChanges(trackerOf(source, signal), source.name, state, scratch));
  } catch (error) {
    const isLost = error instanceof SourceError && error.code === "SOURCE_CHANGED";
    const isTooMuch = error instanceof Untold || error instanceof TooMuchTold;
    if (!isLost && !isTooMuch) throw error;
    if (state.lost === MOST_LOST) throw changedMeanwhile(source.name);
    return begun(state.id, state.lost + 1);
  }
}

/** A source whose only moment is the one that was laid. Its pages stay when it is released. */
export function laidSource(
  name: string,
  state: RowsState,
  scratch: NamedScratch,
  tracked: boolean,
): PageSource {
  return {
    name,
    async pin() {
      const { mark, id } = state;
      const pages = RowScratch.resume(name, PAGE_SIZE, new Blocks(scratch, state), state);
      return momentOf(name, pages, tracked ? "tracked" : "start", { mark, bookmark: id });
    },
  };
}

async function layRows(
  source: RowSource,
  state: RowsState,
  scratch: NamedScratch,
  isSpent: (bytes: number) => boolean,
  signal: AbortSignal | undefined,
): Promise<RowsState> {
  const { tracking = false, name } = source;
  const epoch = state.epoch ?? (tracking ? await trackerOf(source, signal).begin() : undefined);
  const blocks = new Blocks(scratch, state);
  const pages = RowScratch.resume(name, PAGE_SIZE, blocks, state);
  await pages.openLast();
  const laying = new Laying(pages, PAGE_SIZE, { saved: state.trees });
  try {
    const limits = { from: state.from, isSpent: () => isSpent(pages.added) };
    const from = await readOn(source, laying, tracking ? "loose" : "slices", limits, signal);
    const { id, lost } = state;
    const { names } = blocks;
    const common = { id, lost, names, ...(epoch !== undefined && { epoch }) };
    if (from) {
      const trees = laying.save();
      return { ...common, ...(await pages.save()), next: "rows", from, trees };
    }
    await laying.finish();
    return { ...common, ...(await pages.save()), next: tracking ? "changes" : "nothing" };
  } finally {
    laying.free();
  }
}

/** Reads again what was written while all was read, and lays it over. */
async function layChanges(
  tracker: Tracker,
  name: string,
  state: RowsState,
  scratch: NamedScratch,
): Promise<RowsState> {
  const { epoch = 0, id, lost } = state;
  const moment = await laidSource(name, state, scratch, true).pin();
  const made = await tracker.moment({ moment, epoch, changed: new Uint32Array() });
  try {
    const blocks = new Blocks(scratch, state);
    const pages = RowScratch.resume(name, PAGE_SIZE, blocks, state);
    for (const group of groups(made.changed ?? new Uint32Array())) {
      await pages.open(group[0] ?? 1);
      for (const page of group) pages.add(await pageOf(made, page));
      await pages.save();
    }
    await pages.finish(made.pageCount);
    const { mark } = made;
    const saved = await pages.save();
    const { names } = blocks;
    return { id, lost, names, next: "nothing", ...saved, ...(mark !== undefined && { mark }) };
  } finally {
    await made.release();
  }
}

async function pageOf(moment: Moment, page: number) {
  const bytes = new Uint8Array(PAGE_SIZE);
  await moment.read(page, bytes);
  return { runs: [{ first: page, count: 1 }], bytes };
}

/** Pages by their blocks. */
function groups(pages: Uint32Array): number[][] {
  const all = new Map<number, number[]>();
  for (const page of pages) {
    const block = Math.floor((page - 1) / AT_ONCE);
    all.set(block, [...(all.get(block) ?? []), page]);
  }
  return [...all.values()];
}

function trackerOf(source: RowSource, signal: AbortSignal | undefined): Tracker {
  const { name, write } = source;
  if (!write) throw new PagemarkError("USAGE", `${name}: a database that is only read cannot be tracked`);
  return new Tracker({ ...source, write } satisfies RowTarget, { signal });
}

/**
 * Blocks that get another name each time they are put away: so a step that is made again finds them as they were. They stay
 * when they are dropped, as the next step needs them.
 */
class Blocks implements Scratch {
  readonly names: string[];
  readonly #scratch: NamedScratch;

  constructor(scratch: NamedScratch, { names }: RowsState) {
    this.#scratch = scratch;
    this.names = [...names];
  }

  async put(block: number, bytes: Uint8Array): Promise<void> {
    const name = `${block}-${uuid()}`;
    await this.#scratch.put(name, bytes);
    this.names[block] = name;
  }

  get(block: number, signal?: AbortSignal): Promise<Uint8Array> {
    return this.#scratch.get(this.names[block] ?? "", signal);
  }

  async drop(): Promise<void> {}
}
