// A backup in steps, with all its state in the caller's hands: for where a process may end at any moment.

import { History } from "../catalog/history.ts";
import type { BackupRecord } from "../catalog/record.ts";
import { sweep } from "../catalog/removal.ts";
import { core, naming } from "../core/index.ts";
import {
  ConflictError,
  ObjectExistsError,
  ObjectMissingError,
  PagemarkError,
  SourceError,
} from "../errors/index.ts";
import { PartedObject } from "../objects/resumable-object.ts";
import type { Moment } from "../sources/source.ts";
import type { StoreUploads } from "../stores/store.ts";
import type { Progress } from "../streams/progress.ts";
import { collectText } from "../streams/streams.ts";
import { type NewBackup, toNewBackup } from "./backup.ts";
import { type BackupPlan, planBackup, tellsAll, whyFull } from "./backup-plan.ts";
import { type BackupRunState, checkVersion, savePages, VERSION } from "./backup-run-state.ts";
import { draftBackup, finishRecord, type Packed, putRecord, writerFor } from "./draft.ts";
import { identify } from "./identity.ts";
import { Budget, packSome, type StepOptions } from "./pack-step.ts";
import type { Subject } from "./subject.ts";

export interface StartOptions {
  /** Makes a full backup even where an incremental one would do. */
  full?: boolean;
  /** Says that it is the database whose backups go by that name, where it looks like another one. */
  sameDatabase?: boolean;
  /** Which state to back up, by its bookmark; the newest unless given. */
  at?: string;
  signal?: AbortSignal | undefined;
}

export interface BackupStep {
  /** For the next step. Keep it before that; then the step may end anywhere, and be made again. */
  state: BackupRunState;
  progress: Progress;
  /** The backup, once it is made. */
  done?: NewBackup;
}

/** See {@link BackupSteps.start}. */
export async function startBackup(subject: Subject, options: StartOptions = {}): Promise<BackupRunState> {
  const { source, name } = subject;
  const { signal, at } = options;
  const uploads = uploadsOf(subject);
  return naming(name, async () => {
    const plan = await planBackup(subject, signal);
    const moment = await source.pin({ since: plan.head?.mark, at, signal });
    try {
      const state = await begin(subject, uploads, plan, moment, options);
      await moment.release();
      return state;
    } finally {
      await moment.release().catch(() => {});
    }
  });
}

async function begin(
  subject: Subject,
  uploads: StoreUploads,
  plan: BackupPlan,
  moment: Moment,
  { full, at, sameDatabase: isSame, signal }: StartOptions,
): Promise<BackupRunState> {
  const { history, next, head } = plan;
  const bookmark = bookmarkOf(subject, moment, at);
  const identified = await identify(subject, plan, moment, { isSame, signal });
  const reason = whyFull(plan, moment, full);
  const told = head && reason === undefined && tellsAll(moment, head) ? moment : undefined;
  const isDue = head && told && history.wantsCompleteFingerprints(head, told.changed.length);
  const kind = told && !isDue ? "incremental" : "full";
  const fullBecause = reason ?? (told ? "all fingerprints are due" : "the source does not tell what changed");
  const draft = await draftBackup(subject, next, moment, identified, { kind, complete: kind === "full" });
  const writer = writerFor(await core(), draft);
  const modified = new Date(draft.nowMs);
  const ltx = await PartedObject.start(uploads, draft.keys.ltx, modified);
  const fingerprints = await PartedObject.start(uploads, draft.keys.fingerprints, modified);
  try {
    ltx.write(writer.ltxHeader());
    fingerprints.write(writer.fingerprintHeader());
    return {
      version: VERSION,
      phase: "pages",
      bookmark,
      draft,
      next,
      packed: 0,
      writer: { head: writer.save(), index: [] },
      ltx: ltx.save(),
      fingerprints: fingerprints.save(),
      result: {},
      ...(kind === "full"
        ? { fullBecause }
        : told && { checksum: told.checksum, changed: savePages(told.changed) }),
    };
  } finally {
    for (const each of [writer, ltx, fingerprints]) each.free();
  }
}

/** See {@link BackupSteps.step}. */
export async function stepBackup(
  subject: Subject,
  state: BackupRunState,
  options: StepOptions = {},
): Promise<BackupStep> {
  checkVersion(state);
  const uploads = uploadsOf(subject);
  const budget = new Budget(options);
  return naming(subject.name, async () => {
    let current = state;
    try {
      do current = await advance(subject, uploads, current, budget);
      while (current.phase !== "done" && !budget.isSpent);
    } catch (error) {
      if (!(error instanceof ObjectExistsError)) throw error;
      await abortBackup(subject, current);
      throw new ConflictError(subject.name);
    }
    return {
      state: current,
      progress: progressOf(current),
      ...(current.phase === "done" && doneOf(current)),
    };
  });
}

