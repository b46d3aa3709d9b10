import type { ListPage, Store, StoredObject } from "../stores/store.ts";
import { type EncodedRecord, History } from "./history.ts";
import type { BackupRecord } from "./record.ts";

/** More objects than this are not remembered. */
const MOST_OBJECTS = 5000;

/** A database's place in a store. */
interface Place {
  store: Store;
  /** The database's folder in it. */
  folder: string;
}

/** What was known of a database's backups at one moment. */
interface Known {
  history: History;
  /** All that there was, by key. */
  objects: Map<string, StoredObject>;
  /** The newest record, once it has been read. */
  head?: BackupRecord;
}

/**
 * What one who makes backups knows of them from the last time. As long as the store lists just that (the same objects, of
 * the same sizes and times), nobody else has come, and nothing need be read and proved again.
 */
export class KnownHistory {
  #known: Known | undefined;

  /**
   * The history back to the last full backup. `isKnown` when it is the one that was remembered: its chain is whole, and
   * nothing is there that a run left. Of two backups at once only one gets that.
   */
  async load(place: Place, signal: AbortSignal | undefined): Promise<Known & { isKnown: boolean }> {
    const known = this.#known;
    this.#known = undefined;
    if (known && (await isAll(known.objects, place, signal))) return { ...known, isKnown: true };
    const objects = new Map<string, StoredObject>();
    const { store, folder } = place;
    const history = await History.load(store, folder, "newest", signal, (object) => {
      if (objects.size <= MOST_OBJECTS) objects.set(object.key, object);
    });
    return { history, objects, isKnown: false };
  }

  /** Remembers `known` together with the backup that was made on top of it. */
  remember(
    { history, objects }: Known,
    made: readonly StoredObject[],
    head: BackupRecord,
    record: EncodedRecord,
  ): void {
    for (const object of made) objects.set(object.key, object);
    if (objects.size > MOST_OBJECTS) return;
    history.add(made, record);
    this.#known = { history, objects, head };
  }
}

/** Whether the store lists these objects and no others. */
async function isAll(
  objects: ReadonlyMap<string, StoredObject>,
  { store, folder }: Place,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  let [cursor, count]: [string | undefined, number] = [undefined, 0];
  do {
    const page: ListPage = await store.list(`${folder}/`, { cursor, signal });
    for (const { key, size, modified } of page.objects) {
      const known = objects.get(key);
      if (known?.size !== size || known.modified.getTime() !== modified.getTime()) return false;
    }
    count += page.objects.length;
    cursor = page.cursor;
  } while (cursor !== undefined);
  return count === objects.size;
}
