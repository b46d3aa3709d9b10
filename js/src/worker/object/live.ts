import { type DurableObjectStore, durableObjectStore } from "../../engine/durable-object-store.ts";
import { Database } from "../../entry/engine.workerd.ts";

/** Size of SQLite's page cache, in bytes: an isolate has 128 MB, and may serve several objects. */
const CACHE = 8 << 20;
/** Slices of some 4,000 page versions, which are dropped at a time. */
const SLICES = 8;

/**
 * The databases that are open in this isolate, by UUID. An object that was evicted says nothing; its successor in the
 * same isolate closes what it had open.
 */
const open = new Map<string, Database>();

/** A database over its object's storage, opened when it is first needed. */
export class Live {
  readonly #uuid: string;
  readonly #historyMs: number;
  readonly #store: DurableObjectStore;
  readonly #listeners: ((database: Database) => void | Promise<void>)[] = [];
  #opening: Promise<Database> | undefined;

  constructor(storage: DurableObjectStorage, uuid: string, history: { ageMs: number; bytes: number }) {
    this.#uuid = uuid;
    this.#historyMs = history.ageMs;
    this.#store = durableObjectStore(storage, { historyBytes: history.bytes });
  }

  /** `listener` is called whenever it was opened, before anything else is done with it: to hold again what was held. */
  onOpened(listener: (database: Database) => void | Promise<void>): void {
    this.#listeners.push(listener);
  }

  /** The open database. */
  database(): Promise<Database> {
    this.#opening ??= this.#open().catch((error) => {
      this.#opening = undefined;
      throw error;
    });
    return this.#opening;
  }

  /** Closes it; the next use reads the storage anew. */
  async close(): Promise<void> {
    const opening = this.#opening;
    this.#opening = undefined;
    const database = await opening?.catch(() => undefined);
    if (!database) return;
    database.close();
    if (open.get(this.#uuid) === database) open.delete(this.#uuid);
  }

  /** Drops some of what history keeps no more, of a database that nobody writes to; commits do that as well. */
  async sweep(): Promise<void> {
    (await this.database()).sweep();
    for (let slice = 0; slice < SLICES && this.#store.sweep(); slice++);
  }

  async #open(): Promise<Database> {
    closeLeft(this.#uuid);
    const database = await Database.open({
      name: this.#uuid,
      store: this.#store,
      cacheSize: CACHE,
      history: { ageMs: this.#historyMs },
    });
    open.set(this.#uuid, database);
    for (const listener of this.#listeners) await listener(database);
    return database;
  }
}

/** Closes what an object that is gone had open in this isolate. */
export function closeLeft(uuid: string): void {
  try {
    open.get(uuid)?.close();
  } catch {
    // What it had not committed is gone with it.
  }
  open.delete(uuid);
}
