// What comes back of random databases with random damage: no less than the shell's `.recover` gave of the same files.
// All 2,000 of them, beside a shell: scripts/bench-salvage.mjs.
import { expect, test } from "vitest";
import { tempFolder } from "../support/temp.ts";
import { DAMAGE, trial } from "./damage.ts";

const folder = tempFolder();

test.each(DAMAGE.map((kind, index) => [kind, index] as const))(
  "%s: as many rows as a shell would give, as many of them in their own table",
  async (_kind, index) => {
    for (let round = 1; round <= 2; round++) {
      const result = await trial(folder, index + DAMAGE.length * round);
      const { ours, theirs, rows } = result;
      expect(result.failed).toBeUndefined();
      expect(ours.right, JSON.stringify(result)).toBeGreaterThanOrEqual(theirs.right);
      expect(ours.right + ours.lost, JSON.stringify(result)).toBeGreaterThanOrEqual(
        theirs.right + theirs.lost,
      );
      expect(ours.right + ours.lost).toBeLessThanOrEqual(rows);
    }
  },
);

test.each([
  [1522, 41],
  [1542, 4044],
  [1630, 299],
])("a sound header counts, whatever a few pages look like (seed %i)", async (seed, rows) => {
  expect((await trial(folder, seed)).ours.right).toBeGreaterThanOrEqual(rows);
});
