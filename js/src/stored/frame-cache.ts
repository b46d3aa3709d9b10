import type { Frame } from "./chain-index.ts";

/** Bytes of one file that are read by one request. */
export interface Range {
  file: number;
  start: number;
  end: number;
  /** Bytes that the request was meant to have; it has fewer where a gap or the file's end comes first. */
  aim: number;
  /** The frame that follows, for a reader that goes on. */
  next: Frame | undefined;
}

export interface CachedRange extends Range {
  bytes: Uint8Array;
  /** How many of them were used so far. */
  used: number;
}

/** Few enough that one is found fast. */
const MOST_RANGES = 1024;

/** Ranges that were read, each until others need its room: the least recently used goes first. */
export class FrameCache {
  readonly #capacity: number;
  #size = 0;
  /** In the order in which they were last used. */
  readonly #ranges = new Set<CachedRange>();
  readonly #byFile = new Map<number, CachedRange[]>();

  /** Keeps `capacity` bytes at most. */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** The range that holds a frame. */
  holding(frame: Frame): CachedRange | undefined {
    const kept = this.#byFile.get(frame.file)?.find((kept) => holds(kept, frame));
    if (kept) {
      this.#ranges.delete(kept);
      this.#ranges.add(kept);
    }
    return kept;
  }

  /** A range after which `frame` is read, leaving out at most `gap` bytes of what was expected next. */
  before(frame: Frame, gap: number): CachedRange | undefined {
    return this.#byFile.get(frame.file)?.find((kept) => leadsTo(kept, frame, gap));
  }

  /** Whether a range that was meant to have `aim` bytes holds a frame. */
  has(frame: Frame, aim: number): boolean {
    return this.#byFile.get(frame.file)?.some((kept) => kept.aim === aim && holds(kept, frame)) ?? false;
  }

  /** Adds a range; gives those that had to make room. */
  add(kept: CachedRange): CachedRange[] {
    const dropped: CachedRange[] = [];
    this.#ranges.add(kept);
    this.#byFile.set(kept.file, [...(this.#byFile.get(kept.file) ?? []), kept]);
    this.#size += kept.bytes.length;
    for (const oldest of this.#ranges) {
      if (this.#size <= this.#capacity && this.#ranges.size <= MOST_RANGES) break;
      this.drop(oldest);
      dropped.push(oldest);
    }
    return dropped;
  }

  drop(kept: CachedRange): void {
    if (!this.#ranges.delete(kept)) return;
    this.#size -= kept.bytes.length;
    const others = this.#byFile.get(kept.file)?.filter((other) => other !== kept) ?? [];
    this.#byFile.set(kept.file, others);
  }
}

export function holds({ start, end }: Range, { offset, length }: Frame): boolean {
  return offset >= start && offset + length <= end;
}

export function leadsTo({ next }: Range, { offset }: Frame, gap: number): boolean {
  return next !== undefined && offset >= next.offset && offset - next.offset <= gap;
}
