import type { Backup, RestorePlan } from "../catalog/folder.ts";
import { PagemarkError } from "../errors/index.ts";
import type { StoredFile } from "../objects/object-reader.ts";
import type { Moment } from "../sources/source.ts";
import { ChainIndex } from "../stored/chain-index.ts";
import { isLostFingerprint, PreviousStates, STATE_SIZE } from "../stored/page-states.ts";
import { openProvedMoment, openSparseChain } from "../stored/proved-moment.ts";
import { SparseChain, type SparsePlan } from "../stored/sparse-chain.ts";
import type { Store } from "../stores/store.ts";
import { type CompareOptions, comparePages, type Preview, type TableChange } from "./preview.ts";

/** How a table differs between two backups. */
export interface TableDifference {
  name: string;
  /** `changed`: its rows or its definition differ, or may. */
  change: "added" | "removed" | "changed" | "unchanged";
  /**
   * Rows that only the later has, that only the earlier has, and those of the same rowid with other values (of a table
   * WITHOUT ROWID these count as added and removed). `null` for a table that only one of them has, and where to find out would
   * mean reading too much.
   */
  rows: { added: number; removed: number; updated: number } | null;
  /** Whether it is defined in other words. */
  redefined: boolean;
}

/** What happened between two backups. */
export interface Difference {
  from: Backup;
  /** Missing where the later is the database as it is now. */
  to?: Backup;
  /** Those that were removed first, then those added, changed and unchanged. */
  tables: TableDifference[];
}

/** What a preview of a restore says, the other way round: what happened since the backup. */
export function differenceSince(from: Backup, { tables }: Pick<Preview, "tables">): Difference {
  const happened = { vanish: "added", come: "removed", changed: "changed", unchanged: "unchanged" } as const;
  const order = ["removed", "added", "changed", "unchanged"];
  const all = tables.map(({ name, change, rows, redefined }) => ({
    name,
    change: happened[change],
    rows: rows && { added: rows.gone, removed: rows.back, updated: rows.updated },
    redefined,
  }));
  return { from, tables: all.sort((a, b) => order.indexOf(a.change) - order.indexOf(b.change)) };
}

const STATES_AT_ONCE = 4096;
/** Changed pages that are located before they are asked for, at most. */
const FORESEEN = 4096;

/** Compares two backups where they lie: only pages that differ are read, and those above them. */
export async function differenceOf(
  store: Store,
  from: RestorePlan,
  to: RestorePlan,
  options: CompareOptions,
): Promise<Required<Difference>> {
  if (!from.backup || !to.backup) {
    const message =
      "a folder that Litestream wrote has no records by which two states could be told apart; restore both, and compare the files";
    throw new PagemarkError("BACKUP_UNKNOWN", message);
  }
  const { signal } = options;
  const moments: Moment[] = [];
  try {
    const chains = await sparseChains(store, from, to, signal);
    const changed = chains && (await changedSparsely(chains, [from, to], signal));
    const differing = changed ?? (await changedBetween(store, from, to, signal));
    for (const [at, plan] of [from, to].entries()) {
      const chain = changed && chains?.[at];
      moments.push(await openProvedMoment(store, plan, { signal, reach: "few", chain }));
    }
    const [now, then] = moments as [Moment, Moment];
    const { tables } = await comparePages(now, then, undefined, { ...options, differing });
    return { from: from.backup.view, to: to.backup.view, tables: tables.map(differenceIn) };
  } finally {
    for (const moment of moments) await moment.release();
  }
}

const CHANGES = { vanish: "removed", come: "added", changed: "changed", unchanged: "unchanged" } as const;

function differenceIn({ name, change, rows, redefined }: TableChange): TableDifference {
  const counted = rows && { added: rows.back, removed: rows.gone, updated: rows.updated };
  return { name, change: CHANGES[change], rows: counted, redefined };
}

/** Both backups, where either can be read so; nothing where not. */
async function sparseChains(
  store: Store,
  from: RestorePlan,
  to: RestorePlan,
  signal: AbortSignal | undefined,
): Promise<[SparseChain, SparseChain] | undefined> {
  if (!SparseChain.isFor(from) || !SparseChain.isFor(to)) return undefined;
  const open = (plan: SparsePlan) => openSparseChain(store, plan, signal);
  const [one, other] = await Promise.all([open(from), open(to)]);
  return one && other && [one, other];
}

/** Numbers of all pages that may differ, ascending; nothing where fingerprints are damaged. */
async function changedSparsely(
  [from, to]: [SparseChain, SparseChain],
  plans: [RestorePlan, RestorePlan],
  signal: AbortSignal | undefined,
): Promise<Uint32Array | undefined> {
  const marks = new Uint8Array(Math.max(from.pageCount, to.pageCount) + 1);
  try {
    const common = commonFiles(from, to);
    if (common === 0) await from.markChanged(to, marks, signal);
    else for (const chain of [from, to]) await chain.markFrom(common, marks, signal);
    const changed = Uint32Array.from(marks.keys()).filter((pgno) => marks[pgno]);
    // All at once: asked for one by one, they would be waited for one by one.
    if (changed.length <= FORESEEN) for (const chain of [from, to]) await chain.load([...changed], signal);
    return changed;
  } catch (error) {
    if (plans.some(({ backup }) => backup && isLostFingerprint(error, backup))) return undefined;
    throw error;
  }
}

/** How many files both begin with. */
function commonFiles(from: { files: readonly StoredFile[] }, to: { files: readonly StoredFile[] }): number {
  const shared = from.files.findIndex(({ key }, at) => key !== to.files[at]?.key);
  return shared === -1 ? from.files.length : shared;
}

/** The same as {@link changedSparsely} for backups without page directories. */
async function changedBetween(
  store: Store,
  from: RestorePlan,
  to: RestorePlan,
  signal: AbortSignal | undefined,
): Promise<Uint32Array> {
  const common = commonFiles(from, to);
  if (common === 0) return changedStates(store, from, to, signal);
  const changed = new Set<number>();
  for (const plan of [from, to]) {
    if (plan.files.length === common) continue;
    // Nothing is read of the files that both have.
    const chain = await ChainIndex.open(store, { ...plan, files: plan.files.slice(common) }, signal);
    for (const pgno of chain.pages()) changed.add(pgno);
    chain.free();
  }
  return Uint32Array.from(changed).sort();
}

/** The same where a full backup lies between them: by the fingerprints of all pages. */
async function changedStates(
  store: Store,
  { backup: from }: RestorePlan,
  { backup: to }: RestorePlan,
  signal: AbortSignal | undefined,
): Promise<Uint32Array> {
  if (!from || !to) return new Uint32Array();
  const opened: PreviousStates[] = [];
  const changed: number[] = [];
  try {
    for (const backup of [from, to]) opened.push(await PreviousStates.open(store, backup, signal));
    const [before, after] = opened as [PreviousStates, PreviousStates];
    const both = Math.min(before.pageCount, after.pageCount);
    for (let first = 1; first <= both; first += STATES_AT_ONCE) {
      const count = Math.min(STATES_AT_ONCE, both - first + 1);
      const states = [await before.next(count), await after.next(count)] as const;
      for (let at = 0; at < count; at++) if (!areEqual(...states, at * STATE_SIZE)) changed.push(first + at);
    }
    return Uint32Array.from(changed);
  } finally {
    for (const states of opened) await states.close();
  }
}

function areEqual(one: Uint8Array, other: Uint8Array, from: number): boolean {
  for (let at = from; at < from + STATE_SIZE; at++) if (one[at] !== other[at]) return false;
  return true;
}
