import { type CoreFolder, core, named } from "../core/index.ts";
import { checkHas, checkOptions, DamageError, ObjectMissingError, PagemarkError } from "../errors/index.ts";
import { type Failure, hostFailure, type Outcome } from "../host/drive.ts";
import { driveOnStore } from "../host/store-host.ts";
import { otherSize, type StoredFile } from "../objects/object-reader.ts";
import type { Store } from "../stores/store.ts";
import { everyObject } from "../stores/store-list.ts";
import type { Warned } from "../streams/progress.ts";
import { collect } from "../streams/streams.ts";

/** A backup, as users see it; the core makes it of the record (`src/catalog/view.rs`). */
export interface Backup {
  /** UUID. */
  id: string;
  /** Names the state it restores to. */
  bookmark: string;
  /** Number of that state, 16 hex digits. */
  txid: string;
  /** RFC 3339 in UTC, with microseconds. */
  createdAt: string;
  kind: "full" | "incremental";
  /** User tables. */
  tables: number;
  /** Size of the database, in bytes. */
  size: number;
  /** What was stored for it, in bytes. */
  storedSize: number;
  /** `damaged`: its record cannot be read; `error` says why. */
  state: "done" | "damaged";
  pageSize: number;
  pageCount: number;
  /** Pages of the database that hold nothing; backups of before 2026-12 do not say. */
  freePages?: number;
  /** Pages stored. */
  changedPages: number;
  /**
   * Whether its state is that of the start of the run, or of the end. Of a backup that was just made, `tracked`: of the end,
   * by what triggers told of the changes (`docs/d1.md`).
   */
  taken: "start" | "end" | "tracked";
  /** Whether a restore made it of what it then replaced. */
  safety: boolean;
  /** What its user calls it; retention keeps what has a tag. */
  tag?: string;
  /** What its user says of it. */
  note?: string;
  /** Whether a schedule wanted it, and nobody by hand. */
  automatic: boolean;
  /** The tables and views that it holds alone, where it is a partial one. */
  partial?: string[];
  error?: { code: string; message: string };
}

/** A chain that was found whole: what a restore reads. */
export interface RestorePlan {
  /** Oldest first. */
  files: StoredFile[];
  /** The backup; missing for a folder that Litestream wrote. */
  backup?: Restorable;
  /** The state after the backup that it is instead, the last of its files. */
  after?: { txid: string; createdMs: number };
  /** What a user should know of what was found. */
  note?: string;
}

/** A file that should be made of others. */
export interface Merging {
  key: string;
  /** Oldest first. */
  files: StoredFile[];
  /** When its state was stored, in milliseconds since 1970. */
  modifiedMs: number;
}

/** What is known of a backup that has a record. */
export interface Restorable {
  /** The database's name when it was made. */
  name: string;
  view: Backup;
  /** The backups it is made of, oldest first; the last is itself. */
  chain: Backup[];
  /** The files that together tell every page's fingerprint, oldest first. */
  fingerprints: StoredFile[];
  /** Database checksum, 16 hex digits. */
  checksum: string;
}

interface LoadOptions {
  at?: string | string[];
  planned?: boolean;
  signal?: AbortSignal | undefined;
}

/** What an LTX file says of itself at its start, in bytes. */
const LTX_HEADER = 100;

/** What lies in a database's folder of a store. The core knows what it means (`src/catalog`). */
export class Folder {
  readonly #folder: CoreFolder;
  readonly #store: Store;
  readonly #signal: AbortSignal | undefined;
  /** What ages such as -1h are counted from. */
  readonly #nowMs: number;

  /**
   * Lists the folder of the database and reads its records: as many as finding takes what `at` means, all of them without
   * it. To plan restores to `at`, states between backups are `planned` with.
   *
   * @throws PagemarkError `NAME_INVALID`; what the store fails with
   */
  static async load(
    store: Store,
    segment: string,
    { at, planned = false, signal }: LoadOptions = {},
  ): Promise<Folder> {
    const { Machine } = await core();
    const nowMs = Date.now();
    const ats = at === undefined ? [] : [at].flat();
    const loading = Machine.load(segment, store.layout, ats, planned ? nowMs : undefined);
    return driveOnStore<null, Folder>(loading, store, signal, (outcome, machine) => {
      const folder = machine.takeFolder();
      if (!folder) throw hostFailure(outcome);
      return new Folder(folder, store, signal, nowMs);
    });
  }

  private constructor(folder: CoreFolder, store: Store, signal: AbortSignal | undefined, nowMs: number) {
    this.#folder = folder;
    this.#store = store;
    this.#signal = signal;
    this.#nowMs = nowMs;
  }

  /** Every backup, oldest first; one whose record is damaged is listed as such. */
  list(): Backup[] {
    return this.#folder.list();
  }

  /** The backup that `at` means: see the core's `catalog::Target`. */
  find(at: string): Backup {
    return this.#namingOldest(() => this.#folder.find(at, this.#nowMs));
  }

  /** What a restore to `at` reads; all of it is there. What was left out is told; who reads what Litestream wrote knows it. */
  async plan(at: string, { onWarning }: Warned = {}): Promise<RestorePlan> {
    const found = await this.#plan(at);
    if (found.backup && found.note !== undefined) onWarning?.(found.note);
    return found;
  }

