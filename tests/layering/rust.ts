// Which modules of the Rust core use which: the layers of the crate.
import type { Sources } from "./files.ts";

/** Every top-level module and its layer. A module uses lower layers only: never its own, never a higher one. */
export const RUST_LAYERS: Readonly<Record<string, number>> = {
  error: 0,
  bytes: 1,
  json: 1,
  sql: 2,
  page: 2,
  ltx: 3,
  btree: 3,
  bookmark: 3,
  snapshot: 4,
  build: 4,
  salvage: 4,
  dump: 5,
  catalog: 5,
  compare: 5,
  subset: 5,
  job: 6,
  run: 6,
  statement: 6,
  engine: 6,
  drive: 7,
  wasm: 8,
  component: 8,
};

/** The same of the engine, a crate of its own above the core. */
export const ENGINE_LAYERS: Readonly<Record<string, number>> = {
  error: 0,
  rows: 0,
  store: 1,
  history: 2,
  volume: 3,
  scratch: 3,
  journal: 4,
  sqlite: 5,
  database: 6,
  memory: 6,
  bind: 7,
  component: 7,
  tests: 8,
};

/** What breaks the layers in `sources` (paths below `folder`), as sentences. */
export function rustViolations(sources: Sources, folder = "src", layers = RUST_LAYERS): string[] {
  const problems = new Set<string>();
  for (const [path, text] of sources) {
    const [top = "", ...inner] = path.replace(/(\/mod)?\.rs$/, "").split("/");
    if (top === "lib") continue; // the module list
    const layer = layers[top];
    if (layer === undefined) {
      problems.add(`${folder}/${path}: module ${top} has no layer: give it one in tests/layering/rust.ts`);
      continue;
    }
    for (const used of usedModules(productionCode(text), 1 + inner.length, layers)) {
      if (used === top) continue;
      const below = layers[used];
      if (below === undefined) {
        problems.add(`${folder}/${path}: uses crate::${used}, which is no module with a layer`);
      } else if (below >= layer) {
        problems.add(`${folder}/${path}: ${top} (layer ${layer}) uses ${used} (layer ${below})`);
      }
    }
  }
  return [...problems];
}

/** The first names after `crate::`, or after as many `super::` as lead to the crate's root from `depth`. */
function usedModules(code: string, depth: number, layers: Readonly<Record<string, number>>): string[] {
  const names: string[] = [];
  for (const match of code.matchAll(/\b(crate|super(?:\s*::\s*super)*)\s*::\s*(\{|\*|[A-Za-z_]\w*!?)/g)) {
    const [whole, from = "", first = ""] = match;
    const found = first === "{" ? groupNames(code.slice(match.index + whole.length)) : [first];
    if (from === "crate") names.push(...found.filter((name) => !name.endsWith("!")));
    // An inline module is one `super` deeper than its file, so only names of modules tell.
    else if (from.split("::").length >= depth) names.push(...found.filter((name) => name in layers));
  }
  return names;
}

/** The first name of each path in a `use` group, whose text starts after `{`. */
function groupNames(text: string): string[] {
  const names: string[] = [];
  let nesting = 0;
  let expectsName = true;
  for (const [token] of text.matchAll(/[{},]|\w+/g)) {
    if (token === "{") nesting++;
    else if (token === "}" && nesting-- === 0) break;
    else if (token === "," && nesting === 0) expectsName = true;
    else if (expectsName && nesting === 0 && /^\w/.test(token)) {
      names.push(token);
      expectsName = false;
    }
  }
  return names;
}

/** The text without comments, literals and `#[cfg(test)]` items: test code may use what it likes. */
export function productionCode(text: string): string {
  const code = text
    .replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, "")
    .replace(/b?r(#+)"[\s\S]*?"\1|b?"(?:\\[\s\S]|[^"\\])*"|b?'(?:\\[^\n]{1,8}?|[^\\'\n])'/g, "0");
  let kept = "";
  let rest = code;
  for (;;) {
    const start = rest.search(/#\[cfg\(test\)\]/);
    if (start < 0) return kept + rest;
    kept += rest.slice(0, start);
    rest = rest.slice(endOfItem(rest, start));
  }
}

/** Where the item that starts at `start` ends: its `;`, or the brace that closes its body. */
function endOfItem(code: string, start: number): number {
  let nesting = 0;
  for (let at = start; at < code.length; at++) {
    const char = code[at];
    if (char === "{") nesting++;
    if ((char === "}" && --nesting <= 0) || (char === ";" && nesting === 0)) return at + 1;
  }
  return code.length;
}
