import type { Backup } from "../catalog/folder.ts";
import { dumpSource } from "../dump/dump.ts";
import type { DumpOptions } from "../dump/options.ts";
import { checkOnly, checkOptions, checkText, DamageError, PagemarkError } from "../errors/index.ts";
import { momentStream } from "../moments/moment-stream.ts";
import { type BackupOptions, backup } from "../run/backup.ts";
import type { NewBackup } from "../run/made.ts";
import { refusePartial, wholeName } from "../run/partial.ts";
import { type PagemarkOptions, subjectOf } from "../run/subject.ts";
import type { PageSource, ReplacedTable, RowTarget } from "../sources/source.ts";
import type { Store } from "../stores/store.ts";
import type { JobOptions, Warned } from "../streams/progress.ts";
import { endingWith } from "../streams/streams.ts";
import { type At, Backups, type Downloaded, type Shown } from "./backups.ts";
import type { DownloadOptions } from "./damaged-tables.ts";
import type { Difference } from "./diff.ts";
import { isRowTarget, type Loaded, loadRows } from "./load-rows.ts";
import { targetState } from "./load-target.ts";
import {
  DUMP,
  type DumpToOptions,
  PREVIEW,
  PRUNE,
  type PreviewOptions,
  RESTORE,
  type RestoreOptions,
} from "./options.ts";
import { onlyOf, type Preview } from "./preview.ts";
import type { Pruned, PruneOptions } from "./prune.ts";
import { restoreTables, type TablesOptions, type TableTarget } from "./restore-tables.ts";
import type { Verification, VerifyOptions } from "./verify.ts";

export interface Restored extends Loaded {
  /** The backup that is in place now; missing when it came from a folder that Litestream wrote. */
  backup?: Backup;
  /** Restoring this bookmark undoes the restore; missing when there was no database, or no safety backup was wanted. */
  undo?: string;
  /** What was made anew, where single tables were restored into a file. */
  tables?: ReplacedTable[];
  /** What a user should know of the folder it came from. */
  note?: string;
}

/** A database together with its backups. */
export class Database {
  readonly source: PageSource;
  readonly name: string;
  readonly store: Store;
  /** Where what a restore replaces is backed up; among the other backups unless given. */
  readonly #replaced: Backups | undefined;
  #opened: Backups | undefined;

  constructor(source: PageSource, name: string, store: Store, replaced?: Backups) {
    this.source = source;
    this.name = name;
    this.store = store;
    this.#replaced = replaced;
  }

