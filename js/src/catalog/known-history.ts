import type { ListPage, Store, StoredObject } from "../stores/store.ts";
import { type EncodedRecord, History } from "./history.ts";
import type { BackupRecord } from "./record.ts";

/** From so many objects on, only those of the newest chain are listed to see whether they are as they were. */
const FEW_OBJECTS = 200;

/** A database's place in a store. */
interface Place {
  store: Store;
  /** The database's folder in it. */
  folder: string;
}

/** What was known of a database's backups at one moment. */
interface Known {
  history: History;
  /** What there was, by key: all of it, or with `prefixes` what belongs to the newest chain. */
  objects: Map<string, StoredObject>;
  /** Beginnings of the keys of all that belongs to the newest chain; missing while there is little else. */
  prefixes?: string[];
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
    if (known && (await isAll(known, place, signal))) return { ...known, isKnown: true };
    const objects = new Map<string, StoredObject>();
    const { store, folder } = place;
    const history = await History.load(store, folder, "newest", signal, (object) => {
      objects.set(object.key, object);
    });
    return { history, objects, isKnown: false };
  }

  /** Remembers `known` together with the backup that was made on top of it. */
  remember(
    { history, objects, prefixes }: Known,
    made: readonly StoredObject[],
    head: BackupRecord,
    record: EncodedRecord,
  ): void {
    // With a new chain what came before can be forgotten: the next backup finds out anew.
    if (head.kind === "full" && objects.size > FEW_OBJECTS) return;
    for (const object of made) objects.set(object.key, object);
    history.add(made, record);
    this.#known = { history, head, ...narrowed(history, head, objects, prefixes) };
  }
}

/** Forgets objects that no backup on top of `head` needs, when there are many. */
function narrowed(
  history: History,
  head: BackupRecord,
  objects: Map<string, StoredObject>,
  known: string[] | undefined,
): Pick<Known, "objects" | "prefixes"> {
  if (!known && objects.size <= FEW_OBJECTS) return { objects };
  const [base = head] = history.chain(head).map(({ record }) => record);
  const prefixes = history.prefixesFrom(base);
  if (prefixes.length === 0 || prefixes.join() === known?.join())
    return { objects, ...(known && { prefixes: known }) };
  // As many as there are, and not those of the chain alone: what lies beside them must not have changed either.
  const isNear = ([key]: [string, StoredObject]) => prefixes.some((prefix) => key.startsWith(prefix));
  return { objects: new Map([...objects].filter(isNear)), prefixes };
}

/** Whether the store lists these objects and no others. */
async function isAll(
  { objects, prefixes }: Known,
  { store, folder }: Place,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  let count = 0;
  for (const prefix of prefixes ?? [`${folder}/`]) {
    let cursor: string | undefined;
    do {
      const page: ListPage = await store.list(prefix, { cursor, signal });
      for (const { key, size, modified } of page.objects) {
        const known = objects.get(key);
        if (known?.size !== size || known.modified.getTime() !== modified.getTime()) return false;
      }
      count += page.objects.length;
      cursor = page.cursor;
    } while (cursor !== undefined);
  }
  return count === objects.size;
}
