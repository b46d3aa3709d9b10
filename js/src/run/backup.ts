import type { EncodedRecord, History, Link, NextBackup } from "../catalog/history.ts";
import { type Backup, type BackupRecord, toBackup } from "../catalog/record.ts";
import { discard, sweep } from "../catalog/removal.ts";
import { StoreScratch } from "../catalog/scratch.ts";
import { core, named } from "../core/index.ts";
import { ConflictError, ObjectExistsError, PagemarkError } from "../errors/index.ts";
import { Upload } from "../objects/upload.ts";
import type { Moment } from "../sources/source.ts";
import { isLostFingerprint, PreviousStates } from "../stored/page-states.ts";
import { openProvedMoment } from "../stored/proved-moment.ts";
import { sleep, Throttle } from "../streams/progress.ts";
import { type BackupPlan, planBackup, type TellingMoment, tellsAll, whyFull } from "./backup-plan.ts";
import { type Draft, draftBackup, finishRecord, putRecord, writerFor } from "./draft.ts";
import { type Identified, identify, lackOf } from "./identity.ts";
import type { PackOptions } from "./pack-moment.ts";
import { packMoment } from "./pack-moment.ts";
import type { Subject } from "./subject.ts";

export interface BackupOptions extends PackOptions {
  /** Makes a full backup even where an incremental one would do. */
  full?: boolean;
  /**
   * Says that this is the database whose backups go by that name, where it looks like another one (`OTHER_DATABASE`):
   * once is enough.
   */
  sameDatabase?: boolean;
}

/** A backup that was just made. */
export interface NewBackup extends Backup {
  /** Why it is a full one; missing when it is incremental. */
  fullBecause?: string;
  /** What was found damaged on the way; the backup itself is whole. */
  warnings: string[];
  /** How many pages a step may have; missing for a backup that was made in steps by several processes. */
  mostPages?: number;
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
  const plan = await planBackup(subject, signal);
  const scratch = new StoreScratch(store, folder);
  const previous = options.full ? undefined : previousOf(subject, plan, signal);
  const moment = await source.pin({ since: plan.head?.mark, scratch, previous, signal });
  try {
    const { history, next, head } = plan;
    const { sameDatabase: isSame } = options;
    const identified = await identify(subject, plan, moment, { isSame, signal });
    const lack = await lackOf(moment, signal);
    const fullBecause = whyFull(plan, moment, options.full);
    const attempt = { plan, history, next, moment, identified, ...(lack && { lack }) };
    if (!head || fullBecause !== undefined)
      return await makeBackup(subject, options, { ...attempt, ...(fullBecause && { fullBecause }) });
    const isTelling = tellsAll(moment, head);
    if (isTelling && !history.wantsCompleteFingerprints(head, moment.changed.length))
      return await makeBackup(subject, options, { ...attempt, told: moment, head });
    const links = history.fingerprints(head);
    try {
      return await makeBackup(subject, options, { ...attempt, links, head });
    } catch (error) {
      if (!isLostFingerprint(error, links)) throw error;
      const fullBecause = "the fingerprints of the last backup are damaged or lost";
      const damaged = { ...next, damaged: true };
      return await makeBackup(subject, options, { ...attempt, next: damaged, fullBecause });
    }
  } catch (error) {
    throw named(error, source.name);
  } finally {
    await moment.release().catch(() => {});
  }
}

/** Opens the backup that an incremental one is made on top of. */
function previousOf({ store }: Subject, { head, history }: BackupPlan, signal: AbortSignal | undefined) {
  if (!head) return undefined;
  const files = history.chain(head).map(({ record, ltx }) => ({ key: ltx, ...record.ltx }));
  return () => openProvedMoment(store, { files, record: head, history }, signal);
}

