import { core, translateCoreError, translating } from "../core/index.ts";
import { PagemarkError } from "../errors/index.ts";
import type { Moment, PageSource } from "../sources/source.ts";
import type { Store } from "../stores/store.ts";
import { type BackupOptions, backUp, type NewBackup } from "./backup.ts";
import { type DownloadOptions, warningOfDamage } from "./damaged-tables.ts";
import { type Compared, findDifferences } from "./differences.ts";
import { type DumpOptions, dumpMoment } from "./dump.ts";
import { dumpSource } from "./dump-source.ts";
import { History, type Link, type Listed } from "./history.ts";
import { KnownHistory } from "./known-history.ts";
import { discard } from "./leftovers.ts";
import { type CompareOptions, comparePages, type Preview } from "./preview.ts";
import { isLostFingerprint, PreviousStates } from "./previous-states.ts";
import type { JobOptions } from "./progress.ts";
import { openProvedMoment } from "./proved-moment.ts";
import { type Backup, toBackup } from "./record.ts";
import { removalKeys } from "./removal.ts";
import { drain, endingWith, historyFor, planRestore, type RestorePlan, restoreStream } from "./restore.ts";
import { snapshotFile } from "./snapshot-file.ts";
import { StoredPages } from "./stored-pages.ts";
import { readTables, type Table } from "./tables.ts";
import { type Verification, type VerifyOptions, verify } from "./verify.ts";

/** A moment: a backup's id (or the first eight digits or more of it), a bookmark, a TXID, a time, or an age such as `-1h`. */
export type At = string | Date;

export interface RestoreOptions extends DownloadOptions {
  /** The newest backup unless given. */
  at?: At;
  /** Whether to back the database up first, so that the restore can be undone; true unless given. */
  safety?: boolean;
}

export interface Restored {
  /** The backup that is in place now; missing when it came from a folder that Litestream wrote. */
  backup?: Backup;
  /** Restoring this bookmark undoes the restore; missing when there was no database, or no safety backup was wanted. */
  undo?: string;
  /** What a user should know of the folder it came from. */
  note?: string;
}

export interface Shown {
  backup: Backup;
  /** The backups it is made of, oldest first; the last is itself. */
  chain: Backup[];
  tables: Table[];
}

/** The backups of one database. */
export class Backups {
  readonly name: string;
  readonly store: Store;
  readonly #folder: string;
  readonly #known = new KnownHistory();

  /** @throws PagemarkError `NAME_INVALID` */
  static async open(name: string, store: Store): Promise<Backups> {
    const { nameToSegment } = await core();
    return translating(name, async () => new Backups(name, store, nameToSegment(name)));
  }

  private constructor(name: string, store: Store, folder: string) {
    this.name = name;
    this.store = store;
    this.#folder = folder;
  }

