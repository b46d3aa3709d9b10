import { core, translateCoreError } from "../core/index.ts";
import { ConflictError, ObjectExistsError, PagemarkError } from "../errors/index.ts";
import type { Moment, PageSource } from "../sources/source.ts";
import type { PutOptions, Store } from "../stores/store.ts";
import { History, type Link, type NextBackup } from "./history.ts";
import { packMoment } from "./pack-moment.ts";
import { isLostFingerprint, PreviousStates } from "./previous-states.ts";
import { type JobOptions, sleep, Throttle } from "./progress.ts";
import { type Backup, type BackupRecord, toBackup, txidOf } from "./record.ts";
import { readTables } from "./tables.ts";
import { Upload } from "./upload.ts";

export interface BackupOptions extends JobOptions {
  /** Makes a full backup even where an incremental one would do. */
  full?: boolean;
  /** Pages a step, after each of which progress is told and `signal` is looked at; -1 leaves it to Pagemark. */
  pages?: number;
  /** Reads no faster than this. */
  maxBytesPerSecond?: number;
}

/** A backup that was just made. */
export interface NewBackup extends Backup {
  /** Why it is a full one; missing when it is incremental. */
  fullBecause?: string;
  /** What was found damaged on the way; the backup itself is whole. */
  warnings: string[];
}

/** What a job works on. */
export interface Subject {
  /** Whether a restore makes the backup, of what it is about to replace. */
  safety: boolean;
  source: PageSource;
  store: Store;
  /** The database's name. */
  name: string;
  /** Its folder in the store. */
  folder: string;
}

/** A source that changes under every attempt is given up after so many. */
const ATTEMPTS = 5;

/** Makes a backup: fingerprints, LTX file, and the record last. A backup exists when its record does. */
export async function backUp(subject: Subject, options: BackupOptions = {}): Promise<NewBackup> {
  const { pages, signal } = options;
  if (pages !== undefined && pages !== -1 && !(Number.isInteger(pages) && pages > 0)) {
    throw new PagemarkError("USAGE", `pages must be -1 or a whole number above 0, not ${pages}`);
  }
  for (let attempt = 1; ; attempt++) {
    try {
      return await attemptBackup(subject, options);
    } catch (error) {
      const changed = error instanceof PagemarkError && error.code === "SOURCE_CHANGED";
      if (!changed || attempt === ATTEMPTS) throw error;
      await sleep(20 * attempt, signal);
    }
  }
}

async function attemptBackup(subject: Subject, options: BackupOptions): Promise<NewBackup> {
  const { source, store, folder } = subject;
  const { signal } = options;
  signal?.throwIfAborted();
  const history = await History.load(store, folder, "newest", signal);
  const next = withLostObjects(history, history.next());
  const head = next.fullBecause === null ? history.find("latest") : undefined;
  const moment = await source.pin({ since: head?.mark, signal });
  try {
    const fullBecause = options.full
      ? "it was asked for"
      : (next.fullBecause ?? pageSizeChanged(head, moment));
    if (fullBecause !== null)
      return await makeBackup(subject, options, { next, history, moment, fullBecause });
    const links = history.fingerprints(history.find("latest"));
    try {
      return await makeBackup(subject, options, { next, history, moment, links });
    } catch (error) {
      const translated = translateCoreError(error);
      if (!isLostFingerprint(translated, links)) throw translated;
      const fullBecause = "the fingerprints of the last backup are damaged or lost";
      const damaged = { ...next, damaged: true };
      return await makeBackup(subject, options, { next: damaged, history, moment, fullBecause });
    }
  } catch (error) {
    throw translateCoreError(error, source.name);
  } finally {
    await moment.release().catch(() => {});
  }
}

/** A chain that lacks an object, or has one of another size, is not made longer: that would restore nothing. */
function withLostObjects(history: History, next: NextBackup): NextBackup {
  if (next.fullBecause !== null) return next;
  const lost = history.chain(history.find("latest")).some(({ record, ltx }) => {
    return history.sizeOf(ltx) !== record.ltx.size;
  });
  return lost
    ? { ...next, fullBecause: "an object of the chain before is missing or damaged", damaged: true }
    : next;
}

function pageSizeChanged(head: BackupRecord | undefined, moment: Moment): string | null {
  return head?.pageSize === moment.pageSize ? null : "the database's page size has changed";
}

interface Plan {
  next: NextBackup;
  history: History;
  moment: Moment;
  /** Set for a full backup. */
  fullBecause?: string;
  /** The fingerprint chain; set for an incremental backup. */
  links?: Link[];
}

