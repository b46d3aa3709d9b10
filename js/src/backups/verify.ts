import { checkPresence, History, type Link } from "../catalog/history.ts";
import { type Backup, type BackupRecord, lineageIn, toBackup, txidOf } from "../catalog/record.ts";
import { PagemarkError } from "../errors/index.ts";
import { ObjectReader, type StoredFile } from "../objects/object-reader.ts";
import { planRestore, restoreStream } from "../stored/restore.ts";
import type { Store } from "../stores/store.ts";
import type { JobOptions } from "../streams/progress.ts";
import { drain } from "../streams/streams.ts";

export interface VerifyOptions extends JobOptions {
  /** Verifies this backup alone: id, bookmark, TXID or time. All of them unless given. */
  at?: string;
}

export interface Problem {
  code: string;
  message: string;
  /** Key of the object, or first TXID of the record. */
  name: string;
}

export interface Verification {
  /** Backups that can be restored. */
  sound: Backup[];
  /** What is wrong; empty when all is well. */
  problems: Problem[];
  /** Stored bytes that were read. */
  bytes: number;
}

/** Objects that are read at a time. */
const AT_ONCE = 4;

/**
 * Reads every object of every backup against its recorded digest, and puts the newest backup (or the one of `at`)
 * together as a restore would, against its database checksum.
 */
export async function verify(
  store: Store,
  folder: string,
  options: VerifyOptions = {},
): Promise<Verification> {
  const { at, signal } = options;
  const history = await History.load(store, folder, "all", signal);
  if (history.isEmpty) return verifyReplica(store, folder, options);
  const result: Verification = { sound: [], problems: [], bytes: 0 };
  const links: Link[] = [];
  if (at === undefined) {
    for (const entry of history.checked()) {
      if ("damage" in entry) result.problems.push({ ...entry.damage, name: entry.first });
      else links.push(entry);
    }
  } else {
    const record = history.find(at);
    try {
      links.push(...history.chain(record));
    } catch (error) {
      result.problems.push(problemOf(error, record.first));
    }
  }
  result.problems.push(...foreignRecords(history));
  const bad = await readObjects(store, history, links, result, options);
  const sound = new Set<string>();
  for (const { record, ltx } of links) {
    const { kind, first, previous } = record;
    if (!bad.has(ltx) && (kind === "full" || (previous && sound.has(previous.first)))) sound.add(first);
  }
  const last = links.at(-1)?.record;
  const wanted = at === undefined ? links.map(({ record }) => record) : last ? [last] : [];
  const restorable = wanted.filter(({ first }) => sound.has(first));
  result.sound = restorable.map(toBackup);
  const newest = restorable.at(-1);
  if (newest) await putTogether(store, history, newest, result, options);
  return result;
}

/** A full backup names no digest that would show where it comes from, but its lineage does. */
function foreignRecords(history: History): Problem[] {
  const records = history.list().flatMap((entry) => ("record" in entry ? [entry.record] : []));
  return records.slice(1).flatMap(({ first, bookmark }, index) => {
    if (lineageIn(bookmark) === lineageIn(records[index]?.bookmark ?? "")) return [];
    const message =
      "the backup is not of the same database as the one before it (its lineage differs): it was copied here";
    return [{ code: "CHAIN_LINEAGE", message, name: first }];
  });
}

/** Reads each object once, a few at a time; gives the keys of the bad ones. */
async function readObjects(
  store: Store,
  history: History,
  links: Link[],
  result: Verification,
  { signal, onProgress }: JobOptions,
): Promise<Set<string>> {
  const objects = links.flatMap(({ record, ltx, fingerprints }) => [
    { key: ltx, ...record.ltx },
    { key: fingerprints, ...record.fingerprints },
  ]);
  const total = objects.reduce((sum, { size }) => sum + size, 0);
  const found = new Map<string, Problem>();
  const queue = objects.values();
  /** What ended one of those that read: the others then end, too, and say nothing more. */
  const failures: unknown[] = [];
  const readOne = async (object: StoredFile) => {
    const reader = await ObjectReader.open(store, object, Number.POSITIVE_INFINITY, signal);
    const problem = (error: unknown) => {
      signal?.throwIfAborted();
      found.set(object.key, problemOf(error, object.key));
      return new Uint8Array();
    };
    try {
      // A restore refuses an object that is too long, though all that it would read is right.
      const isAsLong = history.sizeOf(object.key) === object.size;
      const present = isAsLong ? Promise.resolve() : checkPresence(store, [object], signal);
      let bytes = await present.then(() => reader.next()).catch(problem);
      while (bytes.length > 0 && failures.length === 0) {
        result.bytes += bytes.length;
        onProgress?.({ phase: "verify", done: result.bytes, total, bytes: result.bytes });
        bytes = await reader.next().catch(problem);
      }
    } catch (error) {
      failures.push(error);
    } finally {
      await reader.close();
    }
  };
  const readAll = async () => {
    for (const object of queue) {
      if (failures.length > 0) return;
      await readOne(object).catch((error) => failures.push(error));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, readAll));
  if (failures.length > 0) throw failures[0];
  // In the order of the objects, whichever was read first.
  result.problems.push(...objects.flatMap(({ key }) => found.get(key) ?? []));
  return new Set(found.keys());
}

async function putTogether(
  store: Store,
  history: History,
  record: BackupRecord,
  result: Verification,
  { signal }: JobOptions,
) {
  try {
    const files = history.chain(record).map(({ record, ltx }) => ({ key: ltx, ...record.ltx }));
    await drain(restoreStream(store, { files, record }, { signal }));
  } catch (error) {
    signal?.throwIfAborted();
    result.problems.push(problemOf(error, txidOf(record)));
    result.sound = result.sound.filter(({ id }) => id !== record.id);
  }
}

/** Litestream's files prove themselves alone. */
async function verifyReplica(store: Store, folder: string, options: VerifyOptions): Promise<Verification> {
  const plan = await planRestore(store, folder, options.at ?? "", options.signal);
  const bytes = plan.files.reduce((sum, { size }) => sum + size, 0);
  try {
    await drain(restoreStream(store, plan, options));
    return { sound: [], problems: [], bytes };
  } catch (error) {
    options.signal?.throwIfAborted();
    return { sound: [], problems: [problemOf(error, folder)], bytes };
  }
}

/** Errors that are not ours say nothing of what is stored: they end the job. */
function problemOf(error: unknown, name: string): Problem {
  if (!(error instanceof PagemarkError)) throw error;
  return { code: error.code, message: error.message, name: error.at.name ?? name };
}
