// Names and limits of the built core.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { root } from "./run.mjs";

/**
 * The wasm modules, each loaded only by those who use it: built from which crate with which feature. THE
 * BUDGETS are of the gzipped files, in bytes; raising one needs a reason in the commit message.
 */
export const modules = [
  // 17 kB of it are removals, which backups retention keeps, following a WAL, and merging what was stored of it; 3 kB when each of these
  // states was taken, which only its own file tells.
  { name: "core", crate: "pagemark", feature: "bind-core", budget: 241_000 },
  // Nearly all of it runs over every row, so all of it is made fast, not small.
  // A salvage, which tells pages from each other by what their rows are like, is 30 kB of it; text that is checked sixteen
  // bytes at a time, reals of any size and tables shared by two threads are 6 kB. What takes SQL apart that is loaded into D1 is 0.5 kB,
  // and which keys are UNIQUE and twice 9 kB. Another 9 kB let rows go into D1 before those that they refer to, and 8 kB those that
  // repeat a key into any database; 1.4 kB put empty tables in the place of parent tables that are gone, and 8 kB
  // tell what SQLite or D1 does not make of a schema; 1 kB that of the columns, keys and expressions of tables.
  { name: "dump", crate: "pagemark", feature: "bind-dump", level: 3, inlining: 75, budget: 288_000 },
  // Rows become pages: all of it runs over every row. BLAKE3, which tells what changed since the last backup, is 6 kB of it.
  // Putting what changed into the b-trees before is 16 kB, going on with those of another process 3 kB.
  { name: "build", crate: "pagemark", feature: "bind-build", level: 3, budget: 71_500 },
  // Tables taken out of a database, and comparing two: pages are copied, so all of it is made small. Most of it reads b-trees and
  // builds the schema's.
  { name: "subset", crate: "pagemark", feature: "bind-subset", level: "z", budget: 106_000 },
  // Which of several stores: decided once for an object, so all of it is made small.
  { name: "locality", crate: "pagemark", feature: "bind-locality", level: "z", budget: 32_000 },
  // BACKUP, RESTORE, SHOW and the like: a statement takes a fraction of a millisecond, so all of it is made small.
  { name: "statement", crate: "pagemark", feature: "bind-statement", level: "z", budget: 50_000 },
  // How SQLite's C is compiled is in .cargo/config.toml; all of -O2 would make it 620 kB.
  // 10 kB of it are text functions whose time is bounded, and what counts the work of the others.
  // SQLite's random bytes are the runtime's: a host has no choice to make there.
  { name: "engine", crate: "pagemark-engine", budget: 560_000, isRandom: true },
].map((module) => {
  const folder = join(root, "pkg", module.name);
  return { ...module, folder, wasm: join(folder, "pagemark_bg.wasm"), glue: join(folder, "pagemark.js") };
});

// The core is sans-IO: time and random bytes are arguments, the latter but in the engine. An import whose name, or whose glue code, reaches for one of
// these means that something in the core (mostly a dependency) breaks that.
const forbiddenModule = /^(env|wasi.*)$/i;
const forbiddenName = /date|(^|_)now(_|$)|random|crypto|performance|getrandom|settimeout/i;
const RANDOM = "getRandomValues";
const forbiddenCode = /\b(Date|Math\.random|performance|crypto|process|require|setTimeout|localStorage)\b/;

/** Every import as `module.name`. */
export function imports(wasm) {
  return WebAssembly.Module.imports(new WebAssembly.Module(wasm)).map(
    ({ module, name }) => `${module}.${name}`,
  );
}

/** What is wrong with a built module, as sentences; and its sizes, for showing. */
export function inspect({ name, budget, isRandom, wasm, glue }) {
  const bytes = readFileSync(wasm);
  const size = { raw: bytes.length, gzip: gzipSync(bytes, { level: 9 }).length };
  const problems = [];
  if (size.gzip > budget)
    problems.push(`${name}.wasm is ${kB(size.gzip)} gzipped, over its budget of ${kB(budget)}`);
  const all = imports(bytes);
  for (const imported of all) {
    const dot = imported.indexOf(".");
    const called = isRandom ? imported.slice(dot + 1).replace(RANDOM, "") : imported.slice(dot + 1);
    if (forbiddenModule.test(imported.slice(0, dot)) || forbiddenName.test(called)) {
      problems.push(
        `${name}.wasm imports ${imported}: the core takes clock, random bytes and environment as arguments`,
      );
    }
  }
  for (const line of readFileSync(glue, "utf8").split("\n")) {
    const written = line.replace(/^\s*(\/?\*|\/\/).*/, "");
    const code = isRandom ? written.replace(`globalThis.crypto.${RANDOM}`, "") : written;
    const found = forbiddenCode.exec(code);
    if (found) problems.push(`${name}'s glue uses ${found[1]}: ${code.trim()}`);
  }
  return { size, imports: all, problems };
}

/** Prints sizes, with `isFull` the imports too; returns the problems. */
export function report(wanted = modules, isFull = false) {
  return wanted.flatMap((module) => {
    const { size, imports, problems } = inspect(module);
    const { name, budget } = module;
    console.log(`${name}.wasm: ${kB(size.raw)} raw, ${kB(size.gzip)} gzipped (budget ${kB(budget)})`);
    if (isFull) console.log(`${name}.wasm imports (${imports.length}): ${imports.join(", ") || "none"}`);
    for (const problem of problems) console.error(`error: ${problem}`);
    return problems;
  });
}

function kB(bytes) {
  return `${(bytes / 1000).toFixed(1)} kB`;
}
