// Which page versions have to stay: the rule that engine/src/store/mod.rs has as `Keep::needs`.

/** Which states have to stay readable: all from `from` on, and those in `pins`, which ascend and are before it. */
export interface Kept {
  readonly from: number;
  readonly pins: readonly number[];
}

/** A page as it was from `txid` on, until the commit `replacedAt` gave it a new version or shrank it away. */
export interface Replaced {
  readonly replacedAt: number;
  readonly pgno: number;
  readonly txid: number;
}

/** Whether a state that has to stay readable shows the version. */
export function isNeeded({ replacedAt, txid }: Replaced, { from, pins }: Kept): boolean {
  if (replacedAt > from) return true;
  const next = pins[firstAtOrAfter(pins, txid)];
  return next !== undefined && next < replacedAt;
}

/** Whether two keep the same states. */
export function isEqual(a: Kept, b: Kept): boolean {
  return (
    a.from === b.from && a.pins.length === b.pins.length && a.pins.every((pin, at) => pin === b.pins[at])
  );
}

/**
 * Finds versions that `before` needed and `after` may not, because pins are gone: those that were replaced after the
 * first number of a pair, and up to the second one.
 */
export function released(before: Kept, { from, pins }: Kept): [after: number, upto: number][] {
  const isStill = new Set(pins);
  const ranges: [number, number][] = [];
  for (const pin of before.pins) {
    if (isStill.has(pin) || pin >= from) continue;
    const next = pins[firstAtOrAfter(pins, pin)] ?? from;
    // The pin before it is gone as well, and nothing between them stays.
    if (ranges.at(-1)?.[1] !== next) ranges.push([pin, next]);
  }
  return ranges;
}

/** Those of `txids` from `first` on whose records are no longer needed. `txids` are all commits before `from`, ascending. */
export function unwantedRecords(txids: readonly number[], first: number, { pins }: Kept): number[] {
  const pinned = new Set(pins);
  // The record after a kept state says until when that state lasted.
  return txids.filter((txid, at) => txid >= first && !pinned.has(txid) && !pinned.has(txids[at - 1] ?? 0));
}

function firstAtOrAfter(ascending: readonly number[], wanted: number): number {
  let [low, high] = [0, ascending.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ascending[middle] ?? 0) < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}
