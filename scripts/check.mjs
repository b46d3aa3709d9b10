// Everything that must hold besides the tests: format, lints, types, layers, the package, the size of the core.
// All checks run; those that failed are named at the end.

import { reportComponents } from "./lib/component.mjs";
import { tryRun } from "./lib/run.mjs";
import { report } from "./lib/wasm.mjs";

const WASM = ["--lib", "--target", "wasm32-unknown-unknown", "--no-default-features"];

const checks = {
  "Rust format (npm run format)": () => tryRun("cargo", ["fmt", "--all", "--check"]),
  "Rust format of hosts/rust (cargo fmt there)": () =>
    tryRun("cargo", ["fmt", "--manifest-path", "hosts/rust/Cargo.toml", "--check"]),
  "Rust lints, native": () => clippy(["--workspace", "--all-targets"]),
  "Rust lints, core.wasm": () => clippy(["--package", "pagemark", ...WASM, "--features", "bind-core"]),
  "Rust lints, dump.wasm": () => clippy(["--package", "pagemark", ...WASM, "--features", "bind-dump"]),
  "Rust lints, build.wasm": () => clippy(["--package", "pagemark", ...WASM, "--features", "bind-build"]),
  "Rust lints, subset.wasm": () => clippy(["--package", "pagemark", ...WASM, "--features", "bind-subset"]),
  "Rust lints, locality.wasm": () =>
    clippy(["--package", "pagemark", ...WASM, "--features", "bind-locality"]),
  "Rust lints, statement.wasm": () =>
    clippy(["--package", "pagemark", ...WASM, "--features", "bind-statement"]),
  "Rust lints, the component": () =>
    clippy(["--package", "pagemark", ...WASM, "--features", "component,dump"]),
  "Rust lints, the component without the dump": () =>
    clippy(["--package", "pagemark", ...WASM, "--features", "component"]),
  "Rust lints, engine.wasm": () => clippy(["--package", "pagemark-engine", ...WASM, "--features", "bind"]),
  "Rust lints, the engine's component": () =>
    clippy(["--package", "pagemark-engine", ...WASM, "--features", "component"]),
  "Rust documentation": () => rustdoc("pagemark") + rustdoc("pagemark-engine"),
  "types of the tests": () => tryRun("tsc", ["--project", "tests"]),
  "types of worker-example": () => tryRun("tsc", ["--project", "worker-example"]),
  "types of examples/d1": () => tryRun("tsc", ["--project", "examples/d1"]),
  "types of examples/fleet": () => tryRun("tsc", ["--project", "examples/fleet"]),
  "types of the tests in workerd": () => tryRun("tsc", ["--project", "tests/runtimes/workerd"]),
  "TypeScript format and lints (npm run format)": () => tryRun("biome", ["check", "--error-on-warnings"]),
  layers: () => tryRun("vitest", ["run", "--project", "node", "tests/layering"]),
  "docs/errors.md (node scripts/error-codes.mjs)": () =>
    tryRun("node", ["scripts/error-codes.mjs", "--check"]),
  "docs/json.md (node scripts/json-schemas.mjs)": () =>
    tryRun("node", ["scripts/json-schemas.mjs", "--check"]),
  "docs/compatibility.md (node scripts/compatibility.mjs)": () =>
    tryRun("node", ["scripts/compatibility.mjs", "--check"]),
  "npm package": () => tryRun("publint", ["js", "--strict"]),
  "types of the npm package": () =>
    tryRun("attw", ["--pack", "js", "--profile", "esm-only", "--format", "ascii", "-q"]),
  "words and examples of every export (npm run docs)": () => tryRun("node", ["scripts/docs.mjs", "--check"]),
  "size and imports of the wasm": () =>
    report(undefined, true).length + reportComponents(undefined, true).length,
};

const failed = [];
for (const [name, check] of Object.entries(checks)) {
  console.log(`\n== ${name}`);
  if (check() !== 0) failed.push(name);
}
console.log(failed.length === 0 ? "\nAll checks passed." : `\nFailed: ${failed.join("; ")}`);
process.exit(failed.length === 0 ? 0 : 1);

function clippy(args) {
  return tryRun("cargo", ["clippy", "--quiet", ...args, "--", "--deny", "warnings"]);
}

function rustdoc(crate) {
  return tryRun("cargo", ["rustdoc", "--quiet", "--package", crate, "--", "--deny", "warnings"]);
}
