// The WebAssembly component, with the dump and without it: how each is built from the crate, and what it may import and weigh.
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { root, run } from "./run.mjs";

const folder = join(root, "pkg/component");
/**
 * Both builds: what cargo compiles, as the modules of wasm.mjs, and the file it becomes. THE BUDGETS are of the gzipped files, in bytes;
 * raising one needs a reason in the commit message. The dump is half of what has it: in the npm package, which loads the two apart, they
 * have 530 kB.
 */
export const components = [
  { name: "component", crate: "pagemark", feature: "component,dump", file: "pagemark.wasm", budget: 487_500 },
  { name: "backups", crate: "pagemark", feature: "component", file: "backups.wasm", budget: 287_000 },
].map((component) => ({ ...component, path: join(folder, component.file) }));
/** Hosts that carry the component with them. */
const CARRIED = ["hosts/python/src/pagemark/pagemark.wasm", "hosts/rust/component/pagemark.wasm"];
const WIT = "wit/pagemark.wit";

/** From what Rust compiled to pkg/component, unless it is up to date. */
export function linkComponent({ name, file, path }, compiled, features) {
  const hash = createHash("sha256");
  const inputs = [
    "Cargo.lock",
    "package-lock.json",
    "scripts/lib/component.mjs",
    "scripts/build-wasm/src/component.rs",
    WIT,
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
    const [, version] = /^package pagemark:core@(.+);$/m.exec(readFileSync(join(root, WIT), "utf8"));
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
    ]);
    copyFileSync(join(root, WIT), join(folder, "pagemark.wit"));
    writeFileSync(stamp, wanted);
  }
  if (name !== "component") return;
  for (const copy of CARRIED) carry(path, join(root, copy));
  carry(join(root, WIT), join(root, "hosts/rust/component/pagemark.wit"));
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
  const problems = wanted.flatMap(({ file, path, budget }) => {
    const bytes = readFileSync(path);
    const gzip = gzipSync(bytes, { level: 9 }).length;
    console.log(`component ${file}: ${kB(bytes.length)} raw, ${kB(gzip)} gzipped (budget ${kB(budget)})`);
    const imports = componentImports(bytes);
    if (isFull) console.log(`component ${file} imports (${imports.length}): ${imports.join(", ")}`);
    const foreign = imports.filter((name) => !name.startsWith("pagemark:core/"));
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
