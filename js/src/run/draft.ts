import type { NextBackup } from "../catalog/history.ts";
import type { BackupRecord } from "../catalog/record.ts";
import { type Core, core } from "../core/index.ts";
import type { ObjectProof } from "../objects/upload.ts";
import type { Moment } from "../sources/source.ts";
import type { PutOptions, Store } from "../stores/store.ts";
import { collectText } from "../streams/streams.ts";
import type { Identified } from "./identity.ts";
import type { Subject } from "./subject.ts";

/** What of a backup is settled before its pages are read; plain data, the same however often the backup is begun again. */
export interface Draft {
  record: Omit<BackupRecord, "bookmark" | "ltx" | "changed" | "fingerprints">;
  /** When it was begun, in milliseconds since 1970. */
  nowMs: number;
  /** The state's number, 16 hex digits. */
  txid: string;
  /** 16 hex digits. */
  lineage: string;
  /** Of its three objects in the store. */
  keys: { ltx: string; fingerprints: string; record: string };
}

/** What is known when all pages were read. */
export interface Packed {
  /** Database checksum, 16 hex digits. */
  checksum: string;
  /** Pages in the LTX file. */
  changed: number;
  ltx: ObjectProof;
  fingerprints: ObjectProof;
}

export async function draftBackup(
  { store, folder, name, safety }: Subject,
  next: NextBackup,
  moment: Moment,
  { schema, identity }: Identified,
  { kind, complete }: { kind: BackupRecord["kind"]; complete: boolean },
): Promise<Draft> {
  const { ltxKey, fingerprintsKey, recordKey } = await core();
  const now = new Date();
  const ltx =
    kind === "full"
      ? ltxKey(store.layout, 9, FIRST_TXID, next.txid)
      : ltxKey(store.layout, 0, next.first, next.txid);
  return {
    record: {
      version: 1,
      id: crypto.randomUUID(),
      name,
      createdAt: rfc3339(now),
      kind,
      first: next.first,
      previous: next.previous,
      pageSize: moment.pageSize,
      pageCount: moment.pageCount,
      tables: schema.names.length,
      taken: moment.taken,
      complete,
      ...(safety && { safety: true }),
      ...(moment.mark !== undefined && { mark: moment.mark }),
      identity,
      free: schema.free,
    },
    nowMs: now.getTime(),
    txid: next.txid,
    lineage: next.lineage,
    keys: {
      ltx: `${folder}/${ltx}`,
      fingerprints: `${folder}/${fingerprintsKey(next.first, next.txid)}`,
      record: `${folder}/${recordKey(next.first)}`,
    },
  };
}

const FIRST_TXID = "0000000000000001";

/** Writes the draft's files, on top of a state with the database checksum `before`, if any. */
export function writerFor({ Writer }: Core, { record, txid, nowMs }: Draft, before?: string) {
  const min = record.kind === "full" ? FIRST_TXID : record.first;
  return new Writer(record.pageSize, record.pageCount, min, txid, nowMs, before);
}

export function finishRecord(
  { formatBookmark }: Core,
  { record, txid, nowMs, lineage }: Draft,
  { checksum, ...packed }: Packed,
): BackupRecord {
  return { ...record, bookmark: formatBookmark(txid, nowMs, checksum, lineage), ...packed };
}

/** Stores the record, which makes the backup. A store may have done so and still report an error: then it counts. */
export async function putRecord(store: Store, key: string, text: string, options: PutOptions): Promise<void> {
  try {
    await store.put(key, new TextEncoder().encode(text), options);
  } catch (error) {
    if ((await readText(store, key, options.signal)) !== text) throw error;
  }
}

/** An object's text; `undefined` when it cannot be read. */
export async function readText(store: Store, key: string, signal?: AbortSignal): Promise<string | undefined> {
  return store
    .get(key, { signal })
    .then(collectText)
    .catch(() => undefined);
}

/** RFC 3339 with microseconds, which no clock here has: zeros. */
function rfc3339(date: Date): string {
  return date.toISOString().replace("Z", "000Z");
}
