// `dump --salvage` beside the sqlite3 shell's `.recover`, on random databases with random damage: how many rows come back,
// and how many of them in their own table. `node scripts/bench-salvage.mjs [files] [first seed] [kind of damage]`; 2,000 files
// take a quarter of an hour. `VERBOSE=1` names each file of which ours is less.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { trial } from "../tests/salvage/damage.ts";

const [files = 2000, first = 1] = process.argv.slice(2, 4).map(Number);
const folder = mkdtempSync(join(tmpdir(), "pagemark-salvage-"));
const kinds = new Map();
try {
  for (let seed = first; seed < first + files; seed++) {
    const result = await trial(folder, seed, process.argv[4]);
    const { kind, rows, ours, theirs, failed } = result;
    if (failed) console.log(`seed ${seed} (${kind}): ${failed}`);
    for (const name of [kind, "all"]) {
      const sum = kinds.get(name) ?? {
        files: 0,
        rows: 0,
        ours: [0, 0, 0],
        theirs: [0, 0, 0],
        fewer: 0,
        failed: 0,
      };
      sum.files++;
      sum.rows += rows;
      for (const [index, key] of ["right", "lost", "wrong"].entries()) {
        sum.ours[index] += ours[key];
        sum.theirs[index] += theirs[key];
      }
      const isFewer = ours.right + ours.lost < theirs.right + theirs.lost || ours.right < theirs.right;
      sum.fewer += Number(isFewer);
      sum.failed += Number(failed !== undefined);
      kinds.set(name, sum);
      const isWorse = isFewer || ours.wrong > theirs.wrong + 20;
      if (name === "all" && isWorse && process.env.VERBOSE) console.log(JSON.stringify(result));
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
const cell = (value, width) => String(value).padStart(width);
console.log(
  "kind          files     rows | ours: right    lost  wrong | .recover: right    lost  wrong | files with fewer",
);
for (const [kind, { files, rows, ours, theirs, fewer }] of kinds) {
  const [a, b] = [ours, theirs].map(
    ([right, lost, wrong]) => `${cell(right, 9)}${cell(lost, 8)}${cell(wrong, 7)}`,
  );
  console.log(
    `${kind.padEnd(13)}${cell(files, 6)}${cell(rows, 9)} |   ${a} |       ${b} | ${cell(fewer, 6)}`,
  );
}