async function makeBackup(subject: Subject, options: BackupOptions, plan: Plan): Promise<NewBackup> {
  const { source, store, folder, name } = subject;
  const { next, history, moment, fullBecause, links } = plan;
  const { Writer, ltxKey, fingerprintsKey, recordKey, formatBookmark, encodeRecord } = await core();
  const now = new Date();
  const previous = links && (await PreviousStates.open(store, links, options.signal));
  const head = links?.at(-1)?.record;
  const complete = !head || history.wantsCompleteFingerprints(head, moment.changed?.length ?? 0);
  const tables = await countTables(moment, options.signal);

  const level = previous ? 0 : 9;
  const min = previous ? next.first : "0000000000000001";
  const writer = new Writer(
    moment.pageSize,
    moment.pageCount,
    min,
    next.txid,
    now.getTime(),
    previous?.checksum,
  );
  const put = { modified: now, ownsChunks: true, signal: options.signal };
  const ltx = await Upload.start(store, `${folder}/${ltxKey(store.layout, level, min, next.txid)}`, put);
  const prints = await Upload.start(store, `${folder}/${fingerprintsKey(next.first, next.txid)}`, put);
  const uploads = [ltx, prints];
  /** Keys that are this run's own, in the order in which they may go. */
  const ours: string[] = [];
  let recorded = false;
  try {
    const throttle = new Throttle(options.maxBytesPerSecond, options.signal);
    await packMoment({ moment, previous, complete, writer, ltx, prints, throttle, options });
    // The moment held: all that follows is only storing.
    await moment.release();
    const changed = writer.pages;
    const tail = writer.finish();
    for (let piece = tail.next(); piece; piece = tail.next()) await ltx.write(piece);
    // One after the other: of two backups at once, whoever gets the first name gets the second too. And an LTX file
    // of ours never lies there without its fingerprints, which tell it from one that Litestream wrote.
    const fingerprints = await prints.finish();
    ours.push(prints.key);
    const ltxProof = await ltx.finish().catch((error) => {
      // A store may have stored it and still report an error.
      if (!(error instanceof ObjectExistsError)) ours.unshift(ltx.key);
      throw error;
    });
    ours.unshift(ltx.key);
    options.signal?.throwIfAborted();
    const lineage = next.lineage ?? randomHex(8);
    const record: BackupRecord = {
      version: 1,
      id: crypto.randomUUID(),
      name,
      createdAt: rfc3339(now),
      kind: previous ? "incremental" : "full",
      bookmark: formatBookmark(next.txid, now.getTime(), tail.checksum, lineage),
      first: next.first,
      previous: next.previous,
      pageSize: moment.pageSize,
      pageCount: moment.pageCount,
      tables,
      taken: moment.taken,
      ltx: ltxProof,
      changed,
      fingerprints,
      complete,
      ...(subject.safety && { safety: true }),
      ...(moment.mark !== undefined && { mark: moment.mark }),
    };
    const text = encodeRecord(JSON.stringify(record));
    recorded = true;
    await putRecord(store, `${folder}/${recordKey(next.first)}`, text, put);
    await sweep(subject, history, next);
    const warnings = next.damaged
      ? [`this is a full backup because ${fullBecause}; run verify to see what is left`]
      : [];
    return { ...toBackup(record), ...(fullBecause !== undefined && { fullBecause }), warnings };
  } catch (error) {
    for (const upload of uploads) await upload.abort(error);
    const conflict = error instanceof ObjectExistsError;
    // A record that may have been stored all the same must not lose its files.
    if (conflict || !recorded) await discard(store, ours);
    if (conflict) throw new ConflictError(name);
    throw translateCoreError(error, source.name);
  } finally {
    await previous?.close();
  }
}

/** Stores the record, which makes the backup. A store may have done so and still report an error: then it counts. */
async function putRecord(store: Store, key: string, text: string, options: PutOptions): Promise<void> {
  try {
    await store.put(key, new TextEncoder().encode(text), options);
  } catch (error) {
    const found = await store.get(key, { signal: options.signal }).then(
      (stream) => new Response(stream).text(),
      () => undefined,
    );
    if (found !== text) throw error;
  }
}

/**
 * Deletes what runs that died have left: the files of runs that wanted the name of a record which another run got.
 * One that is under way now has lost already. A record that is only missing, or damaged, keeps its files.
 */
async function sweep({ store, folder }: Subject, history: History, next: NextBackup): Promise<void> {
  const { ltxKey } = await core();
  const records = history.list().flatMap((entry) => ("record" in entry ? [entry.record] : []));
  const firsts = new Set([next.first, ...records.map(({ first }) => first)]);
  const known = new Set([next.txid, ...records.map(txidOf)]);
  const files = history.fingerprintFiles.map((key) => {
    const [, first = "", max = ""] = /([0-9a-f]{16})-([0-9a-f]{16})\.pages$/.exec(key) ?? [];
    return { key, first, max };
  });
  // No record, but files that came after the first: the records were lost.
  if (records.length === 0 && files.some(({ first }) => first !== next.first)) return;
  for (const { key, first, max } of files) {
    if (!firsts.has(first) || known.has(max)) continue;
    const ltx = [ltxKey(store.layout, 0, first, max), ltxKey(store.layout, 9, "0000000000000001", max)];
    await discard(
      store,
      [...ltx, key].map((below) => `${folder}/${below}`),
    );
  }
}

/** Deletes in that order, fingerprints last: what cannot be deleted now is invisible, and goes the next time. */
async function discard(store: Store, keys: string[]): Promise<void> {
  try {
    for (const key of keys) await store.delete(key);
  } catch {
    // The next backup sweeps.
  }
}

async function countTables(moment: Moment, signal: AbortSignal | undefined): Promise<number> {
  const page = new Uint8Array(moment.pageSize);
  const read = async (pgno: number) => {
    await moment.read(pgno, page, signal);
    return page.slice();
  };
  return (await readTables(read, moment.pageCount, false)).length;
}

function randomHex(bytes: number): string {
  return [...crypto.getRandomValues(new Uint8Array(bytes))]
    .map((b) => b.toString(16).padStart(2, "0"))
    .join("");
}

/** RFC 3339 with microseconds, which `Date` does not have: the part below a millisecond comes from the monotonic clock. */
function rfc3339(date: Date): string {
  const micros = Math.floor((performance.now() % 1) * 1000);
  return date.toISOString().replace("Z", `${String(micros).padStart(3, "0")}Z`);
}
