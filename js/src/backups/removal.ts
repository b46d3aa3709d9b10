// Deleting backups for good. What must go is noted down in the store first: without its record a file is not found again.

import { type Backup, Folder } from "../catalog/folder.ts";
import { uuid } from "../core/index.ts";
import { PagemarkError, StoreError } from "../errors/index.ts";
import type { Store } from "../stores/store.ts";
import { collect } from "../streams/streams.ts";

/** Where a database's backups are. */
export interface Place {
  store: Store;
  /** The database's folder. */
  folder: string;
}

/** What must go: an object in the store until all of it is gone, so that another run can finish what this one began. */
interface Removal {
  version: 1;
  ids: string[];
  /** In the order in which they can be deleted. */
  keys: string[];
}

/** Files that are deleted at a time. */
const AT_ONCE = 8;

/**
 * Deletes these backups. Nobody may back up on top of them meanwhile.
 *
 * @throws PagemarkError `BACKUP_UNKNOWN`; `BACKUP_NEEDED` when another backup is made of one of them
 * @throws StoreError when the store does not delete; another removal goes on there
 */
export async function removeBackups(
  place: Place,
  ids: ReadonlySet<string>,
  signal?: AbortSignal,
): Promise<void> {
  const { store, folder } = place;
  if (ids.size === 0) return;
  const loaded = await Folder.load(store, folder, undefined, signal);
  const keys = loaded.use(() => loaded.removal(ids));
  const removal: Removal = { version: 1, ids: [...ids], keys };
  const noted = `${prefixOf(folder)}${uuid()}.json`;
  await store.put(noted, new TextEncoder().encode(JSON.stringify(removal)), { signal });
  await deleteAll(store, [...keys, noted], signal);
}

/** Goes on with the removals that did not come to their end. Call it before {@link removeBackups}. */
export async function finishRemovals(
  { store, folder }: Place,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { objects } = await store.list(prefixOf(folder), { signal });
  for (const { key, size } of objects) {
    const removal = parse(await collect(await store.get(key, { signal }), size), folder);
    const loaded = await Folder.load(store, folder, undefined, signal);
    const keys = removal ? loaded.use(() => left(removal, loaded)) : [];
    await deleteAll(store, [...keys, key], signal);
  }
}

/** What a removal may still delete: nothing of a backup that was made since, perhaps under a name that was free again. */
function left(removal: Removal, folder: Folder): string[] {
  const done = folder.list().filter(({ state }) => state === "done");
  const ours = new Set(done.map(({ id }) => id).filter((id) => removal.ids.includes(id)));
  try {
    const theirs = new Set(folder.removal(new Set(done.map(({ id }) => id))));
    for (const key of folder.removal(ours)) theirs.delete(key);
    return removal.keys.filter((key) => !theirs.has(key));
  } catch (error) {
    // One of them is needed by now.
    if (error instanceof PagemarkError && error.code === "BACKUP_NEEDED") return [];
    throw error;
  }
}

function parse(bytes: Uint8Array, folder: string): Removal | undefined {
  try {
    const { version, ids, keys }: Removal = JSON.parse(new TextDecoder().decode(bytes));
    const isText = (text: unknown) => typeof text === "string";
    const isOurs = keys.every((key) => isText(key) && key.startsWith(`${folder}/`));
    return version === 1 && isOurs && ids.every(isText) ? { version, ids, keys } : undefined;
  } catch {
    return undefined;
  }
}

/** Deletes records one after the other and the files after them side by side. */
async function deleteAll(store: Store, keys: string[], signal: AbortSignal | undefined): Promise<void> {
  const records = keys.filter((key) => key.endsWith(".json"));
  const note = records.pop();
  const files = keys.filter((key) => !key.endsWith(".json"));
  let gone = 0;
  const remove = async (key: string) => {
    signal?.throwIfAborted();
    await store.delete(key, { signal });
    gone++;
  };
  try {
    for (const key of records) await remove(key);
    // LTX files before fingerprints, which tell them from those that Litestream wrote.
    for (const group of [files.filter(isLtx), files.filter((key) => !isLtx(key))]) {
      for (let at = 0; at < group.length; at += AT_ONCE) {
        await Promise.all(group.slice(at, at + AT_ONCE).map(remove));
      }
    }
    if (note !== undefined) await remove(note);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    const message =
      `${error.message}; ${gone} of ${keys.length} objects were deleted. A store that is append-only keeps all of them: ` +
      "prune with the right to delete, which goes on here";
    throw new StoreError(error.code as `STORE_${string}`, message, error.at, { cause: error });
  }
}

function isLtx(key: string): boolean {
  return key.endsWith(".ltx");
}

function prefixOf(folder: string): string {
  return `${folder}/pagemark/removal-`;
}

/** Whether a backup can be told apart: one whose record is damaged cannot. */
export function isDone({ state }: Backup): boolean {
  return state === "done";
}
