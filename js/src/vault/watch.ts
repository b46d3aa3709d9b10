// Continuous backup of databases: what is committed is in the store within the interval.
import type { Database } from "../backups/database.ts";
import type { PruneOptions } from "../backups/prune.ts";
import { checkHas, checkList, checkOptions, PagemarkError } from "../errors/index.ts";
import { pause } from "../streams/progress.ts";
import { type Counts, type StoredState, WatchedDatabase, type WatchRules, type Why } from "./watched.ts";

/** How often a database that is watched is backed up, and what happens meanwhile. */
export interface WatchOptions {
  /** How often it is looked for commits, in milliseconds; 1,000 unless given. */
  everyMs?: number;
  /** How often a backup is made of a database that changes, in milliseconds; 5 minutes unless given. */
  backupEveryMs?: number;
  /** How often that is a full one; a day unless given. */
  fullEveryMs?: number;
  /** For how long every state that was stored can be restored, and not only every backup; an hour unless given. */
  keepStatesMs?: number;
  /** Which backups are kept: those of the last day, and the newest of each of seven days, unless given. */
  keep?: PruneOptions;
  /** Ends the watching: what was committed until then is stored first. */
  signal?: AbortSignal;
  onEvent?: (event: WatchEvent) => void;
}

/** What a watch tells: a backup that was made, or a failure. */
export type WatchEvent =
  /** The database is watched from now on. */
  | { kind: "started"; name: string; state: StoredState }
  /** A state was stored. */
  | { kind: "stored"; name: string; state: StoredState }
  /** It did not work; it is tried again in `retryMs`. */
  | { kind: "failed"; name: string; error: unknown; retryMs: number }
  /** The database is gone; its backups stay, and it is looked for. */
  | { kind: "missing"; name: string };

/** How a watch stands. */
export interface WatchStatus extends Counts {
  name: string;
  /** `comparing`: commits cannot be followed (no WAL), so the database is backed up when it has changed. */
  state: "starting" | "following" | "comparing" | "failing" | "missing";
  /** The newest state that is stored; missing until there is one. */
  stored?: StoredState;
  /** When the database was last seen to be as it is stored, in milliseconds since 1970. */
  checkedAtMs?: number;
  error?: { code: string; message: string };
}

const MINUTE_MS = 60_000;
const DAY_MS = 1440 * MINUTE_MS;
const MOST_RETRY_MS = 30_000;
/** Databases that are looked at side by side. */
const AT_ONCE = 4;

/** Watches databases until it is told to stop. */
export class Watcher {
  /** Settles once the watching has ended, after the last states were stored. Rejects when one of them could not be. */
  readonly done: Promise<void>;
  readonly #watched = new Map<string, Watched>();
  readonly #options: WatchOptions;
  readonly #everyMs: number;
  readonly #rules: WatchRules;
  readonly #turns = new Turns(AT_ONCE);
  #isOver = false;