/** See {@link BackupSteps.abort}. */
export async function abortBackup(
  subject: Pick<Subject, "store" | "name">,
  state: BackupRunState,
): Promise<void> {
  checkVersion(state);
  const uploads = uploadsOf(subject);
  if (await isRecorded(subject, state)) return;
  // The fingerprints last: an LTX file without them would be taken for one that Litestream wrote.
  await uploads.abort(state.ltx.upload);
  await uploads.abort(state.fingerprints.upload);
}

async function advance(
  subject: Subject,
  uploads: StoreUploads,
  state: BackupRunState,
  budget: Budget,
): Promise<BackupRunState> {
  const { store, folder } = subject;
  const { signal } = budget;
  signal?.throwIfAborted();
  switch (state.phase) {
    case "pages": {
      const { bookmark } = state;
      const moment = await subject.source.pin({ at: bookmark, signal });
      try {
        bookmarkOf(subject, moment, bookmark);
        const next = await packSome(uploads, state, moment, budget);
        await moment.release();
        return next;
      } finally {
        await moment.release().catch(() => {});
      }
    }
    // One after the other: of two backups at once, whoever gets the first name gets the second too. And an LTX file
    // of ours never lies there without its fingerprints, which tell it from one that Litestream wrote.
    case "fingerprints": {
      const fingerprints = await finish(uploads, state.fingerprints, budget);
      return { ...state, phase: "ltx", result: { ...state.result, fingerprints } };
    }
    case "ltx": {
      const result = { ...state.result, ltx: await finish(uploads, state.ltx, budget) } as Packed;
      const loaded = await core();
      const encoded = new loaded.EncodedRecord(JSON.stringify(finishRecord(loaded, state.draft, result)));
      const { text: record } = encoded;
      encoded.free();
      return { ...state, phase: "record", result, record };
    }
    case "record": {
      const { keys, nowMs } = state.draft;
      await putRecord(store, keys.record, state.record ?? "", { modified: new Date(nowMs), signal });
      return { ...state, phase: "sweep" };
    }
    case "sweep":
      await sweep(subject, await History.load(store, folder, "newest", signal), state.next);
      return { ...state, phase: "done" };
    case "done":
      return state;
  }
}

async function finish(uploads: StoreUploads, state: BackupRunState["ltx"], budget: Budget) {
  const object = await PartedObject.resume(uploads, state);
  try {
    const proof = await object.finish();
    budget.tookParts(Math.floor(proof.size / uploads.partSize));
    return proof;
  } finally {
    object.free();
  }
}

/** Whether the backup's record was stored, by this process or one before. */
async function isRecorded({ store }: Pick<Subject, "store">, { draft }: BackupRunState): Promise<boolean> {
  try {
    const text = await collectText(await store.get(draft.keys.record));
    return (JSON.parse(text) as { backup?: { id?: string } }).backup?.id === draft.record.id;
  } catch (error) {
    if (error instanceof ObjectMissingError) return false;
    // Damaged, and perhaps of this backup: it must not lose its files.
    if (error instanceof SyntaxError) return true;
    throw error;
  }
}

function uploadsOf({ store }: Pick<Subject, "store">): StoreUploads {
  if (store.uploads) return store.uploads;
  const message = `${store.description} takes no objects in parts, which a backup in steps needs; use backup()`;
  throw new PagemarkError("USAGE", message);
}

/** Refuses another state than the one that is wanted. */
function bookmarkOf({ source, name }: Subject, { bookmark }: Moment, wanted: string | undefined): string {
  if (bookmark === undefined) {
    const message = `${source.name} does not name its states, which a backup in steps needs; use backup()`;
    throw new PagemarkError("USAGE", message);
  }
  if (wanted === undefined || bookmark === wanted) return bookmark;
  const message = `${name} is at ${bookmark}, and not at ${wanted}, of which the backup is; hold that state until it is done`;
  throw new SourceError("SOURCE_OTHER_STATE", message, { name });
}

function progressOf({ draft, changed, packed }: BackupRunState): Progress {
  const { pageCount, pageSize } = draft.record;
  const pages = changed?.reduce((sum, { length }) => sum + length / 4, 0) ?? pageCount;
  return { phase: "pages", done: packed, total: pages, bytes: packed * pageSize };
}

function doneOf({ record = "", fullBecause, next }: BackupRunState): { done: NewBackup } {
  const { backup } = JSON.parse(record) as { backup: BackupRecord };
  return { done: toNewBackup(backup, { fullBecause, damaged: next.damaged }) };
}
