// What leaves a store: backups that are removed, and what runs that died have left.
import { core } from "../core/index.ts";
import { PagemarkError } from "../errors/index.ts";
import type { Store } from "../stores/store.ts";
import { History, type NextBackup } from "./history.ts";
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

/** Where a database's objects lie. */
interface Place {
  store: Store;
  /** The database's folder in it. */
  folder: string;
}

/**
 * Deletes what runs that died have left: the files of runs that wanted the name of a record which another run got.
 * One that is under way now has lost already. A record that is only missing, or damaged, keeps its files.
 *
 * Whether all files there are belong to records; what came before the last full backup is not looked at.
 */
export async function sweep({ store, folder }: Place, history: History, next: NextBackup): Promise<boolean> {
  const { ltxKey } = await core();
  const records = history.list().flatMap((entry) => ("record" in entry ? [entry.record] : []));
  const firsts = new Set([next.first, ...records.map(({ first }) => first)]);
  const known = new Set([next.txid, ...records.map(txidOf)]);
  const files = history.fingerprintFiles.map((key) => {
    const [, first = "", max = ""] = /([0-9a-f]{16})-([0-9a-f]{16})\.pages$/.exec(key) ?? [];
    return { key, first, max };
  });
  const oldest = records[0]?.first ?? "";
  const isTidy = files.every(({ first, max }) => known.has(max) || first < oldest);
  // No record, but files that came after the first: the records were lost.
  if (records.length === 0 && files.some(({ first }) => first !== next.first)) return isTidy;
  for (const { key, first, max } of files) {
    if (!firsts.has(first) || known.has(max)) continue;
    const ltx = [ltxKey(store.layout, 0, first, max), ltxKey(store.layout, 9, "0000000000000001", max)];
    await discard(
      store,
      [...ltx, key].map((below) => `${folder}/${below}`),
    );
  }
  return isTidy;
}

/** Deletes in that order, fingerprints last: what cannot be deleted now is invisible, and goes the next time. */
export async function discard(store: Store, keys: string[]): Promise<void> {
  try {
    for (const key of keys) await store.delete(key);
  } catch {
    // The next backup sweeps.
  }
}
