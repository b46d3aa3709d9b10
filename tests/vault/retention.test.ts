// Which backups are kept, by who wanted them, how old they are, and what is made on top of them.
import { describe, expect, test } from "vitest";
import "pagemark";
import { retain } from "../../js/dist/catalog/retention.js";
import { isChainOld } from "../../js/dist/vault/schedule.js";

const HOUR = 3_600_000;
const NOW = 1_000 * HOUR;
const KEEP = 24 * HOUR;

/** Backups by their age in hours, oldest first: `F` is full, `i` incremental. */
function backups(...all: [age: number, kind: "F" | "i", pinned?: boolean, deleted?: boolean][]) {
  return all.map(([age, kind, pinned = false, deleted = false]) => ({
    id: `${age}`,
    kind: kind === "F" ? ("full" as const) : ("incremental" as const),
    createdMs: NOW - age * HOUR,
    pinned,
    deleted,
  }));
}

async function decided(kept: ReturnType<typeof backups>, isOver = false) {
  const fates = await retain(kept, { withinMs: KEEP, isOver }, NOW);
  const those = (has: (at: number) => boolean | undefined) =>
    kept.filter((_, at) => has(at)).map(({ id }) => id);
  return { gone: those((at) => !fates[at]?.isKept), removable: those((at) => fates[at]?.isRemovable) };
}

describe("retention", () => {
  test("automatic backups go after their time, manual ones stay", async () => {
    const kept = backups([50, "F"], [40, "F", true], [30, "F"], [20, "F"], [1, "F"]);
    expect(await decided(kept)).toEqual({ gone: ["50", "30"], removable: ["50", "30"] });
  });

  test("what an incremental backup is made of stays in the store until that one goes, too", async () => {
    const kept = backups([50, "F"], [40, "i"], [10, "i"], [5, "F"]);
    expect(await decided(kept)).toEqual({ gone: ["50", "40"], removable: [] });
    expect(await decided(kept.map((each) => ({ ...each, deleted: true })))).toEqual({
      gone: ["50", "40", "10"],
      removable: ["50", "40", "10"],
    });
  });

  test("the newest stays, however old, and though it was deleted; not of a database that is over", async () => {
    const kept = backups([90, "F"], [80, "i", true, true]);
    expect(await decided(kept)).toEqual({ gone: ["90"], removable: [] });
    expect(await decided(kept, true)).toEqual({ gone: ["90", "80"], removable: ["90", "80"] });
  });

  test("a chain is old when its full backup is as old as automatic ones become", () => {
    expect(isChainOld([], KEEP, NOW)).toBe(false);
    expect(isChainOld(backups([23.9, "F"], [1, "i"]), KEEP, NOW)).toBe(false);
    expect(isChainOld(backups([24, "F"], [1, "i"]), KEEP, NOW)).toBe(true);
    expect(isChainOld(backups([90, "F"], [1, "F"]), KEEP, NOW)).toBe(false);
  });
});
