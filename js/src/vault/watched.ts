// One database that is watched: its states are stored as they are committed, between backups that prove them.
import { Backups } from "../backups/backups.ts";
import type { PruneOptions } from "../backups/prune.ts";
import { finishRemovals } from "../backups/removal.ts";
import { Folder, planRestore } from "../catalog/folder.ts";
import { type Core, core } from "../core/index.ts";
import { ConflictError, ObjectExistsError } from "../errors/index.ts";
import type { NewBackup } from "../run/made.ts";
import type { Follower, PageSource, WalFrames } from "../sources/source.ts";
import { PreviousStates } from "../stored/page-states.ts";
import type { Store } from "../stores/store.ts";
import { collect } from "../streams/streams.ts";
import { mergeLevels } from "./levels.ts";

export interface WatchRules {
  /** How often a backup is made of a database that changes, in milliseconds; it shortens what a restore reads. */
  backupEveryMs: number;
  /** How often that is a full one. */
  fullEveryMs: number;
  /** For how long every state that was stored can be restored, and not only every backup. */
  keepStatesMs: number;
  /** Which backups are kept; nothing: all of them. */
  keep?: PruneOptions | undefined;
}

/** A state that was stored. */
export interface StoredState {
  txid: string;
  bookmark: string;
  /** When it was stored, in milliseconds since 1970. */
  atMs: number;
}

/** Why a database is looked at: before the end, or because somebody wants to be sure that all of it is stored. */
export interface Why {
  isLast?: boolean;
  isAsked?: boolean;
}

/** What was done, counted since the start. */
export interface Counts {
  states: number;
  backups: number;
  fulls: number;
  bytes: number;
  requests: number;
  errors: number;
}

/** A backup is made after so many states, too: a restore reads the files of all of them. */
const MOST_STATES = 128;
/** And after so many bytes of them. */
const MOST_BYTES = 64 << 20;
/** How often it is looked whether somebody else has made a backup, in milliseconds. */
const LOOK_EVERY_MS = 5000;
/** How often files are merged, and those deleted that are outdated, in milliseconds. */
const TIDY_EVERY_MS = 600_000;
/** Objects that are deleted at a time. */
const DELETIONS = 64;
/** Between two backups of what cannot be followed there is so many times as long as one of them takes. */
const REST = 20;
/** Or, where that is shorter, what reading it at this rate takes, in bytes a millisecond: on a busy machine a small database takes long, too. */
const REST_RATE = 20_000;
/** How often somebody else may be faster, one time after the other, until that is told. */
const MOST_RACES = 5;
/** Pages whose states are loaded at a time. */
const LOAD = 1 << 16;

type Tail = InstanceType<Core["Tail"]>;

export class WatchedDatabase {
  readonly name: string;
  readonly counts: Counts = { states: 0, backups: 0, fulls: 0, bytes: 0, requests: 0, errors: 0 };
  /** The last state that was stored. */
  last: StoredState | undefined;
  readonly #source: PageSource;
  readonly #store: Store;
  readonly #rules: WatchRules;
  readonly #backups: Backups;
  readonly #folder: string;
  #follower: Follower | undefined;
  #tail: Tail | undefined;
  #recordKey = "";
  /** The source's stamp at the last backup; `undefined` where something may have come that is not stored. */
  #stamp: string | undefined;
  #fullAtMs = 0;
  #backupAtMs = 0;
  #lookedAtMs = 0;
  #tidied = { atMs: 0, backups: 0 };
  #tidying: Promise<void> | undefined;
  /** What went wrong with it last. */
  #untidy: unknown;
  #states = 0;
  #bytes = 0;
  #hasBackedUp = false;
  /** Size of the database at its last backup, in bytes. */
  #size = 0;
  /** How long after a backup the next is made of what cannot be followed, in milliseconds. */
  #restMs = 0;

  static async open(
    source: PageSource,
    store: Store,
    name: string,
    rules: WatchRules,
  ): Promise<WatchedDatabase> {
    const { nameToSegment } = await core();
    const backups = await Backups.open(name, store);
    return new WatchedDatabase(source, store, name, rules, { backups, folder: nameToSegment(name) });
  }

  private constructor(
    source: PageSource,
    store: Store,
    name: string,
    rules: WatchRules,
    { backups, folder }: { backups: Backups; folder: string },
  ) {
    this.name = name;
    this.#source = source;
    this.#store = store;
    this.#rules = rules;
    this.#backups = backups;
    this.#folder = folder;
  }

