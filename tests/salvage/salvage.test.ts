// What comes back of random databases with random damage: no less than the shell's `.recover` gives of the same files.
// Of all 2,000: scripts/bench-salvage.mjs.
import { expect, test } from "vitest";
import { tempFolder } from "../support/temp.ts";
import { DAMAGE, type Damage, MORE_DAMAGE, trial } from "./damage.ts";

const folder = tempFolder();

async function compareWithShell(seed: number, kind?: Damage): Promise<void> {
  const result = await trial(folder, seed, kind);
  const { ours, theirs, rows } = result;
  expect(result.failed).toBeUndefined();
  expect(ours.right, JSON.stringify(result)).toBeGreaterThanOrEqual(theirs.right);
  expect(ours.right + ours.lost, JSON.stringify(result)).toBeGreaterThanOrEqual(theirs.right + theirs.lost);
  expect(ours.right + ours.lost).toBeLessThanOrEqual(rows);
}

test.each(DAMAGE.map((kind, index) => [kind, index] as const))(
  "%s: as many rows as a shell gives, as many of them in their own table",
  async (_kind, index) => {
    for (let round = 1; round <= 4; round++) await compareWithShell(index + DAMAGE.length * round);
  },
);

test.each(MORE_DAMAGE)(
  "%s: as many rows as a shell gives, as many of them in their own table",
  async (kind) => {
    for (const seed of [11, 23, 47, 91]) await compareWithShell(seed, kind);
  },
);

test.each([
  ["a free page has what is cut off elsewhere", 612],
  ["a free page has what is damaged elsewhere", 639],
  ["a rowid became that of another row", 899],
  ["pages of one table are where another's root was", 1553],
])("%s (seed %i)", (_what, seed) => compareWithShell(seed));

test.each([
  [1522, 41],
  [1542, 4044],
  [1630, 299],
])("a sound header counts, whatever a few pages look like (seed %i)", async (seed, rows) => {
  expect((await trial(folder, seed)).ours.right).toBeGreaterThanOrEqual(rows);
});
