import { type At, Backups } from "../backups/backups.ts";
import type { Backup } from "../catalog/folder.ts";
import { retain } from "../catalog/retention.ts";
import { PagemarkError } from "../errors/index.ts";
import { type PartialBackup, refusePartial } from "../run/partial.ts";
import type { Store } from "../stores/store.ts";
import { type BackupNotes, byId, noteOf, type Origin, type Removals, toKept } from "./notes.ts";
import { isChainOld } from "./schedule.ts";

/** A backup, and why there is one. */
export interface KeptBackup extends Backup {
  /** Who wanted it: `scheduled` a statement's schedule, `automatic` the usual one, `restore` before a restore replaced the database. */
  origin: Origin;
  /** How many periods of the schedule before it had no backup. */
  missed: number;
}

/** What the deletion of a backup comes to. */
export interface Deletion {
  /** Whether it stays listed until another backup is made: the newest one, as that is made on top of it. */
  stays: boolean;
}

/** Where a database's backups are, and what is known of them. */
export interface BackupsPlace {
  readonly store: Store;
  /** The database's name in the store. */
  readonly name: string;
  readonly notes: BackupNotes;
  readonly removals: Removals;
  /** For how long automatic backups are kept, in milliseconds. */
  readonly keepMs: number;
  /** When the database was deleted, in milliseconds since 1970; missing while it is there. */
  readonly endedMs?: number | undefined;
}

/** The backups of one database that must be kept: lists them, and deletes what nobody needs. It makes none. */
export class KeptBackups {
  readonly #place: BackupsPlace;

  constructor(place: BackupsPlace) {
    this.#place = place;
  }

  /** Every backup that is kept, newest first. */
  async list(): Promise<KeptBackup[]> {
    const all = await (await this.stored()).list();
    const { gone } = await this.#retention(all);
    const notes = byId(this.#place.notes);
    return all
      .filter(({ id }) => !gone.has(id))
      .map((backup) => {
        const { origin, missed } = noteOf(backup.id, notes);
        return { ...backup, origin, missed };
      });
  }

  /** All that is kept of some tables alone, newest first. */
  async partial(): Promise<PartialBackup[]> {
    return (await this.stored()).partial();
  }

  /**
   * The one that an id means, or the first eight digits or more of it; the newest unless given.
   *
   * @throws PagemarkError `BACKUP_UNKNOWN`, `BACKUP_NONE`, `BACKUP_PARTIAL`
   */
  async find(id: string | undefined): Promise<KeptBackup> {
    const found = await wholeBackup(await this.stored(), id);
    const kept = (await this.list()).find((each) => each.id === found.id);
    if (kept) return kept;
    throw new PagemarkError("BACKUP_UNKNOWN", `there is no backup ${found.id}; it may have been deleted`);
  }

  /** Deletes a backup; what others are made of it stays till they are gone. */
  async delete(idOrPrefix: string): Promise<Deletion> {
    const { notes, removals } = this.#place;
    const { backups, backup } = await (await this.stored()).having(idOrPrefix);
    const { id, partial } = backup;
    if (partial) {
      removals.add(await backups.removalKeys(new Set([id])));
      await removals.run();
      return { stays: false };
    }
    notes.put({ ...noteOf(id, byId(notes)), deleted: true });
    await this.removeUnneeded();
    return { stays: (await this.list()).some((each) => each.id === id) };
  }

  /** Notes who wanted a backup that was made, and how many periods before it had none. */
  add(id: string, origin: Origin, missed: number): void {
    this.#place.notes.put({ id, origin, missed, deleted: false });
  }

  /** All that is in the store. */
  stored(): Promise<Backups> {
    return Backups.open(this.#place.name, this.#place.store);
  }

  /** Deletes what is in the store and belongs to no backup that is kept. */
  async removeUnneeded(): Promise<void> {
    const { notes, removals } = this.#place;
    const stored = await this.stored();
    const { removable } = await this.#retention(await stored.list());
    if (removable.size > 0) {
      removals.add(await stored.removalKeys(removable));
      notes.forget(removable);
    }
    await removals.run();
  }

  /** Whether the next automatic backup should begin a chain. */
  async isChainOld(nowMs: number): Promise<boolean> {
    const { notes, keepMs } = this.#place;
    return isChainOld(toKept(await (await this.stored()).list(), byId(notes)), keepMs, nowMs);
  }

  /** The ids of those that are no longer shown, and of those among them that nobody needs. */
  async #retention(newestFirst: readonly Backup[]) {
    const { notes, keepMs, endedMs } = this.#place;
    const backups = toKept(newestFirst, byId(notes));
    // What was kept when a database was deleted stays.
    const rules = { withinMs: keepMs, isOver: endedMs !== undefined };
    const fates = await retain(backups, rules, endedMs ?? Date.now());
    const those = (is: "isKept" | "isRemovable", wanted: boolean) =>
      new Set(backups.filter((_, at) => fates[at]?.[is] === wanted).map(({ id }) => id));
    return { gone: those("isKept", false), removable: those("isRemovable", true) };
  }
}

/** The backup that `at` means, where one of some tables alone will not do. @throws PagemarkError `BACKUP_PARTIAL` */
export async function wholeBackup(stored: Backups, at?: At): Promise<Backup> {
  const backup = typeof at === "string" ? (await stored.having(at)).backup : await stored.find(at);
  refusePartial(backup, stored.name);
  return backup;
}
