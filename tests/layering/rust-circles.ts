// Which files of a Rust crate use which, for circles of files. To pass a name on (`pub use`) is not to use it: what uses a
// name that a module passes on uses the file that the name is written in.
import { circlesOf } from "./circles.ts";
import type { Sources } from "./files.ts";
import { productionCode } from "./rust.ts";

/** A file of a crate. */
interface Module {
  file: string;
  /** Its place in the crate: `["dump", "rows"]`, and empty for `lib.rs`. */
  path: readonly string[];
  /** Without comments, literals and tests. */
  code: string;
  /** Names that `use` brings in or passes on, and what each stands for; modules all of whose names it passes on. */
  names: Map<string, readonly string[]>;
  globs: (readonly string[])[];
}

/** Modules by their paths, joined by `::`. */
type Crate = ReadonlyMap<string, Module>;

/** Circles of files in the crate whose files are `sources` (paths below its folder). Test code may use what it likes. */
export function rustCircles(sources: Sources): string[][] {
  const crate = new Map([...sources].map(([file, text]) => moduleOf(file, text)));
  const modules = [...crate.values()];
  const used = new Map(modules.map((module) => [module, readUses(module, crate)]));
  return circlesOf(
    new Map(
      modules.map((module) => {
        const paths = [...(used.get(module) ?? []), ...pathsIn(module, crate)];
        const files = paths.map((path) => ownerOf(path, crate)?.file).filter((file) => file !== undefined);
        return [module.file, files.filter((file) => file !== module.file)];
      }),
    ),
  );
}

function moduleOf(file: string, text: string): [string, Module] {
  const path = file
    .replace(/(^|\/)(mod|lib)\.rs$|\.rs$/, "")
    .split("/")
    .filter(Boolean);
  return [path.join("::"), { file, path, code: productionCode(text), names: new Map(), globs: [] }];
}

/** Reads the module's `use` declarations; gives the paths that it uses itself. */
function readUses(module: Module, crate: Crate): string[][] {
  const used: string[][] = [];
  for (const [, isPublic, tree = ""] of module.code.matchAll(
    /(\bpub\b\s*(?:\([^)]*\))?\s*)?\buse\s([^;]*);/g,
  )) {
    for (const { path, name } of leavesOf(tree)) {
      const segments = absolute(path, module, crate);
      if (!segments) continue;
      if (!isPublic) used.push(segments);
      if (name === "*") module.globs.push(segments);
      else module.names.set(name, segments);
    }
  }
  return used;
}

/** The leaves of a `use` tree: `a::{b as c, d::*}` has `a::b`, called `c`, and all of `a::d`, called `*`. */
function leavesOf(tree: string, before: readonly string[] = []): { path: string[]; name: string }[] {
  const group = tree.indexOf("{");
  if (group >= 0) {
    const prefix = [...before, ...segmentsOf(tree.slice(0, group))];
    return partsOf(tree.slice(group + 1, tree.lastIndexOf("}"))).flatMap((part) => leavesOf(part, prefix));
  }
  const [from = "", alias] = tree.split(/\sas\s/);
  const path = [...before, ...segmentsOf(from)];
  const last = path.at(-1) ?? "";
  const isOfModule = last === "self" && path.length > 1;
  const whole = last === "*" || isOfModule ? path.slice(0, -1) : path;
  return [{ path: whole, name: last === "*" ? "*" : (alias?.trim() ?? whole.at(-1) ?? "") }];
}

function segmentsOf(text: string): string[] {
  const segments = text.split("::").map((segment) => segment.trim());
  return segments.filter(Boolean);
}

/** What stands between the commas that are in no inner group. */
function partsOf(text: string): string[] {
  const parts = [""];
  let nesting = 0;
  for (const char of text) {
    nesting += Number(char === "{") - Number(char === "}");
    if (char === "," && nesting === 0) parts.push("");
    else parts[parts.length - 1] += char;
  }
  return parts.filter((part) => part.trim() !== "");
}

/** Paths in a module's code beside its `use` declarations that lead somewhere in its crate. */
function pathsIn(module: Module, crate: Crate): string[][] {
  const code = module.code.replace(/\buse\s[^;]*;/g, "");
  const paths = [...code.matchAll(/(?<![\w:])[a-z_]\w*(?:\s*::\s*\w+)+/g)];
  return paths
    .map(([path]) => absolute(segmentsOf(path), module, crate))
    .filter((path) => path !== undefined);
}

/** A path from the crate's root; nothing when it leads to another crate, or to a name that `use` brought in. */
function absolute(path: readonly string[], { path: own }: Module, crate: Crate): string[] | undefined {
  const [first = ""] = path;
  if (first === "crate") return path.slice(1);
  if (first === "self") return [...own, ...path.slice(1)];
  if (first === "super") {
    const up = path.findIndex((segment) => segment !== "super");
    const count = up < 0 ? path.length : up;
    return [...own.slice(0, own.length - count), ...path.slice(count)];
  }
  // A module's own child needs no `self`.
  return crate.has([...own, first].join("::")) ? [...own, ...path] : undefined;
}

/** The file that what a path leads to is written in. */
function ownerOf(path: readonly string[], crate: Crate, seen = new Set<string>()): Module | undefined {
  const key = path.join("::");
  if (seen.has(key)) return undefined;
  seen.add(key);
  let depth = path.length;
  while (depth > 0 && !crate.has(path.slice(0, depth).join("::"))) depth--;
  const module = crate.get(path.slice(0, depth).join("::"));
  const name = path[depth];
  if (!module || name === undefined || defines(module, name)) return module;
  const passedOn = module.names.get(name);
  if (passedOn) return ownerOf([...passedOn, ...path.slice(depth + 1)], crate, seen) ?? module;
  const owners = module.globs.map((glob) => ownerOf([...glob, name], crate, seen));
  return owners.find((owner) => owner && defines(owner, name)) ?? module;
}

function defines({ code }: Module, name: string): boolean {
  return new RegExp(`\\b(fn|struct|enum|union|trait|type|const|static|mod)\\s+${name}\\b`).test(code);
}
