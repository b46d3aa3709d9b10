// The WebAssembly component: how it is built from the crate, and what it may import and weigh.
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { root, run } from "./run.mjs";

/**
 * Gzipped, in bytes; raising it needs a reason in the commit message. The dump is half of it: in the npm package, which
 * loads the two apart, they have 530 kB.
 */
const BUDGET = 476_000;
/** What of it cargo compiles, as the modules of wasm.mjs. */
export const component = { name: "component", crate: "pagemark", feature: "component" };
export const componentFile = join(root, "pkg/component/pagemark.wasm");
/** Hosts that carry the component with them. */
const CARRIED = ["hosts/python/src/pagemark/pagemark.wasm", "hosts/rust/component/pagemark.wasm"];
const WIT = "wit/pagemark.wit";

/** From what Rust compiled to pkg/component, unless it is up to date. */
export function linkComponent(compiled, features) {
  const hash = createHash("sha256");
  const inputs = ["Cargo.lock", "package-lock.json", "scripts/lib/component.mjs", WIT];
  for (const file of [compiled, ...inputs.map((file) => join(root, file))]) hash.update(readFileSync(file));
  const wanted = hash.digest("hex");
  const folder = dirname(componentFile);
  const stamp = join(folder, ".stamp");
  if (!existsSync(stamp) || !existsSync(componentFile) || readFileSync(stamp, "utf8") !== wanted) {
    const optimised = join(root, "target/wasm-bindgen/component/pagemark.wasm");
    for (const made of [dirname(optimised), folder]) mkdirSync(made, { recursive: true });
    rmSync(stamp, { force: true });
    // As small as with -O3, and in a third of the time.
    run("wasm-opt", ["-O1", ...features.map((name) => `--enable-${name}`), compiled, "-o", optimised]);
    run("cargo", ["run", "--quiet", "--package", "build-wasm", "--", "component", optimised, folder]);
    copyFileSync(join(root, WIT), join(folder, "pagemark.wit"));
    writeFileSync(stamp, wanted);
  }
  for (const copy of CARRIED) carry(componentFile, join(root, copy));
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

/** Prints the component's size, with `isFull` its imports too; returns what is wrong with it. */
export function reportComponent(isFull = false) {
  const bytes = readFileSync(componentFile);
  const gzip = gzipSync(bytes, { level: 9 }).length;
  console.log(`component: ${kB(bytes.length)} raw, ${kB(gzip)} gzipped (budget ${kB(BUDGET)})`);
  const imports = componentImports(bytes);
  if (isFull) console.log(`component imports (${imports.length}): ${imports.join(", ")}`);
  const foreign = imports.filter((name) => !name.startsWith("pagemark:core/"));
  const problems = foreign.map(
    (name) => `the component imports ${name}: its host lends its own interfaces only`,
  );
  if (gzip > BUDGET) problems.push(`the component is ${kB(gzip)} gzipped, over its budget of ${kB(BUDGET)}`);
  for (const problem of problems) console.error(`error: ${problem}`);
  return problems;
}

function kB(bytes) {
  return `${(bytes / 1000).toFixed(1)} kB`;
}
