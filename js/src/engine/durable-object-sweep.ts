import type { DurableObjectTables, Meta } from "./durable-object-tables.ts";
import { isNeeded, type Kept, released, unwantedRecords } from "./page-versions.ts";

type Place = Pick<Meta, "sweptAt" | "sweptPgno">;

/** Behind every page of a commit. */
const LAST = 2 ** 32;

/** Whether all has been looked at that may go. */
export function isSwept({ from, sweptAt, sweptPgno }: Meta): boolean {
  return sweptAt === from && sweptPgno === LAST;
}

/**
 * Takes note of what to keep, and looks at `limit` versions that may not be needed; it deletes those that are not. Returns
 * the note.
 *
 * Only versions that were replaced can go, and `pagemark_replaced` has those that somebody needed then, in the order
 * of the commits that replaced them. Each is looked at when `from` has passed it. Those that stay are held by a pin, and
 * are looked at again when one is gone: between the pin and the next state that is kept.
 */
export function letGo(tables: DurableObjectTables, meta: Meta, kept: Kept, limit: number): Meta {
  let left = limit;
  /** Looks at what was replaced after a place, up to a commit; the place where it stopped before that, if it did. */
  const look = ({ sweptAt, sweptPgno }: Place, upto: number): Place | undefined => {
    if (left === 0) return { sweptAt, sweptPgno };
    const passed = tables.replaced({ sweptAt, sweptPgno }, upto, left);
    const unneeded = passed.filter((version) => !isNeeded(version, kept));
    tables.dropVersions(unneeded);
    tables.dropReplaced(unneeded);
    const last = passed.length < left ? undefined : passed.at(-1);
    const records = tables.commitsBetween(sweptAt, last?.replacedAt ?? upto);
    tables.dropCommits(unwantedRecords(records, sweptAt, kept));
    left -= passed.length;
    return last && { sweptAt: last.replacedAt, sweptPgno: last.pgno };
  };
  let stopped: Place | undefined;
  // When one stops, what comes after it is looked at next time.
  for (const [pin, next] of released(meta, kept).filter(([pin]) => pin < meta.sweptAt)) {
    stopped ??= look({ sweptAt: pin, sweptPgno: LAST }, Math.min(next, meta.sweptAt));
  }
  stopped ??= look(meta, kept.from);
  const place = stopped ?? { sweptAt: kept.from, sweptPgno: LAST };
  const noted = { lineage: meta.lineage, from: kept.from, pins: [...kept.pins], ...place };
  tables.setMeta(noted);
  return noted;
}