  /** Whether commits are followed one by one, rather than found by comparing. */
  get isFollowed(): boolean {
    return this.#tail !== undefined;
  }

  /**
   * Stores what was committed since the last call; once it resolves, `last` is the newest state or one after it.
   *
   * @returns whether anything was stored
   */
  async sync(signal?: AbortSignal, why: Why = {}): Promise<boolean> {
    for (let races = 1; ; races++) {
      try {
        return await this.#sync(signal, why);
      } catch (error) {
        // Somebody else has stored a state or a backup at the same moment. A backup on top of that has all there is.
        if (!(error instanceof ConflictError) || races === MOST_RACES) throw error;
      }
    }
  }

  async #sync(signal: AbortSignal | undefined, { isLast = false, isAsked = false }: Why): Promise<boolean> {
    if (!this.#tail) return this.#backUpIfChanged(signal, isLast || isAsked);
    const before = this.counts.states;
    const polled = await this.#follower?.poll((frames) => this.#take(frames, signal));
    const now = Date.now();
    const isSure = isLast || isAsked;
    const isBehind = this.#states > 0 && now - this.#backupAtMs >= this.#rules.backupEveryMs;
    const isLong = this.#states >= MOST_STATES || this.#bytes >= MOST_BYTES;
    if (polled !== "idle" && polled !== "news") await this.#backUp("lost", signal);
    else if (!isLast && (isBehind || isLong)) await this.#backUp("due", signal);
    // A backup of somebody else may be of an older state than what was stored after it.
    else if (isSure || now - this.#lookedAtMs >= LOOK_EVERY_MS) await this.#look(signal);
    if (isLast) await this.#tidying;
    else this.#tidyBeside(signal);
    const untidy = this.#untidy;
    this.#untidy = undefined;
    if (untidy !== undefined) throw untidy;
    return this.counts.states > before || polled === "lost";
  }

  /** Lets go of the database. Whether all of it is stored is not known any more. */
  async close(): Promise<void> {
    this.#stamp = undefined;
    this.#tail?.free();
    this.#tail = undefined;
    const follower = this.#follower;
    this.#follower = undefined;
    await follower?.close();
  }

  /** Where nothing can be followed: a backup whenever the source has changed. */
  async #backUpIfChanged(signal: AbortSignal | undefined, isAsked: boolean): Promise<boolean> {
    const stamp = this.#source.stamp?.();
    if (this.#hasBackedUp && (stamp === undefined || stamp === this.#stamp)) return false;
    this.#follower ??= await this.#source.follow?.();
    // To find what has changed takes reading all of it: little where that is little.
    const isRested = Date.now() - this.#backupAtMs >= this.#restMs;
    const isLost = this.#stamp === undefined;
    if (this.#hasBackedUp && !this.#follower && !isRested && !isAsked && !isLost) return false;
    await this.#backUp("lost", signal);
    return true;
  }

  /** Makes a backup, and follows the commits from there on; `due`: those are being followed, and go on to be. */
  async #backUp(why: "lost" | "due", signal: AbortSignal | undefined): Promise<void> {
    if (why === "lost" && this.#tail) await this.close();
    // Before the backup: what is committed from then on is not lost.
    this.#follower ??= await this.#source.follow?.();
    const began = Date.now();
    this.#stamp = this.#source.stamp?.();
    try {
      const full = this.#fullAtMs > 0 && began - this.#fullAtMs >= this.#rules.fullEveryMs;
      if (this.last) this.#backups.reach(this.last.txid);
      const options = { full, signal, automatic: true, watching: true, sameDatabase: this.#hasBackedUp };
      const backup = await this.#backups.create(this.#source, options);
      this.#note(backup, began);
      if (why === "lost") await this.#begin(backup, signal);
      this.last = { txid: backup.txid, bookmark: backup.bookmark, atMs: Date.now() };
      if (this.#tail) this.#recordKey = this.#tail.recordKey(backup.txid);
    } catch (error) {
      await this.close();
      throw error;
    }
    const tookMs = Date.now() - began;
    this.#restMs = Math.max(tookMs, Math.min(REST * tookMs, this.#size / REST_RATE));
  }

  #note(backup: NewBackup, began: number): void {
    if (backup.kind === "full") {
      this.#fullAtMs = began;
      this.counts.fulls++;
    }
    // Nothing is known of one made by an earlier process but that it is older.
    if (this.#fullAtMs === 0) this.#fullAtMs = began;
    this.#backupAtMs = this.#lookedAtMs = began;
    [this.#states, this.#bytes] = [0, 0];
    this.#hasBackedUp = true;
    this.#size = backup.size;
    this.counts.backups++;
    this.counts.requests += 4;
    this.counts.bytes += backup.storedSize;
  }

  /** Begins to follow the commits after a backup. */
  async #begin(backup: NewBackup, signal: AbortSignal | undefined): Promise<void> {
    if (!this.#follower) return;
    const { Tail } = await core();
    const plan = await planRestore(this.#store, this.#folder, backup.txid, { signal });
    if (!plan.backup) return;
    const tail = new Tail(this.#folder, this.#store.layout, backup.pageSize, backup.bookmark);
    const states = await PreviousStates.open(this.#store, plan.backup, signal);
    try {
      for (let done = 0; done < backup.pageCount; done += LOAD) {
        tail.load(await states.next(Math.min(LOAD, backup.pageCount - done)));
      }
      await states.finish();
    } finally {
      await states.close();
    }
    this.#tail = tail;
    this.#follower.begin(backup.mark);
  }

  /** Stores the state after the last commit among the frames. */
  async #take(
    { header, mark, bytes }: WalFrames,
    signal: AbortSignal | undefined,
  ): Promise<string | undefined> {
    const tail = this.#tail;
    if (!tail || !this.last) return undefined;
    const now = Date.now();
    const taken = tail.take(header, mark, bytes, this.last.txid, now);
    if (!taken) return undefined;
    const [key, file, next, bookmark, txid] = taken as [string, Uint8Array, string, string, string];
    const { length } = file;
    try {
      await this.#put(key, file, now, signal);
    } catch (error) {
      // What the tail knows is past what is stored. A backup finds out.
      await this.close();
      throw error;
    }
    this.last = { txid, bookmark, atMs: Date.now() };
    this.#states++;
    this.#bytes += length;
    this.counts.states++;
    this.counts.bytes += length;
    return next;
  }

  async #put(key: string, file: Uint8Array, now: number, signal: AbortSignal | undefined): Promise<void> {
    this.counts.requests++;
    try {
      await this.#store.put(key, file, { modified: new Date(now), ownsChunks: true, signal });
    } catch (error) {
      if (!(error instanceof ObjectExistsError)) throw error;
      // The answer to a put may have been lost; or somebody else watches the database, too.
      const there = await collect(await this.#store.get(key, { signal }), file.length + 1);
      const isSame = there.length === file.length && there.every((byte, at) => byte === file[at]);
      if (!isSame) throw new ConflictError(this.name);
    }
  }

  /** Goes on from a backup that somebody else has made meanwhile. */
  async #look(signal: AbortSignal | undefined): Promise<void> {
    this.#lookedAtMs = Date.now();
    this.counts.requests++;
    if (await this.#store.head(this.#recordKey, { signal })) await this.#backUp("lost", signal);
  }

  /** Tidies while states go on to be stored, which must not wait for it. What goes wrong is told by a look after it. */
  #tidyBeside(signal: AbortSignal | undefined): void {
    const now = Date.now();
    const isDue = now - this.#tidied.atMs >= Math.min(TIDY_EVERY_MS, this.#rules.keepStatesMs);
    // Without a backup since, there is nothing to do.
    if (!isDue || this.#tidying || this.#tidied.backups === this.counts.backups) return;
    this.#tidied = { atMs: now, backups: this.counts.backups };
    this.counts.requests += 3;
    this.#tidying = this.#tidy(now, signal)
      .catch((error) => {
        this.#untidy = error;
      })
      .finally(() => {
        this.#tidying = undefined;
      });
  }

  /** Merges incrementals, and deletes what the rules do not keep. */
  async #tidy(now: number, signal: AbortSignal | undefined): Promise<void> {
    const { keep, keepStatesMs } = this.#rules;
    const place = { store: this.#store, folder: this.#folder };
    if (keep) await this.#backups.prune({ keepManual: true, ...keep, ...(signal && { signal }) });
    else await finishRemovals(place, signal);
    const folder = await Folder.load(this.#store, this.#folder, { signal });
    const [merges, outdated] = await folder.use(() => [folder.merges(), folder.outdated(now - keepStatesMs)]);
    const keys = outdated.values();
    const lane = async () => {
      for (const key of keys) await this.#store.delete(key, { signal });
    };
    await Promise.all(Array.from({ length: DELETIONS }, lane));
    const { bytes, requests } = await mergeLevels(this.#store, merges, signal);
    this.counts.bytes += bytes;
    this.counts.requests += outdated.length + requests;
  }
}
