import { type Backup, Folder, type Planning, planRestore, type RestorePlan } from "../catalog/folder.ts";
import { StoreScratch } from "../catalog/scratch.ts";
import { core, naming } from "../core/index.ts";
import { dumpMoment } from "../dump/dump.ts";
import type { DumpOptions } from "../dump/options.ts";
import { checkGiven, checkHas, checkOptions, PagemarkError, wrongType } from "../errors/index.ts";
import { momentStream } from "../moments/moment-stream.ts";
import { readerOf } from "../moments/page-runs.ts";
import { snapshotFile } from "../moments/snapshot-file.ts";
import { readTables, type Table } from "../moments/tables.ts";
import { momentOfTables } from "../moments/tables-moment.ts";
import { backUp, type WatchingOptions } from "../run/backup.ts";
import type { NewBackup } from "../run/made.ts";
import { inOrder, type PartialBackup, partialBackups, partialName } from "../run/partial.ts";
import { BackupMemory } from "../run/subject.ts";
import type { Moment, PageSource, Scratch } from "../sources/source.ts";
import { type Compared, findDifferences } from "../stored/page-proof.ts";
import { isLostFingerprint, PreviousStates } from "../stored/page-states.ts";
import { openProvedMoment, type ProvedOptions } from "../stored/proved-moment.ts";
import { restoreStream } from "../stored/restore.ts";
import type { Store } from "../stores/store.ts";
import type { JobOptions, Warned } from "../streams/progress.ts";
import { type DownloadOptions, warningOfDamage } from "./damaged-tables.ts";
import { type Difference, differenceOf, differenceSince } from "./diff.ts";
import { differenceSql, textStream } from "./diff-sql.ts";
import { type CompareOptions, comparePages, type Preview } from "./preview.ts";
import { type Pruned, type PruneOptions, prune } from "./prune.ts";
import { removeBackups } from "./removal.ts";
import { noteVerified, type VerifiedAt, verifiedIn } from "./verified.ts";
import { type Verification, type VerifyOptions, verify } from "./verify.ts";

/** A moment: a backup's id (or the first eight digits or more of it), a bookmark, a TXID, a time, or an age such as `-1h`. */
export type At = string | Date;

/** One backup, with what it is made of and what it holds. */
export interface Shown {
  backup: Backup;
  /** The backups it is made of, oldest first; the last is itself. */
  chain: Backup[];
  tables: Table[];
}

/** A database as it was, as a SQLite file. */
export interface Downloaded {
  body: ReadableStream<Uint8Array>;
  backup?: Backup;
  /** What else was found. */
  note?: string;
}

/** The backups of one database. */
export class Backups {
  readonly name: string;
  readonly store: Store;
  /** Where in the store they are. */
  readonly folder: string;
  readonly #memory = new BackupMemory();

  /** @throws PagemarkError `NAME_INVALID` */
  static async open(name: string, store: Store): Promise<Backups> {
    const { nameToSegment } = await core();
    return naming(name, () => new Backups(name, store, nameToSegment(name)));
  }

  private constructor(name: string, store: Store, folder: string) {
    this.name = name;
    this.store = store;
    this.folder = folder;
  }

