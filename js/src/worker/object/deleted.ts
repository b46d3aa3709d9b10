import { r2, type Store } from "../../entry/workerd.ts";
import { Downloads } from "../../service/downloads.ts";
import { backupName, type Identity, unknownDatabase } from "../../service/identity.ts";
import { UPLOAD_MS } from "../../service/jobs/imports.ts";
import { JobTable } from "../../service/jobs/table.ts";
import { type Deletion, KeptBackups } from "../../vault/kept-backups.ts";
import { Bin } from "../jobs/bin.ts";
import { registry } from "../registry.ts";
import type { ObjectEnv } from "../settings.ts";
import { abandonBackup } from "./backup-runs.ts";
import { closeLeft } from "./live.ts";
import { backupsPlace, StoredNotes } from "./notes.ts";
import { discardAll } from "./polled.ts";

/** What the object of a deleted database knows of it. */
export interface Ended extends Identity {
  /** When it was deleted, in milliseconds since 1970. */
  endedMs: number;
  /** Whether nothing of the database is left in the object's storage but what its backups need. */
  isCleared?: boolean;
}

const KEY = "ended";
/** What could not be done is tried again after so long, in milliseconds. */
const AGAIN_MS = 60_000;

/**
 * A database that was deleted: its object keeps what is known of its backups, for as long as there are any, and clears
 * the rest away, from its own storage and from the bucket.
 */
export class DeletedDatabase {
  readonly #storage: DurableObjectStorage;
  readonly #store: Store;
  readonly #env: ObjectEnv;
  #ended: Ended;
  #clearing: Promise<boolean> | undefined;

  /** The one that the storage has; nothing when its database is there, or was never made. */
  static load(storage: DurableObjectStorage, env: ObjectEnv): DeletedDatabase | undefined {
    const ended = storage.kv.get<Ended>(KEY);
    return ended && new DeletedDatabase(storage, env, ended);
  }

  static identity(storage: DurableObjectStorage): Identity | undefined {
    return storage.kv.get<Ended>(KEY);
  }

  /** Notes down that a database is deleted: from now on it is, whatever happens. */
  static begin(
    storage: DurableObjectStorage,
    env: ObjectEnv,
    { uuid, name, createdAt }: Identity,
  ): DeletedDatabase {
    const ended: Ended = { uuid, name, createdAt, endedMs: Date.now() };
    storage.kv.put(KEY, ended);
    storage.kv.delete("identity");
    return new DeletedDatabase(storage, env, ended);
  }

  private constructor(storage: DurableObjectStorage, env: ObjectEnv, ended: Ended) {
    this.#storage = storage;
    this.#env = env;
    this.#ended = ended;
    this.#store = r2(env.BACKUPS);
  }

  get backups(): KeptBackups {
    const { sql } = this.#storage;
    const place = backupsPlace(sql, this.#env, this.#ended, { store: this.#store, bin: this.#bin });
    return new KeptBackups({ ...place, endedMs: this.#ended.endedMs });
  }

  get downloads(): Downloads {
    const database = () => Promise.reject(unknownDatabase());
    return new Downloads({ identity: this.#ended, database }, this.backups);
  }

  get #bin(): Bin {
    return new Bin(this.#storage.sql, this.#env.BACKUPS);
  }

  async deleteBackup(id: string): Promise<Deletion> {
    const deletion = await this.backups.delete(id);
    await this.clear();
    return deletion;
  }

  /**
   * Clears away all but the backups, once `stopped` says that nothing is at work any more; an alarm goes on with what
   * could not be done. Whether there may be backups.
   */
  clear(stopped?: Promise<unknown>): Promise<boolean> {
    this.#clearing ??= this.#clear(stopped).finally(() => {
      this.#clearing = undefined;
    });
    return this.#clearing;
  }

  async #clear(stopped: Promise<unknown> | undefined): Promise<boolean> {
    await this.#storage.setAlarm(Date.now() + AGAIN_MS);
    try {
      await stopped;
      if (!this.#ended.isCleared) await this.#clearStorage();
      await deleteFiles(this.#store, this.#ended.uuid);
      await this.backups.removeUnneeded();
      return await this.#settle();
    } catch (error) {
      // biome-ignore lint/suspicious/noConsole: nobody waits for it, and this is a Worker's log
      console.error(`the deleted database ${this.#ended.uuid} is not cleared away yet`, error);
      await this.#storage.setAlarm(Date.now() + AGAIN_MS);
      return true;
    }
  }

  /** What is noted down there of the bucket goes first. */
  async #clearStorage(): Promise<void> {
    const storage = this.#storage;
    closeLeft(this.#ended.uuid);
    await abandonBackup(storage, { store: this.#store, name: backupName(this.#ended) });
    await discardAll(new JobTable(storage.sql), this.#bin);
    const notes = new StoredNotes(storage.sql).all();
    this.#ended = { ...this.#ended, isCleared: true };
    // Nothing comes between the two: what is put belongs to what is emptied.
    const emptied = storage.deleteAll();
    storage.kv.put(KEY, this.#ended);
    const kept = new StoredNotes(storage.sql);
    for (const note of notes) kept.put(note);
    await emptied;
    await storage.setAlarm(Date.now() + AGAIN_MS);
  }

  /** Looks what there still is to do, and when. Whether there are backups. */
  async #settle(): Promise<boolean> {
    const { backups } = this;
    const hasBackups = [...(await backups.list()), ...(await backups.partial())].length > 0;
    if (!hasBackups) await registry(this.#env).forget(this.#ended.uuid);
    // A signed URL of before may still be sent to until then.
    const uploadsEnd = this.#ended.endedMs + UPLOAD_MS;
    if (Date.now() < uploadsEnd) await this.#storage.setAlarm(uploadsEnd);
    else {
      await this.#storage.deleteAlarm();
      if (!hasBackups) await this.#storage.deleteAll();
    }
    return hasBackups;
  }
}

/** Deletes the exports and uploads of a database, also what was not noted down, such as an upload that came meanwhile. */
export async function deleteFiles(store: Store, uuid: string): Promise<void> {
  for (const prefix of [`exports/${uuid}-`, `imports/${uuid}.`]) {
    for (let isMore = true; isMore; ) {
      const { objects, cursor } = await store.list(prefix);
      for (const { key } of objects) await store.delete(key);
      isMore = cursor !== undefined;
    }
  }
}
