import type { Store } from "../stores/store.ts";
import { CONNECTIONS, type Frame, type FramePlaces, readRange } from "./chain-index.ts";
import { type CachedRange, FrameCache, holds, leadsTo, type Range } from "./frame-cache.ts";

/** Bytes between two wanted frames that are read along with them: they cost less than a request of their own. */
const LARGEST_GAP = 64 << 10;
/**
 * What a request asks for at least, in bytes, if there is so much. No more, so that of the inner pages of a b-tree, which
 * lie far apart and are asked for again and again, there is room for a thousand.
 */
const LEAST = 4 << 10;
/** What a request asks for when a file is read onwards, in bytes: a longer one would take less time a byte by little. */
const MOST = 1 << 20;
/** By how much requests grow from one to the other while a file is read onwards. */
const GROWTH = 4;
/** What is asked for at once of all files that are read onwards together, in bytes. */
const READ_AHEAD = 6 << 20;
/** Room for that and for pages here and there, such as the inner ones of a b-tree, in bytes. */
const KEPT = 16 << 20;
/** What will be read of a backup: most of its pages, some of them, or so few that none are read ahead. */
export type Reach = "most" | "some" | "few";

/** From how many requests for pages here and there in one MiB on the whole of it is read, to begin with. */
const SCATTERED = { most: 2, some: 16, few: Number.POSITIVE_INFINITY } as const;

interface Request {
  range: Range;
  /** What it reads on from. */
  after: CachedRange | undefined;
  frames: Frame[];
}

/**
 * Reads pages by few requests. It keeps 16 MiB of what it read, and up to six requests bring a MiB each.
 *
 * A b-tree whose keys came in no order lies in pages here and there. Where several of them come from the same MiB, the
 * whole of it is read for those that will, until it shows that they come too late: that it is no longer kept.
 */
export class FrameReader {
  readonly #reach: Reach;
  readonly #store: Store;
  readonly #chain: FramePlaces;
  /** What a request asks for at most, by file, in bytes. */
  readonly #shares: number[];
  readonly #kept = new FrameCache(KEPT);
  /** How many requests for pages here and there there were, by file and MiB. */
  readonly #scattered = new Map<number, number[]>();
  /** From how many on the whole MiB is read, by file. */
  readonly #limits: number[];

  constructor(store: Store, chain: FramePlaces, reach: Reach = "most") {
    this.#reach = reach;
    this.#store = store;
    this.#chain = chain;
    this.#limits = chain.files.map(() => SCATTERED[reach]);
    // Shares in proportion to the roots of the sizes make the requests for all of them together fewest.
    const roots = chain.files.map(({ size }) => Math.sqrt(size));
    const sum = roots.reduce((sum, root) => sum + root, 0);
    this.#shares = roots.map((root) => Math.min(MOST, Math.floor((READ_AHEAD * root) / sum)));
  }

  /**
   * Reads the pages in `frames`, which ascend, and gives each to `use`, in any order. Where frames lie is not asked
   * any more after this has returned its promise.
   */
  async read(
    frames: Frame[],
    use: (frame: Frame, page: Uint8Array) => void,
    signal?: AbortSignal,
  ): Promise<void> {
    const unpack = (frame: Frame, kept: CachedRange) => {
      const at = frame.offset - kept.start;
      kept.used += frame.length;
      use(frame, this.#chain.unpack(frame, kept.bytes.subarray(at, at + frame.length)));
    };
    const missing: Frame[] = [];
    for (const frame of frames) {
      const kept = this.#kept.holding(frame);
      if (kept) unpack(frame, kept);
      else missing.push(frame);
    }
    const requests = this.#plan(missing);
    const last = new Map(requests.map((request) => [request.range.file, request]));
    for (let at = 0; at < requests.length; at += CONNECTIONS) {
      const batch = requests.slice(at, at + CONNECTIONS).map(async (request) => {
        const { range, after, frames } = request;
        const { file, start, end } = range;
        const key = this.#chain.files[file]?.key ?? "";
        const bytes = await readRange(this.#store, key, start, end - start, signal);
        const kept = { ...range, bytes, used: 0 };
        for (const frame of frames) unpack(frame, kept);
        // Whoever reads onwards does not come back.
        if (after) this.#kept.drop(after);
        if (last.get(file) === request) this.#keep(kept);
      });
      await Promise.all(batch);
    }
  }

  #keep(kept: CachedRange): void {
    for (const { file, aim, used, bytes } of this.#kept.add(kept)) {
      // It was read for later pages, but few of them came while there was room for it.
      if (aim === this.#shares[file] && used < bytes.length / 4)
        this.#limits[file] = (this.#limits[file] ?? 0) * 2;
    }
  }

  #plan(missing: Frame[]): Request[] {
    const wanted = new Map<number, number>();
    for (const { file, length } of missing) wanted.set(file, (wanted.get(file) ?? 0) + length);
    const requests: Request[] = [];
    const last = new Map<number, Request>();
    for (const frame of missing) {
      const { file } = frame;
      const before = last.get(file);
      if (before && holds(before.range, frame)) {
        before.frames.push(frame);
        continue;
      }
      const after = before ? undefined : this.#kept.before(frame, LARGEST_GAP);
      const range = this.#extend(frame, wanted.get(file) ?? 0, before?.range ?? after);
      const request = { range, after, frames: [frame] };
      last.set(file, request);
      requests.push(request);
    }
    return requests;
  }

  /** From `first` on, as far as it is worth it: more each time when a file is read onwards, little when it is not. */
  #extend(first: Frame, wanted: number, before: Range | undefined): Range {
    const { file, offset: start, length } = first;
    const grown = before && leadsTo(before, first, LARGEST_GAP) ? before.aim * GROWTH : 0;
    const ahead = this.#reach === "few" ? 0 : Math.max(grown, this.#expect(first));
    const aim = Math.min(this.#shares[file] ?? 0, Math.max(LEAST, wanted, ahead));
    let end = start + length;
    let next = this.#chain.next(first);
    while (next && next.offset - end <= LARGEST_GAP && next.offset + next.length - start <= aim) {
      if (this.#kept.has(next, aim)) break;
      end = next.offset + next.length;
      next = this.#chain.next(next);
    }
    return { file, start, end, aim, next };
  }

  /** How much to read because of what else was wanted from around there, in bytes. */
  #expect({ file, offset }: Frame): number {
    const counts = this.#scattered.get(file) ?? [];
    this.#scattered.set(file, counts);
    const at = Math.floor(offset / MOST);
    counts[at] = (counts[at] ?? 0) + 1;
    if (counts[at] <= (this.#limits[file] ?? 0)) return 0;
    counts[at] = 0;
    return MOST;
  }
}
