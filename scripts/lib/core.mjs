// Names and limits of the built core.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { root } from "./run.mjs";

/** THE BUDGET: the core without SQLite, gzipped, in bytes. Raising it needs a reason in the commit message. */
export const CORE_GZIP_LIMIT = 150_000;

export const coreFolder = join(root, "pkg/core");
export const coreWasm = join(coreFolder, "pagemark_bg.wasm");
export const coreGlue = join(coreFolder, "pagemark.js");

// The core is sans-IO: time and random bytes are arguments. An import whose name, or whose glue code, reaches for one of
// these means that something in the core (mostly a dependency) breaks that.
const forbiddenModule = /^(env|wasi.*)$/i;
const forbiddenName = /date|(^|_)now(_|$)|random|crypto|performance|getrandom|settimeout/i;
const forbiddenCode = /\b(Date|Math\.random|performance|crypto|process|require|setTimeout|localStorage)\b/;

/** Every import as `module.name`. */
export function imports(wasm = readFileSync(coreWasm)) {
  return WebAssembly.Module.imports(new WebAssembly.Module(wasm)).map(
    ({ module, name }) => `${module}.${name}`,
  );
}

/** What is wrong with the built core, as sentences; and its sizes, for showing. */
export function inspect() {
  const wasm = readFileSync(coreWasm);
  const size = { raw: wasm.length, gzip: gzipSync(wasm, { level: 9 }).length };
  const problems = [];
  if (size.gzip > CORE_GZIP_LIMIT) {
    problems.push(`core.wasm is ${kB(size.gzip)} gzipped, over its budget of ${kB(CORE_GZIP_LIMIT)}`);
  }
  const all = imports(wasm);
  for (const name of all) {
    const dot = name.indexOf(".");
    if (forbiddenModule.test(name.slice(0, dot)) || forbiddenName.test(name.slice(dot + 1))) {
      problems.push(
        `core.wasm imports ${name}: the core takes clock, random bytes and environment as arguments`,
      );
    }
  }
  for (const line of readFileSync(coreGlue, "utf8").split("\n")) {
    const code = line.replace(/^\s*(\/?\*|\/\/).*/, "");
    const found = forbiddenCode.exec(code);
    if (found) problems.push(`the core's glue uses ${found[1]}: ${code.trim()}`);
  }
  return { size, imports: all, problems };
}

/** Prints sizes and imports; returns the problems. */
export function report() {
  const { size, imports, problems } = inspect();
  console.log(`core.wasm: ${kB(size.raw)} raw, ${kB(size.gzip)} gzipped (budget ${kB(CORE_GZIP_LIMIT)})`);
  console.log(`core.wasm imports (${imports.length}): ${imports.join(", ") || "none"}`);
  for (const problem of problems) console.error(`error: ${problem}`);
  return problems;
}

function kB(bytes) {
  return `${(bytes / 1000).toFixed(1)} kB`;
}
