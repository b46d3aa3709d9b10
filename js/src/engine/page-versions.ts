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

/** Those of `txids` (the oldest commits there are, ascending, all before `kept.from`) whose records nobody wants. */
export function unwantedRecords(txids: readonly number[], { pins }: Kept): number[] {
  const pinned = new Set(pins);
  // The one after a kept state says until when that one lasted.
  return txids.filter((txid, at) => !pinned.has(txid) && !pinned.has(txids[at - 1] ?? 0));
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
