import { core, naming } from "../core/index.ts";
import type { Store } from "../stores/store.ts";
import { History } from "./history.ts";
import { type Backup, toBackup } from "./record.ts";

/** A database that has a folder in a store. */
export interface StoredDatabase {
  name: string;
  /** How many backups it has; none where Litestream wrote the folder. */
  backups: number;
  /** The newest one; missing where there is none, or its record is damaged. */
  newest?: Backup;
  /** Size of all its objects, in bytes. */
  storedSize: number;
}

/** The databases that have backups in a store, by name. */
export async function databasesIn(
  store: Store,
  { signal }: { signal?: AbortSignal } = {},
): Promise<StoredDatabase[]> {
  const { History: Keys, segmentToName } = await core();
  const found = new Map<string, { backups: number; files: number; storedSize: number }>();
  const keys = new Keys();
  try {
    let cursor: string | undefined;
    do {
      const page = await store.list("", { cursor, signal });
      for (const { key, size } of page.objects) {
        const slash = key.indexOf("/");
        if (slash < 0) continue;
        const folder = key.slice(0, slash);
        const each = found.get(folder) ?? { backups: 0, files: 0, storedSize: 0 };
        found.set(folder, each);
        const below = key.slice(slash + 1);
        if (keys.see(below, store.layout)) each.backups++;
        if (below.endsWith(".ltx")) each.files++;
        each.storedSize += size;
      }
      cursor = page.cursor;
    } while (cursor !== undefined);
  } finally {
    keys.free();
  }
  const databases: StoredDatabase[] = [];
  for (const [folder, { backups, files, storedSize }] of found) {
    const name = segmentToName(folder);
    // What else lies there is nobody's.
    if (name === undefined || backups + files === 0) continue;
    const newest = backups > 0 ? await newestIn(store, folder, name, signal) : undefined;
    databases.push({ name, backups, ...(newest && { newest }), storedSize });
  }
  return databases.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function newestIn(store: Store, folder: string, name: string, signal: AbortSignal | undefined) {
  return naming(name, async () => {
    const newest = (await History.load(store, folder, "newest", signal)).list().at(-1);
    return newest && "record" in newest ? toBackup(newest.record) : undefined;
  });
}
