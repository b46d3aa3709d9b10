import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";
import type { OpenDatabase, Reader } from "./database.ts";
import { changed } from "./errors.ts";
import type { Hold, Pages } from "./moment.ts";
import type { Originals } from "./originals.ts";
import { resultCode } from "./sqlite.ts";

/** Time between two looks for a writer, in milliseconds. */
const LOOK_MS = 2;
/**
 * Time that the lock is held at least while writers wait, so that the backup makes progress. SQLite's busy handler tries again 18 ms
 * after a writer came, and if more than 8 ms have passed not before (`sqliteDefaultBusyCallback`).
 */
const LEAST_MS = 15;
/** Time that writers get when their journals are not followed: a writer in this process, for example, cannot wait. */
const GAP_MS = 20;
/** Time to look for journals before other work has its turn; whole transactions might pass meanwhile. */
const WATCH_MS = 10;
/** A nap while looking. The scheduler suspends a thread that never sleeps for longer than a transaction takes. */
const NAP_MS = 0.05;
const NOBODY_WAKES_IT = new Int32Array(new SharedArrayBuffer(4));
/**
 * After a nap the lock is held this many times as long as the longest nap. On a busy machine a nap can take as long as a
 * transaction, which is then missed: so the lock is let go less often.
 */
const PER_NAP = 20;
/** A transaction that takes longer gets the processor, too; few do. */
const SLOW_MS = 200;

export interface LockOptions {
  database: OpenDatabase;
  /** Pages of the database in the transaction that `reader` has begun. */
  pages: Pages;
  reader: Reader;
  /** Missing where journals cannot be followed. */
  originals: Originals | undefined;
  /** Longest time to hold the lock at a stretch, in milliseconds: not every writer is noticed. */
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
  /** {@link LEAST_MS}, or the time that writers last had the database, whichever is longer. */
  #leastMs = LEAST_MS;
  #lookUntil = 0;
  #longestNapMs = 0;
  #reading = 0;
  #watch: NodeJS.Timeout | undefined;
  /** Pending from when the lock is about to be let go until it is held again. */
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
    // The next read reports a failure.
    this.#gap.catch(() => {});
  }

  async #takeAgain(): Promise<void> {
    // Reads under way are completed first.
    this.#nobodyReads = Promise.withResolvers();
    if (this.#reading > 0) await this.#nobodyReads.promise;
    // Their callers continue now, not when there are journals to look at.
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
      // A writer may have been killed in the middle of a commit.
      if (resultCode(error) === undefined) throw error;
    }
    this.#reader.end();
    this.#onLost();
    throw changed(this.#database.path);
  }

  /** Looks at journals until there are none. */
  async #lookOn(originals: Originals, began: number): Promise<void> {
    // A journal of the transaction that is in the way.
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
