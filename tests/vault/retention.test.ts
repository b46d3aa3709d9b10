// Which backups are kept, by who wanted them, how old they are, and what is made on top of them.
import { describe, expect, test } from "vitest";
import { isChainOld, type Kept, type Origin, retention } from "../../js/dist/vault/retention.js";

const HOUR = 3_600_000;
const NOW = 1_000 * HOUR;
const KEEP = 24 * HOUR;

/** Backups by their age in hours, oldest first: `F` is full, `i` incremental. */
function backups(...all: [age: number, kind: "F" | "i", origin?: Origin, deleted?: boolean][]): Kept[] {
  return all.map(([age, kind, origin = "automatic", deleted = false]) => ({
    id: `${age}`,
    kind: kind === "F" ? "full" : "incremental",
    createdMs: NOW - age * HOUR,
    origin,
    deleted,
  }));
}

function decided(kept: Kept[], isOver = false) {
  const { gone, removable } = retention(kept, KEEP, NOW, isOver);
  return { gone: [...gone], removable: [...removable] };
}

describe("retention", () => {
  test("automatic backups go after their time, manual ones stay", () => {
    const kept = backups([50, "F"], [40, "F", "manual"], [30, "F", "restore"], [20, "F"], [1, "F"]);
    expect(decided(kept)).toEqual({ gone: ["50", "30"], removable: ["50", "30"] });
  });

  test("what an incremental backup is made of stays in the store until that one goes, too", () => {
    const kept = backups([50, "F"], [40, "i"], [10, "i"], [5, "F"]);
    expect(decided(kept)).toEqual({ gone: ["50", "40"], removable: [] });
    expect(decided(kept.map((each) => ({ ...each, deleted: true })))).toEqual({
      gone: ["50", "40", "10"],
      removable: ["50", "40", "10"],
    });
  });

  test("the newest stays, however old, and though it was deleted; not of a database that is over", () => {
    const kept = backups([90, "F"], [80, "i", "manual", true]);
    expect(decided(kept)).toEqual({ gone: ["90"], removable: [] });
    expect(decided(kept, true)).toEqual({ gone: ["90", "80"], removable: ["90", "80"] });
  });

  test("a chain is old when its full backup is as old as automatic ones become", () => {
    expect(isChainOld([], KEEP, NOW)).toBe(false);
    expect(isChainOld(backups([23.9, "F"], [1, "i"]), KEEP, NOW)).toBe(false);
    expect(isChainOld(backups([24, "F"], [1, "i"]), KEEP, NOW)).toBe(true);
    expect(isChainOld(backups([90, "F"], [1, "F"]), KEEP, NOW)).toBe(false);
  });
});