  /** Backs `source` up; `safety` when a restore is about to replace it. */
  create(source: PageSource, options?: BackupOptions, safety = false): Promise<NewBackup> {
    const { name, store } = this;
    return backUp({ source, store, name, folder: this.#folder, safety, known: this.#known }, options);
  }

  /** Every backup, newest first; one whose record is damaged is listed as such. */
  list(options?: { signal?: AbortSignal }): Promise<Backup[]> {
    return translating(this.name, async () => {
      const history = await History.load(this.store, this.#folder, "all", options?.signal);
      history.checkKind();
      return history.list().map(toListed).reverse();
    });
  }

  /** The backup that `at` means, the newest unless given. */
  find(at?: At, options?: { signal?: AbortSignal | undefined }): Promise<Backup> {
    return translating(this.name, async () => {
      const wanted = formatAt(at);
      const history = await historyFor(this.store, this.#folder, wanted, options?.signal);
      return toBackup(history.find(wanted));
    });
  }

  /**
   * The database as it was, as a SQLite file; `note` says what else was found. The stream ends without an error only if every object and the
   * database's checksum were right.
   */
  download(
    at?: At,
    options: DownloadOptions = {},
  ): Promise<{ body: ReadableStream<Uint8Array>; backup?: Backup; note?: string }> {
    return translating(this.name, async () => {
      const plan = await planRestore(this.store, this.#folder, formatAt(at), options.signal);
      const body = warningOfDamage(restoreStream(this.store, plan, options), this.store, plan, options);
      const { record, note } = plan;
      return { body, ...(record && { backup: toBackup(record) }), ...(note && { note }) };
    });
  }

  /** What is in a backup; reads only the pages that say so, and the fingerprints that prove them. */
  show(at?: At, options?: { signal?: AbortSignal }): Promise<Shown> {
    return translating(this.name, async () => {
      const plan = await planRestore(this.store, this.#folder, formatAt(at), options?.signal);
      const { record, history } = plan;
      if (!record || !history) {
        const message = "a folder that Litestream wrote has no records to show; restore or verify it";
        throw new PagemarkError("BACKUP_UNKNOWN", message);
      }
      const chain = history.chain(record).map(({ record }) => toBackup(record));
      const pages = await StoredPages.open(this.store, plan, options?.signal);
      try {
        const tables = await readTables((pgno) => pages.read(pgno, options?.signal), record.pageCount, false);
        await provePages(this.store, pages, history.fingerprints(record), plan, options?.signal);
        return { backup: toBackup(record), chain, tables };
      } finally {
        pages.close();
      }
    });
  }

  /** A backup as SQL, read from the store page by page: nothing is restored first. */
  dump(at?: At, options: DumpOptions = {}): Promise<ReadableStream<Uint8Array>> {
    return translating(this.name, async () => {
      const plan = await planRestore(this.store, this.#folder, formatAt(at), options.signal);
      const moment = await openProvedMoment(this.store, plan, options.signal);
      return dumpMoment(moment, this.name, options);
    });
  }

  /** The pages of a backup, read from the store as they are asked for, and proved one by one. Release it at the end. */
  pages(at?: At, options: { signal?: AbortSignal } = {}): Promise<Moment & { backup?: Backup }> {
    return translating(this.name, async () => {
      const plan = await planRestore(this.store, this.#folder, formatAt(at), options.signal);
      const moment = await openProvedMoment(this.store, plan, options.signal);
      return plan.record ? Object.assign(moment, { backup: toBackup(plan.record) }) : moment;
    });
  }

  /** A backup as one LTX file, whatever chain it is stored as. */
  async snapshot(at?: At, options?: { signal?: AbortSignal }): Promise<ReadableStream<Uint8Array>> {
    const { txid, createdAt } = await this.find(at, options);
    return snapshotFile(await this.pages(txid, options), txid, Date.parse(createdAt));
  }

  /**
   * The keys of all that belongs to these backups, to be deleted in that order; see {@link removalKeys}.
   *
   * @throws PagemarkError `BACKUP_UNKNOWN`, `BACKUP_NEEDED`
   */
  removalKeys(ids: ReadonlySet<string>): Promise<string[]> {
    return translating(this.name, () => removalKeys(this.store, this.#folder, ids));
  }

  /** Removes a backup that was just made, and of which there is no need after all, unless another was made on top of it. */
  async takeBack({ id }: Backup): Promise<void> {
    const keys = await this.removalKeys(new Set([id])).catch(() => []);
    await discard(this.store, keys);
  }

  /**
   * The pages of `file` whose fingerprints are not those recorded with the backup, ascending: none in what a restore
   * gave. Nothing when no fingerprints were recorded, as by Litestream.
   */
  differences(file: Compared, at?: At, options: JobOptions = {}): Promise<number[] | undefined> {
    return translating(this.name, async () => {
      const { signal } = options;
      const { record, history } = await planRestore(this.store, this.#folder, formatAt(at), signal);
      if (!record || !history) return undefined;
      const states = await PreviousStates.open(this.store, history.fingerprints(record), signal);
      try {
        return await findDifferences(file, states, options);
      } finally {
        await states.close();
      }
    });
  }

  /** What a restore to `at` would do to the tables of `now`, the database as it is; of none, where there is none yet. */
  preview(now: Moment | undefined, at?: At, options: CompareOptions = {}): Promise<Preview> {
    return translating(this.name, async () => {
      const { signal } = options;
      const plan = await planRestore(this.store, this.#folder, formatAt(at), signal);
      const then = await openProvedMoment(this.store, plan, signal);
      let states: PreviousStates | undefined;
      try {
        states = await this.#statesOf(plan, signal);
        const compared = await comparePages(now, then, states, options);
        return { ...(plan.record && { backup: toBackup(plan.record) }), ...compared };
      } finally {
        await states?.close();
        await then.release();
      }
    });
  }

  /** The fingerprints of a backup's pages; nothing where there are none, or no more. */
  async #statesOf(
    { record, history }: RestorePlan,
    signal?: AbortSignal,
  ): Promise<PreviousStates | undefined> {
    if (!record || !history) return undefined;
    const links = history.fingerprints(record);
    try {
      return await PreviousStates.open(this.store, links, signal);
    } catch (error) {
      if (isLostFingerprint(translateCoreError(error), links)) return undefined;
      throw error;
    }
  }

  /** Proves what is stored; see {@link Verification}. */
  verify(options: Omit<VerifyOptions, "at"> & { at?: At } = {}): Promise<Verification> {
    const { at, ...rest } = options;
    return translating(this.name, () =>
      verify(this.store, this.#folder, at === undefined ? rest : { ...rest, at: formatAt(at) }),
    );
  }
}

/** A database together with its backups. */
export class Database {
  readonly source: PageSource;
  readonly name: string;
  readonly store: Store;
  #opened: Backups | undefined;

  constructor(source: PageSource, name: string, store: Store) {
    this.source = source;
    this.name = name;
    this.store = store;
  }

  /** Makes a backup: incremental when it can be. */
  async backup(options?: BackupOptions): Promise<NewBackup> {
    return (await this.#backups()).create(this.source, options);
  }

  /** Every backup, newest first. */
  async *backups(options?: { signal?: AbortSignal }): AsyncGenerator<Backup, void, void> {
    yield* await (await this.#backups()).list(options);
  }

  /** The bookmark of the backup that `at` means, the newest unless given. */
  async bookmark(at?: At, options?: { signal?: AbortSignal }): Promise<string> {
    return (await (await this.#backups()).find(at, options)).bookmark;
  }

  /** A backup as a SQLite file; see {@link Backups.download}. */
  async download(at?: At, options?: DownloadOptions): Promise<ReadableStream<Uint8Array>> {
    return (await (await this.#backups()).download(at, options)).body;
  }

  /**
   * The database as SQL: as it is now, or with `at` as it was backed up, which is not restored for that.
   *
   * @throws PagemarkError `TABLE_UNKNOWN` from the stream when a table that was asked for is not there
   */
  async dump(options: DumpOptions & { at?: At } = {}): Promise<ReadableStream<Uint8Array>> {
    const { at, ...rest } = options;
    return at === undefined ? dumpSource(this.source, rest) : (await this.#backups()).dump(at, rest);
  }

  /** What is in a backup. */
  async show(at?: At, options?: { signal?: AbortSignal }): Promise<Shown> {
    return (await this.#backups()).show(at, options);
  }

  async verify(options?: Omit<VerifyOptions, "at"> & { at?: At }): Promise<Verification> {
    return (await this.#backups()).verify(options);
  }

  /** What {@link Database.restore} would do to each table: its contents are compared, and nothing is changed. */
  async preview({ at, ...options }: CompareOptions & { at?: At } = {}): Promise<Preview> {
    const backups = await this.#backups();
    const now = await this.source.pin({ signal: options.signal }).catch(nothingYet);
    try {
      return await backups.preview(now, at, options);
    } finally {
      await now?.release();
    }
  }

  /**
   * Puts a backup in the place of the database, after backing that up. A crash leaves the old database or the new.
   *
   * @throws SourceError `SOURCE_IN_USE` when another process has the database open
   */
  async restore(options: RestoreOptions = {}): Promise<Restored> {
    const { at, safety = true, ...rest } = options;
    const { signal } = rest;
    if (!this.source.replace) {
      const message = `${this.source.name} can only be read; download the backup instead`;
      throw new PagemarkError("SOURCE_READ_ONLY", message);
    }
    const backups = await this.#backups();
    const wanted = await backups.download(at, rest);
    let before: NewBackup | undefined;
    // As late as can be: what the database holds then, and only if all that replaces it was written.
    const body = endingWith(wanted.body, async () => {
      if (safety) before = await this.#safetyBackup(backups, signal);
    });
    try {
      await this.source.replace(body, { signal, ownsChunks: true });
    } catch (error) {
      if (before && isRefusal(error, signal)) await backups.takeBack(before);
      throw error;
    }
    const { backup, note } = wanted;
    return { ...(note && { note }), ...(backup && { backup }), ...(before && { undo: before.bookmark }) };
  }

  async #safetyBackup(backups: Backups, signal: AbortSignal | undefined): Promise<NewBackup | undefined> {
    try {
      return await backups.create(this.source, { signal }, true);
    } catch (error) {
      // Nothing to undo.
      return nothingYet(error);
    }
  }

  async #backups(): Promise<Backups> {
    this.#opened ??= await Backups.open(this.name, this.store);
    return this.#opened;
  }
}

/** Whether the database that was to be replaced is certainly still there. */
function isRefusal(error: unknown, signal: AbortSignal | undefined): boolean {
  if (signal?.aborted && error === signal.reason) return true;
  return error instanceof PagemarkError && error.code === "SOURCE_IN_USE";
}

/** Nothing when there is no database yet, or else the error. */
function nothingYet(error: unknown): undefined {
  const { code } = error as { code?: string };
  if (code !== "SOURCE_MISSING" && code !== "DATABASE_EMPTY") throw error;
}

/** By the fingerprints; where those are lost, by reading the whole chain as a restore does. */
async function provePages(
  store: Store,
  pages: StoredPages,
  links: Link[],
  plan: RestorePlan,
  signal: AbortSignal | undefined,
): Promise<void> {
  let states: PreviousStates | undefined;
  try {
    states = await PreviousStates.open(store, links, signal);
    await pages.prove(states);
  } catch (error) {
    if (!isLostFingerprint(translateCoreError(error), links)) throw error;
    await drain(restoreStream(store, plan, { signal }));
  } finally {
    await states?.close();
  }
}

function toListed(entry: Listed): Backup {
  if ("record" in entry) return toBackup(entry.record);
  const unknown = {
    id: "",
    bookmark: "",
    createdAt: "",
    kind: "full",
    taken: "start",
    safety: false,
  } as const;
  const zero = { tables: 0, size: 0, storedSize: 0, pageSize: 0, pageCount: 0, changedPages: 0 };
  return { ...unknown, ...zero, txid: entry.first, state: "damaged", error: entry.damage };
}

/** A time as text: the core compares with the microseconds that records have. */
function formatAt(at: At | undefined): string {
  if (at instanceof Date && Number.isFinite(at.getTime())) return at.toISOString();
  const text = at ?? "";
  if (typeof text === "string") return text;
  throw new PagemarkError(
    "USAGE",
    `at must be text or a valid Date, not ${Array.isArray(text) ? "a list" : typeof text}`,
  );
}
