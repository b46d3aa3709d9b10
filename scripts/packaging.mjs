// Tries the package as `npm pack` makes it with the bundlers, servers and runtimes that people use, without configuration:
// `npm run packaging` all of them, `npm run packaging -- vite` those whose names have that in them.
// With `--write` the table goes into docs/bundlers.md.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { browserCases } from "./lib/packaging/browser-cases.mjs";
import { closeBrowser } from "./lib/packaging/page.mjs";
import { EXPECTED, prepare, toolVersion } from "./lib/packaging/project.mjs";
import { runtimeCases } from "./lib/packaging/runtime-cases.mjs";
import { root } from "./lib/run.mjs";

const wanted = process.argv.slice(2).filter((word) => !word.startsWith("--"));
const all = [...browserCases, ...runtimeCases];
const cases = all.filter(
  ({ name }) => wanted.length === 0 || wanted.some((word) => name.toLowerCase().includes(word.toLowerCase())),
);
prepare();
const rows = [];
for (const { name, tool, how, run } of cases) {
  const began = performance.now();
  let outcome = "works";
  try {
    const shown = await run();
    if (shown !== EXPECTED) throw new Error(`it shows ${shown}`);
  } catch (error) {
    outcome = `fails: ${String(error.message).trim().split("\n").slice(-6).join(" / ").slice(0, 600)}`;
  }
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  rows.push([name, toolVersion(tool), how, outcome]);
  console.log(`${name.padEnd(32)} ${toolVersion(tool).padEnd(10)} ${seconds.padStart(6)} s  ${outcome}`);
}
await closeBrowser();
const failed = rows.filter((row) => row[3] !== "works");
console.log(`\n${rows.length - failed.length} work, ${failed.length} fail`);
if (process.argv.includes("--write")) writeTable();
process.exit(failed.length > 0 ? 1 : 0);

/** Rows of what was not tried this time stay as they are. */
function writeTable() {
  const page = join(root, "docs/bundlers.md");
  const [before = "", table = "", after = ""] = readFileSync(page, "utf8").split(
    /(?<=<!-- table -->\n)|(?=<!-- end -->)/,
  );
  const known = new Map(table.split("\n").map((line) => [line.split("|")[1]?.trim(), line]));
  for (const row of rows) known.set(row[0], `| ${row.join(" | ")} |`);
  const lines = all.flatMap(({ name }) => known.get(name) ?? []);
  writeFileSync(
    page,
    [
      before,
      ["", "| with | version | how | |", "| --- | --- | --- | --- |", ...lines, "", ""].join("\n"),
      after,
    ].join(""),
  );
}
