import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";
import type { OpenDatabase, Reader } from "./file-database.ts";
import { changed } from "./file-errors.ts";
import type { Hold, Pages } from "./file-moment.ts";
import type { Originals } from "./file-originals.ts";
import { resultCode } from "./file-sqlite.ts";

/** How often to look whether a writer has come. */
const LOOK_MS = 2;
/**
 * How long the lock is held when writers come, so that the backup gets on. SQLite's busy handler tries again 18 ms after a writer
 * came, and not before if it came more than 8 ms ago (`sqliteDefaultBusyCallback`).
 */
const LEAST_MS = 15;
/** How long writers have the database to themselves where none may be missed, in this process say, that cannot wait. */
const GAP_MS = 20;
/** How long to look for journals before other work has its turn, in which whole transactions might pass. */
const WATCH_MS = 10;
/** Who never sleeps is kept waiting by the scheduler when somebody else wakes, for longer than a transaction takes. */
const NAP_MS = 0.05;
const NOBODY_WAKES_IT = new Int32Array(new SharedArrayBuffer(4));
/**
 * How many times as long as the longest nap the lock is held after it. Where others want the processor as well, a nap can
 * take as long as a transaction, which is missed then: so the lock is let go less often.
 */
const PER_NAP = 20;
/** Few transactions take longer than this; then others want the processor, too. */
const SLOW_MS = 200;

export interface LockOptions {
  database: OpenDatabase;
  /** Those of the database in the transaction that `reader` has begun. */
  pages: Pages;
  reader: Reader;
  /** Missing where journals cannot be followed. */
  originals: Originals | undefined;
  /** How long to hold the lock at a stretch at most, in milliseconds: not everything tells whether a writer has come. */
  lockMs: number;
  onLost: () => void;
}

/**
 * Holds a database in rollback mode by its SHARED lock: nobody commits while it is held. When a writer has come it is
 * let go, so that the transaction can be committed, and taken again. What the transaction replaced is in its journal:
 * those pages are read from there. The moment is lost when a commit was missed, or had no journal that can be followed.
 */
export class SharedLock implements Hold {
  readonly taken = "start";
  readonly #database: OpenDatabase;
  readonly #pages: Pages;
  readonly #reader: Reader;
  readonly #lockMs: number;
  readonly #onLost: () => void;
  readonly #originals: Originals | undefined;
  readonly #stop = new AbortController();
  #version: string;
  #counter: number;
  /** The same, but no less than they had the database to themselves. */
  #leastMs = LEAST_MS;
  #lookUntil = 0;
  #longestNapMs = 0;
  #reading = 0;
  #watch: NodeJS.Timeout | undefined;
  /** Under way while the lock is about to be let go, or is not there. */
  #gap: Promise<void> | undefined;
  #nobodyReads = Promise.withResolvers<void>();

  constructor({ database, pages, reader, originals, lockMs, onLost }: LockOptions) {
    this.#database = database;
    this.#pages = pages;
    this.#reader = reader;
    this.#originals = originals;
    this.#lockMs = lockMs;
    this.#onLost = onLost;
    this.#version = database.version();
    this.#counter = database.changeCounter;
    this.#hold();
  }

  async during(read: () => Promise<void>, signal?: AbortSignal): Promise<void> {
    while (this.#gap !== undefined) {
      await this.#gap;
      signal?.throwIfAborted();
    }
    this.#reading++;
    try {
      await read();
    } finally {
      if (--this.#reading === 0) this.#nobodyReads.resolve();
    }
  }

  async release(): Promise<void> {
    this.#stop.abort();
    clearInterval(this.#watch);
    const held = this.#gap === undefined;
    await this.#gap?.catch(() => {});
    const hasHeld = await this.#reader.close();
    this.#database.main.close();
    await this.#originals?.close();
    if (held && !hasHeld) throw changed(this.#database.path);
  }

  #hold(): void {
    const began = performance.now();
    this.#watch = setInterval(() => {
      const heldMs = performance.now() - began;
      const isWanted = heldMs >= this.#leastMs && this.#originals?.areComing;
      if (isWanted || heldMs > this.#lockMs) this.#letThrough();
    }, LOOK_MS);
    // A moment that was forgotten does not keep the process from ending.
    this.#watch.unref();
  }

  #letThrough(): void {
    clearInterval(this.#watch);
    this.#gap = this.#takeAgain();
    // Whoever reads next hears of it.
    this.#gap.catch(() => {});
  }

  async #takeAgain(): Promise<void> {
    // Who is reading reads to the end.
    this.#nobodyReads = Promise.withResolvers();
    if (this.#reading > 0) await this.#nobodyReads.promise;
    // And does what it has to do with that now, rather than when there are journals to look at.
    await turn();
    const began = performance.now();
    const originals = this.#originals;
    try {
      await originals?.prepare();
      originals?.look();
      this.#reader.end();
      if (!originals) await sleep(GAP_MS);
      this.#lookUntil = performance.now() + WATCH_MS;
      this.#longestNapMs = 0;
      // A writer that waits for the lock has announced itself, and gets it before us.
      await this.#reader.begin(this.#stop.signal, originals && (() => this.#lookOn(originals, began)));
      if (await this.#isAsBefore()) {
        this.#leastMs = Math.max(LEAST_MS, performance.now() - began, PER_NAP * this.#longestNapMs);
        this.#gap = undefined;
        return this.#hold();
      }
    } catch (error) {
      // Somebody was killed in the middle of a commit, say.
      if (resultCode(error) === undefined) throw error;
    }
    this.#reader.end();
    this.#onLost();
    throw changed(this.#database.path);
  }

  /** Until there is no journal. */
  async #lookOn(originals: Originals, began: number): Promise<void> {
    // Of who is in the way.
    originals.look();
    do {
      const now = performance.now();
      if (now < this.#lookUntil) {
        Atomics.wait(NOBODY_WAKES_IT, 0, 0, NAP_MS);
        this.#longestNapMs = Math.max(this.#longestNapMs, performance.now() - now);
      } else {
        await (now - began < SLOW_MS ? turn() : sleep(1));
        this.#lookUntil = performance.now() + WATCH_MS;
      }
    } while (originals.look());
  }

  /** Whether the pages of the moment are still there, in the database or among the originals. */
  async #isAsBefore(): Promise<boolean> {
    if (!this.#database.isAsOpened()) return false;
    const [version, counter] = [this.#database.version(), this.#database.changeCounter];
    if (!this.#originals) return version === this.#version;
    if (!(await this.#originals.take(this.#database, this.#counter, counter))) return false;
    this.#counter = counter;
    this.#pages.mainPages = Math.min(this.#pages.pageCount, this.#database.wholePages);
    return true;
  }
}
