// The WebAssembly components: how each is built from which crate, and what it may import and weigh.
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { root, run } from "./run.mjs";

const folder = join(root, "pkg/component");
const CORE = {
  crate: "pagemark",
  wit: "wit/pagemark.wit",
  package: "pagemark:core",
  about: "Page-level backups of SQLite databases: LTX files, bookmarks, restore. It imports nothing of WASI.",
};
const ENGINE = {
  crate: "pagemark-engine",
  wit: "engine/wit/engine.wit",
  package: "pagemark:engine",
  about: "SQLite on a store of page versions: bookmarks, and going back in time. It imports nothing of WASI.",
};
/**
 * What cargo compiles, as the modules of wasm.mjs, the file it becomes, its interface, and the hosts that carry it with them. THE BUDGETS
 * are of the gzipped files, in bytes; raising one needs a reason in the commit message. The dump is half of what has it: in the npm
 * package, which loads the two apart, they have 530 kB.
 */
export const components = [
  {
    ...CORE,
    name: "component",
    feature: "component,dump",
    file: "pagemark.wasm",
    budget: 488_000,
    carried: ["hosts/python/src/pagemark/pagemark.wasm", "hosts/rust/component/pagemark.wasm"],
  },
  { ...CORE, name: "backups", feature: "component", file: "backups.wasm", budget: 264_000, carried: [] },
  {
    ...ENGINE,
    name: "engine-component",
    feature: "component",
    file: "engine.wasm",
    budget: 540_000,
    carried: ["hosts/python/src/pagemark/engine.wasm", "hosts/rust/component/engine.wasm"],
  },
].map((component) => ({ ...component, path: join(folder, component.file) }));

/** From what Rust compiled to pkg/component, unless it is up to date. */
export function linkComponent(component, compiled, features) {
  const { name, file, path, wit, package: interfaces, about, carried } = component;
  const hash = createHash("sha256");
  const inputs = [
    "Cargo.lock",
    "package-lock.json",
    "scripts/lib/component.mjs",
    "scripts/build-wasm/src/component.rs",
    wit,
  ];
  for (const input of [compiled, ...inputs.map((input) => join(root, input))])
    hash.update(readFileSync(input));
  const wanted = hash.digest("hex");
  const stamp = join(folder, `.stamp-${name}`);
  if (!existsSync(stamp) || !existsSync(path) || readFileSync(stamp, "utf8") !== wanted) {
    const optimised = join(root, "target/wasm-bindgen", name, file);
    for (const made of [dirname(optimised), folder]) mkdirSync(made, { recursive: true });
    rmSync(stamp, { force: true });
    // As small as with -O3, and in a third of the time.
    run("wasm-opt", ["-O1", ...features.map((name) => `--enable-${name}`), compiled, "-o", optimised]);
    const text = readFileSync(join(root, wit), "utf8");
    const [, version] = new RegExp(`^package ${interfaces}@(.+);$`, "m").exec(text);
    run("cargo", [
      "run",
      "--quiet",
      "--package",
      "build-wasm",
      "--",
      "component",
      optimised,
      folder,
      version,
      about,
    ]);
    copyFileSync(join(root, wit), join(folder, basename(wit)));
    writeFileSync(stamp, wanted);
  }
  for (const copy of carried) carry(path, join(root, copy));
  // wasmtime's macro for Rust reads the interface, too.
  if (carried.length > 0) carry(join(root, wit), join(root, "hosts/rust/component", basename(wit)));
}

function carry(file, copy) {
  mkdirSync(dirname(copy), { recursive: true });
  if (!existsSync(copy) || !readFileSync(copy).equals(readFileSync(file))) copyFileSync(file, copy);
}

/** What a component imports: names of interfaces. */
export function componentImports(bytes) {
  const found = [];
  const text = new TextDecoder();
  let at = 8;
  const number = () => {
    let value = 0;
    for (let unit = 1; ; unit *= 0x80) {
      const byte = bytes[at++];
      value += (byte & 0x7f) * unit;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    const section = bytes[at++];
    const end = number() + at;
    // Section 10 holds imports: a form of the name, the name, and its type, which for an interface is 5 and an index.
    if (section === 10) {
      for (let left = number(); left > 0; left--) {
        at++;
        const length = number();
        found.push(text.decode(bytes.subarray(at, at + length)));
        at += length + 1;
        number();
      }
    }
    at = end;
  }
  return found;
}

/** Prints sizes, with `isFull` the imports too; returns what is wrong. */
export function reportComponents(wanted = components, isFull = false) {
  const problems = wanted.flatMap(({ file, path, budget, package: interfaces }) => {
    const bytes = readFileSync(path);
    const gzip = gzipSync(bytes, { level: 9 }).length;
    console.log(`component ${file}: ${kB(bytes.length)} raw, ${kB(gzip)} gzipped (budget ${kB(budget)})`);
    const imports = componentImports(bytes);
    if (isFull) console.log(`component ${file} imports (${imports.length}): ${imports.join(", ")}`);
    const foreign = imports.filter((name) => !name.startsWith(`${interfaces}/`));
    return [
      ...foreign.map((name) => `${file} imports ${name}: its host lends its own interfaces only`),
      ...(gzip > budget ? [`${file} is ${kB(gzip)} gzipped, over its budget of ${kB(budget)}`] : []),
    ];
  });
  for (const problem of problems) console.error(`error: ${problem}`);
  return problems;
}

function kB(bytes) {
  return `${(bytes / 1000).toFixed(1)} kB`;
}
