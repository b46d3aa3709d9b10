import { translateCoreError } from "../core/index.ts";
import { PagemarkError } from "../errors/index.ts";
import type { Store } from "../stores/store.ts";
import { checkPresence, History, type Link } from "./history.ts";
import { ObjectReader, type StoredFile } from "./object-reader.ts";
import type { JobOptions } from "./progress.ts";
import { type Backup, lineageIn, toBackup } from "./record.ts";
import { drain, planRestore, restoreStream } from "./restore.ts";

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
  const chains: Link[][] = [];
  for (const entry of at === undefined ? history.list() : [{ first: "", record: history.find(at) }]) {
    if ("damage" in entry) {
      result.problems.push({ ...entry.damage, name: entry.first });
      continue;
    }
    try {
      chains.push(history.chain(entry.record));
    } catch (error) {
      result.problems.push(problemOf(error, entry.first));
    }
  }
  result.problems.push(...foreignRecords(history));
  const bad = await readObjects(store, chains.flat(), result, options);
  for (const chain of chains) {
    const record = chain.at(-1)?.record;
    if (record && !chain.some(({ ltx }) => bad.has(ltx))) result.sound.push(toBackup(record));
  }
  const newest = result.sound.at(-1);
  if (newest) await putTogether(store, folder, newest, result, options);
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

/** Reads each object once; gives the keys of the bad ones. */
async function readObjects(
  store: Store,
  links: Link[],
  result: Verification,
  { signal, onProgress }: JobOptions,
) {
  const objects = new Map<string, StoredFile>();
  for (const { record, ltx, fingerprints } of links) {
    objects.set(ltx, { key: ltx, ...record.ltx });
    objects.set(fingerprints, { key: fingerprints, ...record.fingerprints });
  }
  const total = [...objects.values()].reduce((sum, { size }) => sum + size, 0);
  const bad = new Set<string>();
  for (const object of objects.values()) {
    const reader = await ObjectReader.open(store, object, Number.POSITIVE_INFINITY, signal);
    const problem = (error: unknown) => {
      signal?.throwIfAborted();
      result.problems.push(problemOf(error, object.key));
      bad.add(object.key);
      return new Uint8Array();
    };
    try {
      // A restore refuses an object that is too long, though all that it would read is right.
      const present = checkPresence(store, [object], signal);
      let bytes = await present.then(() => reader.next()).catch(problem);
      while (bytes.length > 0) {
        result.bytes += bytes.length;
        onProgress?.({ phase: "verify", done: result.bytes, total, bytes: result.bytes });
        bytes = await reader.next().catch(problem);
      }
    } finally {
      await reader.close();
    }
  }
  return bad;
}

async function putTogether(
  store: Store,
  folder: string,
  backup: Backup,
  result: Verification,
  { signal }: JobOptions,
) {
  try {
    await drain(restoreStream(store, await planRestore(store, folder, backup.txid, signal), { signal }));
  } catch (error) {
    signal?.throwIfAborted();
    result.problems.push(problemOf(error, backup.txid));
    result.sound = result.sound.filter(({ id }) => id !== backup.id);
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
  const known = translateCoreError(error);
  if (!(known instanceof PagemarkError)) throw error;
  return { code: known.code, message: known.message, name: known.at.name ?? name };
}