  constructor(databases: readonly Database[], options: WatchOptions = {}) {
    checkList(databases, "the databases");
    this.#options = checkOptions(options);
    this.#everyMs = options.everyMs ?? 1000;
    if (!(this.#everyMs >= 10)) throw new PagemarkError("USAGE", "everyMs must be 10 or more");
    const { backupEveryMs = 5 * MINUTE_MS, fullEveryMs = DAY_MS, keepStatesMs = 60 * MINUTE_MS } = options;
    const { keep = { keepWithinMs: DAY_MS, keepDaily: 7 } } = options;
    this.#rules = { backupEveryMs, fullEveryMs, keepStatesMs, keep };
    for (const database of databases) this.add(database);
    this.done = this.#run(options.signal);
  }

  /** Watches another database, too. Does nothing when one of that name is watched. */
  add(database: Database): void {
    checkHas("pin", database?.source, "each database", "what pagemark() gives");
    const { name, source } = database;
    if (typeof source.stamp !== "function") {
      throw new PagemarkError("USAGE", `${name} cannot be watched: it must be a database file`);
    }
    if (!this.#watched.has(name)) this.#watched.set(name, new Watched(database, this.#rules));
  }

  /**
   * Stores what was committed until now, of one database or of all, and returns what is stored then.
   *
   * @throws what keeps it from being stored
   */
  async sync(name?: string): Promise<Record<string, StoredState | undefined>> {
    const found = name === undefined ? [...this.#watched.values()] : [this.#watched.get(name)];
    const states: Record<string, StoredState | undefined> = {};
    for (const each of found) {
      if (!each) throw new PagemarkError("BACKUP_NONE", `${name}: no database of that name is watched`);
      states[each.name] = await this.#turn(each, { isAsked: true });
      if (each.error !== undefined) throw each.error;
    }
    return states;
  }

  status(): WatchStatus[] {
    return [...this.#watched.values()].map((each) => each.status());
  }

  async #run(signal: AbortSignal | undefined): Promise<void> {
    while (!signal?.aborted) {
      const began = Date.now();
      const due = [...this.#watched.values()].filter((each) => !each.isBusy && each.notBeforeMs <= began);
      await Promise.race([
        Promise.all(due.map((each) => this.#turn(each, {}))),
        // One that takes long does not keep the others waiting.
        pause(this.#everyMs, signal),
      ]);
      await pause(Math.max(1, began + this.#everyMs - Date.now()), signal);
    }
    const all = [...this.#watched.values()];
    await Promise.all(all.map((each) => this.#turn(each, { isLast: true })));
    this.#isOver = true;
    await Promise.all(all.map((each) => each.close()));
    const failed = all.find((each) => each.error !== undefined);
    if (failed) throw failed.error;
  }

  /** Stores what is new, after what is under way; whatever goes wrong is told and tried again. */
  #turn(each: Watched, why: Why): Promise<StoredState | undefined> {
    return each.inTurn(() =>
      this.#turns.take(async () => {
        if (this.#isOver) return each.stored;
        const event = await each.look(why, this.#everyMs);
        if (event) this.#options.onEvent?.(event);
        return each.stored;
      }),
    );
  }
}

/** A database that is watched, and how that goes. */
class Watched {
  readonly name: string;
  error: unknown;
  notBeforeMs = 0;
  readonly #database: Database;
  readonly #rules: WatchRules;
  #opened: WatchedDatabase | undefined;
  #isMissing = false;
  #checkedAtMs: number | undefined;
  #failures = 0;
  #errors = 0;
  #turn: Promise<unknown> = Promise.resolve();
  #underWay = 0;

  constructor(database: Database, rules: WatchRules) {
    this.name = database.name;
    this.#database = database;
    this.#rules = rules;
  }

  get isBusy(): boolean {
    return this.#underWay > 0;
  }

  get stored(): StoredState | undefined {
    return this.#opened?.last;
  }

  inTurn<T>(work: () => Promise<T>): Promise<T> {
    this.#underWay++;
    const turn = this.#turn.then(work).finally(() => this.#underWay--);
    this.#turn = turn.catch(() => {});
    return turn;
  }

  async look(why: Why, everyMs: number): Promise<WatchEvent | undefined> {
    const { source, store, name } = this.#database;
    try {
      if (source.stamp?.() === undefined) return this.#missing();
      const isBack = this.#isMissing;
      this.#isMissing = false;
      this.#opened ??= await WatchedDatabase.open(source, store, name, this.#rules);
      const isFirst = this.#opened.last === undefined;
      const began = Date.now();
      const isNew = await this.#opened.sync(undefined, why);
      this.#checkedAtMs = began;
      [this.error, this.#failures, this.notBeforeMs] = [undefined, 0, 0];
      const state = this.#opened.last;
      if (!state || !(isNew || isFirst || isBack)) return undefined;
      return { kind: isFirst || isBack ? "started" : "stored", name, state };
    } catch (error) {
      // It was there a moment ago.
      if ((error as { code?: string }).code === "SOURCE_MISSING") return this.#missing();
      this.error = error;
      this.#errors++;
      const retryMs = Math.min(MOST_RETRY_MS, everyMs * 2 ** this.#failures++);
      this.notBeforeMs = Date.now() + retryMs;
      return { kind: "failed", name, error, retryMs };
    }
  }

  status(): WatchStatus {
    const counts = this.#opened?.counts ?? {
      states: 0,
      backups: 0,
      fulls: 0,
      bytes: 0,
      requests: 0,
      errors: 0,
    };
    const { code = "INTERNAL", message = String(this.error) } = (this.error ?? {}) as {
      code?: string;
      message?: string;
    };
    const going = this.#opened?.isFollowed ? "following" : "comparing";
    const known = this.stored === undefined ? "starting" : going;
    return {
      ...counts,
      errors: this.#errors,
      name: this.name,
      state: this.#isMissing ? "missing" : this.error === undefined ? known : "failing",
      ...(this.stored && { stored: this.stored }),
      ...(this.#checkedAtMs !== undefined && { checkedAtMs: this.#checkedAtMs }),
      ...(this.error !== undefined && { error: { code, message } }),
    };
  }

  async close(): Promise<void> {
    await this.#opened?.close();
  }

  async #missing(): Promise<WatchEvent | undefined> {
    const wasThere = !this.#isMissing;
    this.#isMissing = true;
    this.error = undefined;
    await this.#opened?.close();
    return wasThere ? { kind: "missing", name: this.name } : undefined;
  }
}

/** Lets so many at a time work. */
class Turns {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(most: number) {
    this.#free = most;
  }

  async take<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free === 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#free--;
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free++;
    }
  }
}

/**
 * Watches databases: what is committed is in the store within the interval.
 *
 * @example
 * ```ts
 * import { file, folder, pagemark, watch } from "pagemark";
 * const stopping = new AbortController();
 * const db = pagemark(file("app.db"), { store: folder("./backups") });
 * const watcher = watch([db], { signal: stopping.signal });
 * await watcher.done;
 * ```
 */
export function watch(databases: readonly Database[], options?: WatchOptions): Watcher {
  return new Watcher(databases, options);
}
