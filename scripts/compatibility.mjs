// Writes docs/compatibility.md from docs/compatibility.json, which says what is promised, and the titles of the tests, which begin
// with the rows that they prove. `--check` says whether it is up to date, `--rows` does not; in each case a row without a test, and without a reason for that, fails.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./lib/run.mjs";

const page = join(root, "docs/compatibility.md");
const { sources, systems } = JSON.parse(readFileSync(join(root, "docs/compatibility.json"), "utf8"));
const rows = systems.flatMap((system) => system.rows);
/** By row: the files of its tests. */
const tests = findTests(new Set(rows.map(({ id }) => id)));

const problems = rows.flatMap(problemsOf);
for (const problem of problems) console.error(problem);
const text = `# What users of five systems find here

Pagemark gives SQLite what the documents of five systems give their users. Each row is a promise of theirs in our words, with the tests whose titles begin with its id: they run the real
thing, in CI. \`npm run check\` fails for a row that has no test and no reason. This page is made by \`node scripts/compatibility.mjs\`; ${count()}.

Where it makes sense a row is proved for every kind of source: ${list()}. \`yes\` is a test of that source; \`-\` is none, for the reason given, or because nobody wrote it yet.

${systems.map(section).join("\n")}`;

const mode = process.argv[2];
if (mode === undefined) writeFileSync(page, text);
else if (mode === "--check" && readFileSync(page, "utf8") !== text) {
  problems.push("stale");
  console.error("docs/compatibility.md is out of date: run node scripts/compatibility.mjs");
}
process.exit(problems.length > 0 ? 1 : 0);

function problemsOf({ id, notYet }) {
  if (tests.get(id).size > 0 || notYet !== undefined) return [];
  return [
    `${id} has no test: write one whose title begins with ${id}, or give docs/compatibility.json the reason`,
  ];
}

function count() {
  const without = rows.filter(({ id }) => tests.get(id).size === 0).map(({ id }) => id);
  const none = without.length === 0 ? "none is without a test" : `not yet tested: ${without.join(", ")}`;
  return `${rows.length} rows, ${none}`;
}

function list() {
  return Object.entries(sources)
    .map(([id, words]) => `**${id}** is ${words}`)
    .join(", ");
}

function section({ name, rows }) {
  const head = ["", "what is promised", ...Object.keys(sources), "tests"];
  const lines = rows.map((row) => [
    row.id,
    row.words,
    ...Object.keys(sources).map((id) => cell(row, id)),
    told(row),
  ]);
  return `## ${name}\n\n${[head, head.map(() => "---"), ...lines].map((cells) => `| ${cells.join(" | ")} |`).join("\n")}\n`;
}

/** Whether a row is proved for a source. */
function cell({ id, everySource }, source) {
  if (!everySource) return "";
  return [...tests.get(id)].some((path) => sourcesOf(path).includes(source)) ? "yes" : "-";
}

function told({ id, notYet, without }) {
  const files = [...tests.get(id)].sort().map((path) => `[${nameOf(path)}](../${path})`);
  const reasons = Object.entries(without ?? {}).map(([sources, reason]) => `${sources}: ${reason}`);
  return [
    ...files,
    ...reasons,
    ...(notYet === undefined || files.length > 0 ? [] : [`not yet: ${notYet}`]),
  ].join("; ");
}

function nameOf(path) {
  return path.replace(/^(tests|src|engine\/src|engine)\//, "").replace(/\.test\.ts$|\.ts$|\.rs$/, "");
}

/** Of what kind the databases are in a file of tests. */
function sourcesOf(path) {
  if (path.startsWith("tests/rows/")) return ["D1", "DO"];
  if (/^tests\/runtimes\/browser\/(opfs\/|round-trip|engine)/.test(path)) return ["O"];
  if (
    /^(engine\/|tests\/engine\/|tests\/runtimes\/(workerd|browser)\/|tests\/clients\/(?!serve|mcp))/.test(
      path,
    )
  )
    return ["live"];
  return ["N"];
}

function findTests(ids) {
  const found = new Map([...ids].map((id) => [id, new Set()]));
  const add = (id, path) => {
    if (ids.has(id)) found.get(id).add(path);
  };
  const files = execFileSync(
    "git",
    ["ls-files", "--cached", "--others", "--exclude-standard", "tests", "src", "engine"],
    {
      cwd: root,
      encoding: "utf8",
    },
  );
  for (const path of files
    .split("\n")
    .filter((name) => /\.(ts|rs)$/.test(name) && !name.startsWith("tests/layering/"))) {
    const text = readFileSync(join(root, path), "utf8");
    // "D1" begins many titles that are about Cloudflare's databases: it is a row's id where clients and the Worker's API are tested.
    const isOfApi = /^tests\/(clients|runtimes\/workerd)\//.test(path);
    const titles = path.endsWith(".ts")
      ? [...text.matchAll(/["`]((?:[A-F]\d{1,2},? )+)[^"`\n]+["`]\s*,/g)]
      : [...text.matchAll(/\bfn ((?:[a-f]\d{1,2}_)+)/g)];
    for (const [, codes] of titles)
      for (const id of codes.toUpperCase().match(/[A-F]\d+/g)) if (id !== "D1" || isOfApi) add(id, path);
  }
  return found;
}
