import { core } from "../core/index.ts";
import { PagemarkError } from "../errors/index.ts";
import type { Store } from "../stores/store.ts";
import { History } from "./history.ts";
import { type BackupRecord, txidOf } from "./record.ts";

/**
 * The keys of all that belongs to these backups, in the order in which they can be deleted: records first, newest
 * first, so that none is ever listed without what it needs. Whoever deletes them notes them down before: without its
 * record a file is not found again.
 *
 * @throws PagemarkError `BACKUP_UNKNOWN`; `BACKUP_NEEDED` when another backup is made of one of them
 */
export async function removalKeys(
  store: Store,
  folder: string,
  ids: ReadonlySet<string>,
  signal?: AbortSignal,
): Promise<string[]> {
  const { recordKey } = await core();
  const history = await History.load(store, folder, "all", signal);
  const records = history.list().flatMap((entry) => ("record" in entry ? [entry.record] : []));
  const isGone = ({ id }: BackupRecord) => ids.has(id);
  const gone = records.filter(isGone).reverse();
  if (gone.length < ids.size) throw new PagemarkError("BACKUP_UNKNOWN", "no backup has one of those ids");
  for (const kept of records.filter((record) => !isGone(record) && record.kind === "incremental")) {
    const needed = history.chain(kept).find(({ record }) => isGone(record));
    if (needed) {
      const message = `backup ${needed.record.id} is part of backup ${kept.id}; delete that one first`;
      throw new PagemarkError("BACKUP_NEEDED", message, { txid: txidOf(kept) });
    }
  }
  // The fingerprints last: they tell an LTX file from one that Litestream wrote.
  const files = gone.flatMap((record) => {
    const { ltx, fingerprints } = history.linkOf(record);
    return [ltx, fingerprints];
  });
  return [...gone.map(({ first }) => `${folder}/${recordKey(first)}`), ...files];
}