interface Attempt {
  plan: BackupPlan;
  next: NextBackup;
  history: History;
  moment: Moment;
  identified: Identified;
  /** What the database lacks, as a warning. */
  lack?: string;
  /** Set for a full backup. */
  fullBecause?: string;
  /** What an incremental backup is made on top of. */
  head?: BackupRecord;
  /** The fingerprint chain of `head`, with which all pages are compared. */
  links?: Link[];
  /** The moment itself, when it tells what there is to compare. */
  told?: TellingMoment;
}

async function makeBackup(subject: Subject, options: BackupOptions, attempt: Attempt): Promise<NewBackup> {
  const { store, name } = subject;
  const { next, history, moment, fullBecause, head, links, told } = attempt;
  const loaded = await core();
  const complete = !head || (!told && history.wantsCompleteFingerprints(head, moment.changed?.length ?? 0));
  const kind = head ? "incremental" : "full";
  const draft = await draftBackup(subject, next, moment, attempt.identified, { kind, complete });
  const previous = links && (await PreviousStates.open(store, links, options.signal));
  const writer = writerFor(loaded, draft, previous?.checksum);
  const put = { modified: new Date(draft.nowMs), ownsChunks: true, signal: options.signal };
  const ltx = await Upload.start(store, draft.keys.ltx, put);
  const prints = await Upload.start(store, draft.keys.fingerprints, put);
  const uploads = [ltx, prints];
  /** Keys that are this run's own, in the order in which they may go. */
  const ours: string[] = [];
  let recorded = false;
  try {
    const throttle = new Throttle(options.maxBytesPerSecond, options.signal);
    const changed = told?.changed;
    const { mostPages } = await packMoment({
      moment,
      previous,
      changed,
      complete,
      writer,
      ltx,
      prints,
      throttle,
      options,
    });
    // The moment held: all that follows is only storing.
    await moment.release();
    const pages = writer.pages;
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
    const checksum = told?.checksum ?? tail.checksum;
    const record = finishRecord(loaded, draft, { checksum, changed: pages, ltx: ltxProof, fingerprints });
    const encoded = new loaded.EncodedRecord(JSON.stringify(record));
    const { text } = encoded;
    recorded = true;
    await putRecord(store, draft.keys.record, text, put);
    const isTidy = attempt.plan.isKnown || (await sweep(subject, history, next));
    if (isTidy) remember(subject, attempt.plan, draft, record, encoded);
    return { ...toNewBackup(record, { fullBecause, damaged: next.damaged, lack: attempt.lack }), mostPages };
  } catch (error) {
    for (const upload of uploads) await upload.abort(error);
    const conflict = error instanceof ObjectExistsError;
    // A record that may have been stored all the same must not lose its files.
    if (conflict || !recorded) await discard(store, ours);
    if (conflict) throw new ConflictError(name);
    throw error;
  } finally {
    await previous?.close();
  }
}

/** Remembers what the store holds now, for the next backup. */
function remember(
  { known }: Subject,
  { history, objects, prefixes }: BackupPlan,
  { keys, nowMs }: Draft,
  record: BackupRecord,
  encoded: EncodedRecord,
): void {
  // What others put in the place of these from now on has to have another time.
  if (Date.now() <= nowMs) return;
  const modified = new Date(nowMs);
  const made = [
    { key: keys.ltx, size: record.ltx.size, modified },
    { key: keys.fingerprints, size: record.fingerprints.size, modified },
    { key: keys.record, size: encoded.size, modified },
  ];
  if (objects) known?.remember({ history, objects, ...(prefixes && { prefixes }) }, made, record, encoded);
}

/** The backup that `record` made, and what the user should know of how it came about. */
export function toNewBackup(
  record: BackupRecord,
  {
    fullBecause,
    damaged,
    lack,
  }: { fullBecause?: string | undefined; damaged: boolean; lack?: string | undefined },
): NewBackup {
  const warnings = damaged
    ? [`this is a full backup because ${fullBecause}; run verify to see what is left`]
    : [];
  if (lack) warnings.push(lack);
  return { ...toBackup(record), ...(fullBecause !== undefined && { fullBecause }), warnings };
}
