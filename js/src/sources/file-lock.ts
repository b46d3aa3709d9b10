import { setTimeout as sleep } from "node:timers/promises";
import type { OpenDatabase } from "./file-database.ts";
import { changed } from "./file-errors.ts";
import type { Hold } from "./file-moment.ts";
import type { Reader } from "./file-reader.ts";
import { resultCode } from "./file-sqlite.ts";

/** How long writers have the database to themselves before it is locked again. */
const GAP_MS = 20;

/**
 * Holds a database in rollback mode by its SHARED lock: nobody commits while it is held. It is let go after `lockMs`,
 * so that writers do not wait for a slow backup. Whoever reads on takes it again, and finds out whether anything was
 * committed meanwhile: the moment is lost then.
 */
export class SharedLock implements Hold {
  readonly taken = "start";
  readonly #database: OpenDatabase;
  readonly #reader: Reader;
  readonly #lockMs: number;
  readonly #onLost: () => void;
  #version = "";
  #held = false;
  /** The time is up; whoever is reading reads to the end. */
  #due = false;
  #reading = 0;
  #timer: NodeJS.Timeout | undefined;
  #taking: Promise<void> | undefined;
  #letGo = Promise.withResolvers<void>();

  /** `reader` has begun its transaction. */
  constructor(database: OpenDatabase, reader: Reader, lockMs: number, onLost: () => void) {
    this.#database = database;
    this.#reader = reader;
    this.#lockMs = lockMs;
    this.#onLost = onLost;
    this.#version = database.version();
    this.#hold();
  }

  async during(read: () => Promise<void>, signal?: AbortSignal): Promise<void> {
    while (!this.#held || this.#due) {
      this.#taking ??= this.#takeAgain().finally(() => {
        this.#taking = undefined;
      });
      await this.#taking;
      signal?.throwIfAborted();
    }
    this.#reading++;
    try {
      await read();
    } finally {
      this.#reading--;
      if (this.#due && this.#reading === 0) this.#release();
    }
  }

  async release(): Promise<void> {
    await this.#taking?.catch(() => {});
    clearTimeout(this.#timer);
    const hasHeld = await this.#reader.close();
    this.#database.main.close();
    if (this.#held && !hasHeld) throw changed(this.#database.path);
  }

  #hold(): void {
    this.#held = true;
    this.#letGo = Promise.withResolvers();
    this.#timer = setTimeout(() => {
      if (this.#reading === 0) this.#release();
      else this.#due = true;
    }, this.#lockMs);
    // A moment that was forgotten does not keep the process from ending.
    this.#timer.unref();
  }

  #release(): void {
    this.#due = false;
    this.#held = false;
    this.#reader.end();
    this.#letGo.resolve();
  }

  async #takeAgain(): Promise<void> {
    await this.#letGo.promise;
    // Writers that wait for the lock have announced themselves, and get it before us. Others get a chance.
    await sleep(GAP_MS);
    try {
      await this.#reader.begin();
      if (this.#database.isAsOpened() && this.#database.version() === this.#version) return this.#hold();
    } catch (error) {
      // Somebody was killed in the middle of a commit, say.
      if (resultCode(error) === undefined) throw error;
    }
    this.#reader.end();
    this.#onLost();
    throw changed(this.#database.path);
  }
}
