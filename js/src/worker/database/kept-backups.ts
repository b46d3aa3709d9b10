import { type Backup, Backups, PagemarkError, type Store } from "../../entry/workerd.ts";
import { Origins } from "./origins.ts";
import { Removals } from "./removals.ts";
import { type Origin, retention } from "./retention.ts";

/** A backup, and why there is one. */
export interface KeptBackup extends Backup {
  /** Who wanted it: `automatic` by the schedule, `restore` before a restore replaced the database. */
  origin: Origin;
  /** How many periods of the schedule before it had no backup. */
  missed: number;
}

/** What the deletion of a backup comes to. */
export interface Deletion {
  /** Whether it stays listed until another backup is made: the newest one, as that is made on top of it. */
  stays: boolean;
}

/** Where a database's backups are, and what its object knows of them. */
export interface BackupsHome {
  readonly storage: DurableObjectStorage;
  readonly store: Store;
  readonly backupName: string;
  /** For how long automatic backups are kept, in milliseconds. */
  readonly keepMs: number;
  /** When the database was deleted, in milliseconds since 1970; missing while it is there. */
  readonly endedMs?: number;
}

/** The backups in R2 that are to be kept: lists them, and deletes what nobody needs. It makes none. */
export class KeptBackups {
  readonly #home: BackupsHome;
  readonly #origins: Origins;
  readonly #removals: Removals;

  constructor(home: BackupsHome) {
    this.#home = home;
    this.#origins = new Origins(home.storage.sql);
    this.#removals = new Removals(home.storage.sql, home.store);
  }

  /** Every backup that is kept, newest first. */
  async list(): Promise<KeptBackup[]> {
    const all = await (await this.stored()).list();
    const { gone } = this.#retention(all);
    const kept = all.filter(({ id }) => !gone.has(id));
    const missed = this.#origins.missed();
    const origins = this.#origins.of(kept);
    return kept.map((backup, at) => ({
      ...backup,
      origin: origins[at]?.origin ?? "manual",
      missed: missed.get(backup.id) ?? 0,
    }));
  }

  /**
   * The one that an id means, or the first eight digits or more of it; the newest unless given.
   *
   * @throws PagemarkError `BACKUP_UNKNOWN`, `BACKUP_NONE`
   */
  async find(id: string | undefined): Promise<KeptBackup> {
    const found = await (await this.stored()).find(id);
    const kept = (await this.list()).find((each) => each.id === found.id);
    if (kept) return kept;
    throw new PagemarkError("BACKUP_UNKNOWN", `there is no backup ${found.id}; it may have been deleted`);
  }

  /** Deletes a backup; what others are made of it stays till they are gone. */
  async delete(idOrPrefix: string): Promise<Deletion> {
    const { id } = await (await this.stored()).find(idOrPrefix);
    this.#origins.delete(id);
    await this.removeUnneeded();
    return { stays: (await this.list()).some((each) => each.id === id) };
  }

  /** Notes who wanted a backup that was made, and how many periods before it had none. */
  add(id: string, origin: Origin, missed: number): void {
    this.#origins.add(id, origin, missed);
  }

  /** All that is in the store. */
  stored(): Promise<Backups> {
    return Backups.open(this.#home.backupName, this.#home.store);
  }

  /** Deletes what is in the store and belongs to no backup that is kept. */
  async removeUnneeded(): Promise<void> {
    const stored = await this.stored();
    const { removable } = this.#retention(await stored.list());
    if (removable.size > 0) {
      this.#removals.add(await stored.removalKeys(removable));
      this.#origins.forget(removable);
    }
    await this.#removals.run();
  }

  /** What retention goes by, oldest first. One whose record is damaged has no id, and is no one's to delete. */
  known(newestFirst: readonly Backup[]) {
    return this.#origins.of(newestFirst.filter(({ state }) => state === "done").reverse());
  }

  #retention(newestFirst: readonly Backup[]) {
    const { keepMs, endedMs } = this.#home;
    // Of a database that was deleted, what was kept then stays.
    return retention(this.known(newestFirst), keepMs, endedMs ?? Date.now(), endedMs !== undefined);
  }
}