  /** Makes a backup: incremental when it can be. */
  async backup(options?: BackupOptions): Promise<NewBackup> {
    checkOptions(options);
    if (options?.tables) return backup(this.source, { ...options, name: this.name, store: this.store });
    return (await this.#backups()).create(this.source, options);
  }

  /** Every backup, newest first. */
  async *backups(options?: { signal?: AbortSignal }): AsyncGenerator<Backup, void, void> {
    checkOptions(options);
    yield* await (await this.#backups()).list(options);
  }

  /** The bookmark of the backup that `at` means, the newest unless given. */
  async bookmark(at?: At, options?: { signal?: AbortSignal }): Promise<string> {
    checkOptions(options);
    return (await (await this.#backups()).find(at, options)).bookmark;
  }

  /** A backup as a SQLite file; see {@link Backups.download}. What else was found is said to `onWarning`. */
  async download(at?: At, options: DownloadOptions = {}): Promise<ReadableStream<Uint8Array>> {
    const { onWarning } = checkOptions(options);
    const holding = await (await this.#backups()).holding(at, options);
    const { body, note } = await holding.download(at, options);
    if (note !== undefined) onWarning?.(note);
    return body;
  }

  /** The database as it is now, as a SQLite file: one moment of it, read page by page, of which nothing is stored. */
  async export(options: JobOptions = {}): Promise<ReadableStream<Uint8Array>> {
    checkOptions(options);
    const scratch = (await this.#backups()).scratch();
    return momentStream(await this.source.pin({ signal: options.signal, scratch }), options);
  }

  /**
   * The database as SQL: as it is now, or with `at` as it was backed up, which is not restored for that.
   *
   * @throws PagemarkError `TABLE_UNKNOWN` from the stream when a table that was asked for is not there
   */
  async dump(options: DumpOptions & { at?: At } = {}): Promise<ReadableStream<Uint8Array>> {
    const { at, ...rest } = checkOnly(options, DUMP);
    const backups = await this.#backups();
    if (at !== undefined) return backups.dump(at, rest);
    return dumpSource(this.source, { ...rest, scratch: backups.scratch() });
  }

  /**
   * Writes the database as SQL into the store, under `key`, as it is made: however large it is, it never lies anywhere else.
   *
   * @returns how many bytes were stored
   * @throws ObjectExistsError when there is something under that key
   * @throws PagemarkError `USAGE` for a key among the database's backups
   */
  async dumpTo(key: string, options: DumpToOptions = {}): Promise<number> {
    checkOnly(options, { ...DUMP, gzip: true });
    checkText(key, "key");
    const { gzip = false, ...rest } = options;
    const backups = await this.#backups();
    if (key.startsWith(`${backups.folder}/`)) {
      throw new PagemarkError(
        "USAGE",
        `${key}: that is among the backups; choose another key, such as sql/${key}`,
      );
    }
    const sql = await this.dump(rest);
    const packed = new CompressionStream("gzip") as ReadableWritablePair<Uint8Array, Uint8Array>;
    const body = counted(gzip ? sql.pipeThrough(packed) : sql);
    await this.store.put(key, body.stream, { signal: rest.signal });
    return body.size();
  }

  /** What is in a backup. */
  async show(at?: At, options?: { signal?: AbortSignal } & Warned): Promise<Shown> {
    checkOptions(options);
    return (await this.#backups()).show(at, options);
  }

  /** What happened between two backups, table by table; `to` is the newest unless given, or `now`, the database as it is. */
  diff(from: At | undefined, to: "now", options?: JobOptions & Warned): Promise<Difference>;
  diff(from: At, to?: At, options?: JobOptions & Warned): Promise<Required<Difference>>;
  async diff(from: At | undefined, to?: At | "now", options?: JobOptions & Warned): Promise<Difference> {
    checkOptions(options);
    const backups = await this.#backups();
    if (to !== "now") return backups.diff(from as At, to, options);
    const now = await this.source.pin({ signal: options?.signal, scratch: backups.scratch() });
    try {
      return await backups.diffNow(now, from, options);
    } finally {
      await now.release();
    }
  }

  /** The same as SQL, which turns the earlier state into the later. */
  async diffSql(
    from: At | undefined,
    to?: At | "now",
    options?: JobOptions & Warned,
  ): Promise<ReadableStream<Uint8Array>> {
    checkOptions(options);
    const backups = await this.#backups();
    if (to !== "now") return backups.diffSql(from, to, options);
    const now = await this.source.pin({ signal: options?.signal, scratch: backups.scratch() });
    return backups.diffSql(from, undefined, { ...options, now });
  }

  async verify(options?: Omit<VerifyOptions, "at"> & { at?: At }): Promise<Verification> {
    checkOptions(options);
    return (await this.#backups()).verify(options);
  }

  /** Deletes a backup for good; see {@link Backups.delete}. */
  async delete(id: string, options?: { signal?: AbortSignal }): Promise<Backup> {
    checkOptions(options);
    return (await this.#backups()).delete(id, options);
  }

  /** Deletes the backups that no rule keeps; never the newest, nor what a kept one is made of. */
  async prune(options: PruneOptions): Promise<Pruned> {
    checkOnly(checkOptions(options ?? null), PRUNE);
    return (await this.#backups()).prune(options);
  }

  /** What {@link Database.restore} would do to each table: its contents are compared, and nothing is changed. */
  async preview(wanted: PreviewOptions = {}): Promise<Preview> {
    const { at, tables, ...options } = checkOnly(wanted, PREVIEW);
    const backups = await this.#backups();
    const pin = { signal: options.signal, scratch: backups.scratch() };
    const now = await this.source.pin(pin).catch(nothingYet);
    try {
      const preview = await backups.preview(now, at, { ...options, views: tables !== undefined });
      return tables ? onlyOf(preview, tables, this.name) : preview;
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
    const { at, safety = true, tables, as, verify: _, ...rest } = checkOnly(options, RESTORE);
    const { signal } = rest;
    if (isRowTarget(this.source)) return this.#restoreRows(this.source, options);
    if (tables) return this.#restoreTables({ ...rest, at, tables, as }, safety);
    if (as !== undefined) throw new PagemarkError("USAGE", "as renames one table: give its name in tables");
    if (!this.source.replace) {
      const message = `${this.source.name} can only be read; download the backup instead`;
      throw new PagemarkError("SOURCE_READ_ONLY", message);
    }
    const wanted = await (await this.#backups()).download(at, rest);
    await refusing(wanted, this.name);
    const backups = this.#replaced ?? (await this.#backups());
    let before: NewBackup | undefined;
    // As late as can be: what the database holds then, and only if all that replaces it was written.
    const body = endingWith(wanted.body, async () => {
      if (safety) before = await this.#safetyBackup(backups, signal);
    });
    try {
      await this.source.replace(body, { signal, ownsChunks: true, isProved: true });
    } catch (error) {
      if (before && isRefusal(error, signal)) await backups.takeBack(before);
      throw error;
    }
    const { backup, note } = wanted;
    return { ...(note && { note }), ...(backup && { backup }), ...(before && { undo: before.bookmark }) };
  }

  async #restoreTables(options: TablesOptions, safety: boolean): Promise<Restored> {
    const { source } = this;
    if (!takesTables(source)) {
      const message = `${source.name}: is restored as a whole; single tables can be restored into files, D1 and Durable Objects, or dumped as SQL`;
      throw new PagemarkError("USAGE", message);
    }
    const { at, signal } = options;
    const from = await (await this.#backups()).holding(at, options);
    const found = await from.state(at, { signal });
    // A whole database is not backed up among partial backups.
    const backups = this.#replaced ?? (await Backups.open(wholeName(this.name, found), this.store));
    const safetyBackup = async () => (safety ? this.#safetyBackup(backups, signal) : undefined);
    return restoreTables(source, { from, backups, safetyBackup }, options);
  }

  /** As {@link Database.restore}, by SQL. */
  async #restoreRows(target: PageSource & RowTarget, options: RestoreOptions): Promise<Restored> {
    const { at, safety = true, signal, ...rest } = options;
    const { tables } = rest;
    const backups = await this.#backups();
    const from = await backups.holding(at, { tables, signal });
    const moment = await from.pages(at, { signal });
    try {
      const { backup } = moment;
      if (!tables) refusePartial(backup, this.name);
      const { isEmpty, halfLoaded } = await targetState(target, signal);
      const replaced = this.#replaced ?? backups;
      const before = safety && !isEmpty ? await this.#safetyBackup(replaced, signal) : undefined;
      const undo = before?.bookmark ?? halfLoaded?.undo;
      const load = backup && [backup.bookmark, ...(rest.tables ?? []).map((name) => JSON.stringify(name))];
      const pin = { scratch: backups.scratch(), previous: () => from.pages(at, { signal }) };
      const details = { load: load?.join(" "), undo, pin };
      const loaded = await loadRows(target, moment, { ...rest, signal, replace: true }, details);
      return { ...(backup && { backup }), ...(undo && { undo }), ...loaded };
    } finally {
      await moment.release().catch(() => {});
    }
  }

  async #safetyBackup(backups: Backups, signal: AbortSignal | undefined): Promise<NewBackup | undefined> {
    try {
      return await backups.create(this.source, { signal }, true);
    } catch (error) {
      if (!(error instanceof DamageError) || NOTHING.has(error.code)) return nothingYet(error);
      const advice =
        "nothing was changed: to replace what cannot be backed up first, restore without a safety backup";
      throw new DamageError(error.code, `${error.message}; ${advice}`, error.at, { cause: error });
    }
  }

  async #backups(): Promise<Backups> {
    this.#opened ??= await Backups.open(this.name, this.store);
    return this.#opened;
  }
}

function takesTables(source: PageSource): source is TableTarget {
  return source.replaceTables !== undefined;
}

/** The same stream, and how many bytes of it have come. */
function counted(stream: ReadableStream<Uint8Array>): {
  stream: ReadableStream<Uint8Array>;
  size: () => number;
} {
  let size = 0;
  const counting = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      size += chunk.length;
      controller.enqueue(chunk);
    },
  });
  return { stream: stream.pipeThrough(counting), size: () => size };
}

/** Lets go of a database that is not wanted. @throws PagemarkError `BACKUP_PARTIAL` */
async function refusing(wanted: Pick<Downloaded, "body" | "backup">, name: string): Promise<void> {
  try {
    refusePartial(wanted.backup, name);
  } catch (error) {
    await wanted.body.cancel(error).catch(() => {});
    throw error;
  }
}

/** Whether the database that should have been replaced is certainly still there. */
function isRefusal(error: unknown, signal: AbortSignal | undefined): boolean {
  if (signal?.aborted && error === signal.reason) return true;
  return error instanceof PagemarkError && error.code === "SOURCE_IN_USE";
}

/** A database of which only a part was restored is none, either. */
const NOTHING = new Set(["SOURCE_MISSING", "DATABASE_EMPTY", "SOURCE_HALF_LOADED"]);

/** Nothing when there is no database yet, and so nothing to undo; or else the error. */
function nothingYet(error: unknown): undefined {
  const { code } = error as { code?: string };
  if (!NOTHING.has(code ?? "")) throw error;
}

/**
 * A database and its backups.
 *
 * @example
 * ```ts
 * import { file, folder, pagemark } from "pagemark";
 * const db = pagemark(file("app.db"), { store: folder("./backups") });
 * const backup = await db.backup();
 * ```
 */
export function pagemark(source: PageSource, options: PagemarkOptions): Database {
  const { name, store } = subjectOf("pagemark", source, options);
  return new Database(source, name, store);
}