  async #plan(at: string): Promise<RestorePlan> {
    const plan = (start?: Uint8Array) =>
      this.#namingOldest(() => this.#result<RestorePlan>(this.#folder.plan(at, this.#nowMs, start)));
    const found = plan();
    const last = found.files.at(-1);
    if (!found.after || !last) return found;
    // Only the last of its files tells of a state after its backup.
    const body = await this.#store.get(last.key, { length: LTX_HEADER, signal: this.#signal });
    const start = await collect(body, LTX_HEADER);
    try {
      return plan(start);
    } catch (error) {
      throw error instanceof DamageError ? named(error, last.key) : error;
    }
  }

  /**
   * The keys of all that belongs to these backups, in the order in which they can be deleted. Whoever deletes them notes
   * them down before: without its record a file is not found again.
   *
   * @throws PagemarkError `BACKUP_UNKNOWN`; `BACKUP_NEEDED` when another backup is made of one of them
   */
  removal(ids: ReadonlySet<string>): string[] {
    return this.#result<string[]>(this.#folder.removal([...ids]));
  }

  /** Keys of the files between backups that can go, as they are older. */
  outdated(beforeMs: number): string[] {
    return this.#folder.outdated(beforeMs);
  }

  /** The files that should be made of others, those first of which others are made. */
  merges(): Merging[] {
    return this.#folder.merges();
  }

  /** Frees what is known once `look` has looked at it. */
  async use<T>(look: () => T | Promise<T>): Promise<T> {
    try {
      return await look();
    } finally {
      this.#folder.free();
    }
  }

  #result<T>({ result, failure }: Outcome<T>): T {
    if (failure) throw refusal(failure);
    return result as T;
  }

  /** When a time is before the first backup, the error says which that is. */
  #namingOldest<T>(find: () => T): T {
    try {
      return find();
    } catch (error) {
      if ((error as { code?: string }).code !== "TIME_BEFORE_FIRST") throw error;
      const oldest = this.#folder.oldest ?? "a later time";
      const message = `that time is before the first backup; the oldest is of ${oldest}`;
      throw new PagemarkError("TIME_BEFORE_FIRST", message);
    }
  }
}

/** How it is found out what a restore reads. */
export interface Planning extends Warned {
  signal?: AbortSignal | undefined;
}

/** Loads what a restore to `at` reads, and says what was left out of it. */
export async function planRestore(
  store: Store,
  segment: string,
  at: string,
  options: Planning = {},
): Promise<RestorePlan> {
  const { signal } = options;
  const folder = await Folder.load(store, segment, { at, planned: true, signal });
  const plan = await folder.use(() => folder.plan(at, options));
  if (plan.backup) return plan;
  await refuseWithoutRecords(store, segment, signal);
  return { note: noRecords(segment), ...plan };
}

/** What the history does not allow, or lacks. */
export function refusal({ kind, key = "", size, wanted, id, by, txid }: Refusal): PagemarkError {
  if (kind === "needed") {
    const message = `backup ${id} is part of backup ${by}; delete that one first`;
    return new PagemarkError("BACKUP_NEEDED", message, { ...(txid !== undefined && { txid }) });
  }
  return size === undefined ? new ObjectMissingError(key) : otherSize({ key, size: wanted ?? 0 }, size);
}

/**
 * Refuses what is left of backups whose records are gone, or of a first one that was killed: their other files look like those that Litestream wrote.
 *
 * @throws PagemarkError `OBJECT_MISSING`
 */
export async function refuseWithoutRecords(
  store: Store,
  segment: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const objects = await everyObject(store, `${segment}/pagemark/`, { signal });
  if (!objects.some(({ key }) => key.endsWith(".pages"))) return;
  const message = `${segment}: the records of its backups (${segment}/pagemark/*.json) are missing, and nothing can be proved without them: bring them back, or back up again where the first backup was killed before it was done; \`litestream restore\` reads the LTX files that are left`;
  throw new PagemarkError("OBJECT_MISSING", message, { name: segment });
}

function noRecords(segment: string): string {
  return `${segment} has no records (${segment}/pagemark/*.json), as where Litestream writes: each file proves itself, and nothing says whether newer ones are missing`;
}

/** What the core says of a plan that cannot be. */
interface Refusal extends Failure {
  key?: string;
  /** In bytes. */
  size?: number;
  wanted?: number;
  id?: string;
  by?: string;
  txid?: string;
}

/** A database that has a folder in a store. */
export interface StoredDatabase {
  name: string;
  /** How many backups it has; none where Litestream wrote the folder. */
  backups: number;
  /** The newest one; missing where there is none, or its record is damaged. */
  newest?: Backup;
  /** Another database, which its newest backup is of: the folder was renamed, or swapped with that database's. */
  otherName?: string;
  /** Size of all its objects, in bytes. */
  storedSize: number;
}

/** The databases that have backups in a store, by name. The store is listed once. */
export async function databasesIn(
  store: Store,
  options: { signal?: AbortSignal } = {},
): Promise<StoredDatabase[]> {
  checkHas("list", store, "the store", 'one such as folder("./backups")');
  checkOptions(options);
  const { Machine } = await core();
  const databases = await driveOnStore<StoredDatabase[], StoredDatabase[]>(
    Machine.survey(store.layout),
    store,
    options.signal,
    (outcome) => {
      if (!outcome.result) throw hostFailure(outcome);
      return outcome.result;
    },
  );
  return databases.sort((a, b) => (a.name < b.name ? -1 : 1));
}
