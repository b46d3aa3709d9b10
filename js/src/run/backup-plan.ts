import { History, type NextBackup } from "../catalog/history.ts";
import { type BackupRecord, checksumIn } from "../catalog/record.ts";
import { firstFrom, pagesAfter } from "../moments/page-runs.ts";
import type { Moment } from "../sources/source.ts";
import type { StoredObject } from "../stores/store.ts";
import type { Subject } from "./subject.ts";

/** What the next backup is to be, before anything is read of the database. */
export interface BackupPlan {
  history: History;
  next: NextBackup;
  /** The backup that an incremental one is made on top of; missing when it must be a full one. */
  head?: BackupRecord;
  /** All that the store listed, if it is to be remembered. */
  objects?: Map<string, StoredObject>;
  /** See `KnownHistory`. */
  prefixes?: string[];
  /** Whether it was remembered, so that there is nothing to sweep. */
  isKnown: boolean;
}

/** A moment that tells what changed and its own checksum: nothing else need be known of what it has not changed. */
export type TellingMoment = Moment & Required<Pick<Moment, "changed" | "checksum">>;

/** Lists what there is, and decides what comes next. */
export async function planBackup(
  { store, folder, known }: Subject,
  signal: AbortSignal | undefined,
): Promise<BackupPlan> {
  const { history, isKnown, objects, prefixes, head }: Omit<BackupPlan, "next"> = known
    ? await known.load({ store, folder }, signal)
    : { history: await History.load(store, folder, "newest", signal), isKnown: false };
  const next = isKnown ? history.next() : withLostObjects(history, history.next());
  return {
    history,
    next,
    isKnown,
    ...(objects && { objects }),
    ...(prefixes && { prefixes }),
    ...(next.fullBecause === null && { head: head ?? history.find("latest") }),
  };
}

/** Why a backup of `moment` is a full one; nothing when it can be incremental. */
export function whyFull({ next, head }: BackupPlan, moment: Moment, isAsked = false): string | undefined {
  if (isAsked) return "it was asked for";
  if (!head) return next.fullBecause ?? undefined;
  return head.pageSize === moment.pageSize ? undefined : "the database's page size has changed";
}

/**
 * Whether `moment` tells all that an incremental backup on top of `head` needs. What it says of the state before has to
 * be what that backup proved, and every page that came since has to be among those that changed.
 */
export function tellsAll(moment: Moment, head: BackupRecord): moment is TellingMoment {
  const { changed, checksum, checksumBefore, pageCount, pageSize } = moment;
  if (!changed || checksum === undefined || checksumBefore !== checksumIn(head.bookmark)) return false;
  const added = changed.length - firstFrom(changed, head.pageCount + 1);
  return added === pagesAfter(head.pageCount, pageCount, pageSize);
}

/** A chain that lacks an object, or has one of another size, is not made longer: that would restore nothing. */
function withLostObjects(history: History, next: NextBackup): NextBackup {
  if (next.fullBecause !== null) return next;
  const lost = history.chain(history.find("latest")).some((link) => !history.hasLtx(link));
  return lost
    ? { ...next, fullBecause: "an object of the chain before is missing or damaged", damaged: true }
    : next;
}