  /** Backs `source` up; `safety` when a restore is about to replace it. */
  create(source: PageSource, options?: WatchingOptions, safety = false): Promise<NewBackup> {
    const { name, store } = this;
    return backUp({ source, store, name, folder: this.folder, safety, memory: this.#memory }, options);
  }

  /** Says which state between backups was the last one that was stored here. */
  reach(txid: string): void {
    this.#memory.reach(txid);
  }

  /** Room in the store for a source that has to make its pages first. */
  scratch(): Scratch {
    return new StoreScratch(this.store, this.folder);
  }

  /** Every backup, newest first; one whose record is damaged is listed as such. */
  list(options?: { signal?: AbortSignal }): Promise<Backup[]> {
    return naming(this.name, async () => {
      const folder = await Folder.load(this.store, this.folder, { signal: options?.signal });
      return folder.use(() => folder.list().reverse());
    });
  }

  /** Every backup of some of its tables alone, newest first: see {@link partialBackups}. */
  partial(options?: { signal?: AbortSignal }): Promise<PartialBackup[]> {
    return partialBackups(this.name, this.store, options);
  }

  /** The backup that `at` means, the newest unless given. */
  find(at?: At, options?: { signal?: AbortSignal | undefined }): Promise<Backup> {
    return naming(this.name, async () => {
      const wanted = formatAt(at);
      const folder = await Folder.load(this.store, this.folder, { at: wanted, signal: options?.signal });
      return folder.use(() => folder.find(wanted));
    });
  }

  /** The state that a restore to `at` gives: a backup's, or one that `watch` stored after it; nothing of Litestream's. */
  state(at?: At, options: Planning = {}): Promise<Backup | undefined> {
    return naming(this.name, async () => {
      const plan = await planRestore(this.store, this.folder, formatAt(at), options);
      return plan.backup?.view;
    });
  }

  /**
   * The database as it was, as a SQLite file; `note` says what else was found. The stream ends without an error only if every object and the
   * database's checksum were right.
   */
  download(at?: At, options: DownloadOptions = {}): Promise<Downloaded> {
    const { tables } = checkOptions(options);
    if (tables) return this.#downloadTables(tables, at, options);
    return naming(this.name, async () => {
      const plan = await this.#plan(at, { signal: options.signal });
      const body = warningOfDamage(restoreStream(this.store, plan, options), this.store, plan, options);
      const { backup, note } = plan;
      return { body, ...(backup && { backup: backup.view }), ...(note && { note }) };
    });
  }

  /** Where the newest backup with some tables is that `at` may mean: among these, or those of the tables alone. */
  async holding(
    at: At | undefined,
    options: Pick<DownloadOptions, "tables" | "signal"> = {},
  ): Promise<Backups> {
    const { tables, signal } = checkOptions(options);
    if (!tables) return this;
    const newest = async (backups: Backups) => (await backups.find(at, { signal })).createdAt;
    try {
      const partial = await Backups.open(partialName(this.name, tables), this.store);
      const made = await newest(partial);
      return made > (await newest(this).catch(() => "")) ? partial : this;
    } catch (error) {
      // There is none, or none may have that name.
      if (error instanceof PagemarkError && !signal?.aborted) return this;
      throw error;
    }
  }

  /** Where the backup of an id is: among these, or those of some tables alone. @throws PagemarkError `BACKUP_UNKNOWN` */
  async having(
    id: string,
    options?: { signal?: AbortSignal | undefined },
  ): Promise<{ backups: Backups; backup: Backup }> {
    try {
      return { backups: this, backup: await this.find(id, options) };
    } catch (error) {
      const backup = (await this.partial()).find((each) => each.id.startsWith(id));
      if (!backup) throw error;
      return { backups: await Backups.open(partialName(this.name, backup.partial), this.store), backup };
    }
  }

  async #downloadTables(
    tables: readonly string[],
    at: At | undefined,
    options: DownloadOptions,
  ): Promise<Downloaded> {
    const { signal } = options;
    const whole = await this.pages(at, { signal });
    const moment = await momentOfTables(whole, this.name, inOrder(tables), signal);
    const { backup } = whole;
    return { body: momentStream(moment, options), ...(backup && { backup }) };
  }

  /** What is in a backup; reads only the pages that say so, and the fingerprints that prove them. */
  show(at?: At, options: Planning = {}): Promise<Shown> {
    return naming(this.name, async () => {
      const plan = await this.#plan(at, options);
      const { backup } = plan;
      if (!backup) {
        const message = "a folder that Litestream wrote has no records to show; restore or verify it";
        throw new PagemarkError("BACKUP_UNKNOWN", message);
      }
      const moment = await openProvedMoment(this.store, plan, { signal: options.signal, reach: "few" });
      try {
        const tables = await readTables(readerOf(moment, options.signal), backup.view.pageCount, false);
        return { backup: backup.view, chain: backup.chain, tables };
      } finally {
        await moment.release();
      }
    });
  }

  /** A backup as SQL, read from the store page by page: nothing is restored first. */
  dump(at?: At, options: DumpOptions = {}): Promise<ReadableStream<Uint8Array>> {
    return naming(this.name, async () => {
      checkOptions(options);
      const plan = await this.#plan(at, options);
      const moment = await openProvedMoment(this.store, plan, { signal: options.signal });
      return dumpMoment(moment, this.name, options);
    });
  }

  /** The pages of a backup, read from the store as they are asked for, and proved one by one. Release it at the end. */
  pages(at?: At, options: ProvedOptions & Warned = {}): Promise<Moment & { backup?: Backup }> {
    return naming(this.name, async () => {
      const plan = await this.#plan(at, checkOptions(options));
      const moment = await openProvedMoment(this.store, plan, options);
      return plan.backup ? Object.assign(moment, { backup: plan.backup.view }) : moment;
    });
  }

  /** A backup as one LTX file, whatever chain it is stored as. */
  async snapshot(at?: At, options?: { signal?: AbortSignal }): Promise<ReadableStream<Uint8Array>> {
    const { txid, createdAt } = await this.find(at, options);
    return snapshotFile(await this.pages(txid, options), txid, Date.parse(createdAt));
  }

  /**
   * The keys of all that belongs to these backups, to be deleted in that order; see {@link Folder.removal}.
   *
   * @throws PagemarkError `BACKUP_UNKNOWN`, `BACKUP_NEEDED`
   */
  removalKeys(ids: ReadonlySet<string>): Promise<string[]> {
    return naming(this.name, async () => {
      const folder = await Folder.load(this.store, this.folder);
      return folder.use(() => folder.removal(ids));
    });
  }

  /**
   * Deletes the backup that an id means, or the first eight digits or more of it, for good; also one of some tables alone.
   *
   * @throws PagemarkError `BACKUP_UNKNOWN`; `BACKUP_NEEDED` when another backup is made of it
   */
  async delete(id: string, options?: { signal?: AbortSignal | undefined }): Promise<Backup> {
    if (typeof id !== "string" || !/^[0-9a-f-]{8,36}$/.test(id)) {
      throw new PagemarkError(
        "USAGE",
        `to delete a backup takes its id, or the first eight digits of it, not ${id}`,
      );
    }
    const { backups, backup } = await this.having(id, options);
    await naming(this.name, () => removeBackups(backups.#place, new Set([backup.id]), options?.signal));
    return backup;
  }

  /** What a restore to `at` reads. Nothing of the database may be missing, where the store keeps account of that. */
  async #plan(at: At | undefined, options: Planning): Promise<RestorePlan> {
    await this.store.checkComplete?.(this.folder, { signal: options.signal });
    return planRestore(this.store, this.folder, formatAt(at), options);
  }

  /** Deletes the backups that no rule keeps; see {@link PruneOptions}. */
  prune(options: PruneOptions): Promise<Pruned> {
    return naming(this.name, () => prune(this.#place, checkGiven(options, "rules such as { keepLast }")));
  }

  get #place() {
    return { store: this.store, folder: this.folder };
  }

  /** Removes a backup that was just made and is not needed after all, unless another was made on top of it. */
  async takeBack({ id }: Backup): Promise<void> {
    try {
      for (const key of await this.removalKeys(new Set([id]))) await this.store.delete(key);
    } catch {
      // What cannot be deleted now is invisible once its record is gone, and is swept by the next backup.
    }
  }

  /**
   * The pages of `file` whose fingerprints are not those recorded with the backup, ascending: none in what a restore
   * gave. Nothing when no fingerprints were recorded, as by Litestream.
   */
  differences(file: Compared, at?: At, options: JobOptions = {}): Promise<number[] | undefined> {
    return naming(this.name, async () => {
      checkHas("read", file, "the file", "a Moment");
      const { signal } = checkOptions(options);
      const { backup } = await this.#plan(at, { signal });
      if (!backup || backup.fingerprints.length === 0) return undefined;
      const states = await PreviousStates.open(this.store, backup, signal);
      try {
        return await findDifferences(file, states, options);
      } finally {
        await states.close();
      }
    });
  }

  /** What a restore to `at` would do to the tables of `now`, the database as it is; of none, where there is none yet. */
  preview(now: Moment | undefined, at?: At, options: CompareOptions = {}): Promise<Preview> {
    return naming(this.name, async () => {
      if (now !== undefined) checkHas("read", now, "now", "a Moment");
      const { signal } = checkOptions(options);
      const plan = await this.#plan(at, options);
      const then = await openProvedMoment(this.store, plan, { signal });
      let states: PreviousStates | undefined;
      try {
        states = await this.#statesOf(plan, signal);
        const compared = await comparePages(now, then, states, options);
        return { ...(plan.backup && { backup: plan.backup.view }), ...compared };
      } finally {
        await states?.close();
        await then.release();
      }
    });
  }

  /**
   * What happened between the backups that `from` and `to` mean; `to` is the newest unless given. Only what differs is read.
   *
   * @throws PagemarkError `BACKUP_UNKNOWN`
   */
  async diff(from: At, to?: At, options: JobOptions & Warned = {}): Promise<Required<Difference>> {
    if (from === undefined) throw wrongType("text or a valid Date", from, "from");
    return naming(this.name, async () => {
      const { signal } = checkOptions(options);
      const ends = [formatAt(from), formatAt(to)];
      const folder = await Folder.load(this.store, this.folder, { at: ends, planned: true, signal });
      const plans = await folder.use(() => Promise.all(ends.map((at) => folder.plan(at, options))));
      const [earlier, later] = plans as [RestorePlan, RestorePlan];
      return differenceOf(this.store, earlier, later, options);
    });
  }

  /** What happened since the backup that `from` means to `now`, the database as it is. */
  async diffNow(now: Moment, from?: At, options: CompareOptions = {}): Promise<Difference> {
    const { backup, tables } = await this.preview(now, from, options);
    if (backup) return differenceSince(backup, { tables });
    throw new PagemarkError(
      "BACKUP_UNKNOWN",
      "a folder that Litestream wrote has no records by which two states could be told apart; restore it, and compare the files",
    );
  }

  /** {@link Backups.diff} or, with `now`, {@link Backups.diffNow} as SQL that turns the earlier state into the later. `now` is released. */
  diffSql(
    from?: At,
    to?: At,
    wanted: JobOptions & Warned & { now?: Moment | undefined } = {},
  ): Promise<ReadableStream<Uint8Array>> {
    return naming(this.name, async () => {
      const { now, ...options } = checkOptions(wanted);
      const { signal } = options;
      const { tables } = now
        ? await this.diffNow(now, from, options)
        : await this.diff(from as At, to, options);
      const before = await this.pages(from, { signal });
      const after = now ?? (await this.pages(to, { signal }));
      return textStream(differenceSql({ before, after, name: this.name }, tables, { signal }), async () => {
        await before.release();
        await after.release();
      });
    });
  }

  /** The fingerprints of a backup's pages; nothing where there are none, or no more. */
  async #statesOf({ backup }: RestorePlan, signal?: AbortSignal): Promise<PreviousStates | undefined> {
    if (!backup) return undefined;
    try {
      return await PreviousStates.open(this.store, backup, signal);
    } catch (error) {
      if (isLostFingerprint(error, backup)) return undefined;
      throw error;
    }
  }

  /** Notes down that backups were verified: all of them read, or a sample. @throws StoreError where nothing can be written */
  noteVerified(ids: readonly string[], how: keyof VerifiedAt): Promise<void> {
    return noteVerified(this.#place, ids, how, Date.now());
  }

  /** When backups were verified, by id. */
  verified(options?: { signal?: AbortSignal }): Promise<Map<string, VerifiedAt>> {
    return verifiedIn(this.store, this.folder, options?.signal);
  }

  /** Proves what is stored; see {@link Verification}. */
  verify(options: Omit<VerifyOptions, "at"> & { at?: At } = {}): Promise<Verification> {
    const { at, ...rest } = checkOptions(options);
    return naming(this.name, () =>
      verify(this.store, this.folder, at === undefined ? rest : { ...rest, at: formatAt(at) }),
    );
  }
}

/** A time as text: the core compares with the microseconds that records have. */
function formatAt(at: At | undefined): string {
  if (at instanceof Date && Number.isFinite(at.getTime())) return at.toISOString();
  if (at === undefined) return "";
  if (typeof at === "string" && at !== "") return at;
  // Whoever lost the moment that was meant shall not get the newest one for it.
  if (at === "") throw new PagemarkError("USAGE", "at is empty: leave it out for the newest backup");
  throw wrongType("text or a valid Date", at, "at");
}
