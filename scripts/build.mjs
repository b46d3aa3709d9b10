// Builds the modules in pkg/ (Rust -> wasm -> glue) and js/dist (TypeScript and a copy of them), skipping what is up to
// date. With names (`node scripts/build.mjs engine`): only these modules; js/dist, from the modules as they are, is `package`.
import { createHash } from "node:crypto";
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { gzipSync } from "node:zlib";
import { bundleCommand } from "./lib/command.mjs";
import { components, linkComponent, reportComponents } from "./lib/component.mjs";
import { buildDashboard } from "./lib/dashboard.mjs";
import { pageWorkers } from "./lib/page-workers.mjs";
import { root, run, runBeside } from "./lib/run.mjs";
import { countingSqlite } from "./lib/sqlite.mjs";
import { bundlePackages, licencesOf } from "./lib/vendor.mjs";
import { modules, report } from "./lib/wasm.mjs";

const TARGET = "wasm32-unknown-unknown";
const dist = join(root, "js/dist");
/** In js/dist, without a source of the same name in js/src. */
const GENERATED =
  /^(build|core|dump|engine|locality|statement|subset)\.d\.|^bin\/|^(inline|schemas|vendor)\/|^api\/dashboard\/assets\.js$/;

// What Rust emits for this target by default, plus simd; said here so that wasm-opt accepts a stripped file as well.
const FEATURES = [
  "simd",
  "bulk-memory",
  "sign-ext",
  "mutable-globals",
  "nontrapping-float-to-int",
  "reference-types",
  "multivalue",
];

const names = process.argv.slice(2);
for (const name of names) {
  const known = ["package", ...[...modules, ...components].map((module) => module.name)];
  if (known.includes(name)) continue;
  console.error(`There is no module ${name}; there are ${known.join(", ")}.`);
  process.exit(2);
}
const wanted = names.length > 0 ? modules.filter(({ name }) => names.includes(name)) : modules;
const wantedComponents = components.filter(({ name }) => names.length === 0 || names.includes(name));
// A crate is compiled in one piece, which keeps one processor busy. The last one takes longest.
const waiting = [...wantedComponents, ...wanted].toReversed();
/** The folders of those that were compiled. */
const compiled = [];
await Promise.all([compileWaiting(), compileWaiting()]);
for (const component of wantedComponents) {
  linkComponent(component, join(targetOf(component), TARGET, "release", `${stem(component)}.wasm`), FEATURES);
}
if ([...report(wanted), ...reportComponents(wantedComponents)].length > 0) process.exit(1);
if (names.length === 0 || names.includes("package")) await buildPackage();

async function compileWaiting() {
  for (let module = waiting.shift(); module; module = waiting.shift()) {
    await compile(module);
    if (!components.includes(module)) await link(module);
  }
}

async function compile(module) {
  // An environment RUSTFLAGS would replace the flags of .cargo/config.toml, and silently build without simd.
  const { RUSTFLAGS: _, CARGO_ENCODED_RUSTFLAGS: __, ...env } = process.env;
  // A folder each: in one, cargo would compile each of them anew after the other.
  const target = targetOf(module);
  if (!existsSync(target)) for (const other of compiled) copyDependencies(other, target);
  const what = ["--package", module.crate, "--lib", "--release", "--target", TARGET, "--target-dir", target];
  if (module.feature) what.push("--no-default-features", "--features", module.feature);
  if (module.level) what.push("--config", `profile.release.opt-level=${JSON.stringify(module.level)}`);
  if (module.crate === "pagemark-engine") env.SQLITE_WASM_RS_SOURCE_DIR = countingSqlite();
  if (module.inlining) {
    // Appended to the flags in .cargo/config.toml.
    what.push("--config", `target.${TARGET}.rustflags=["-Cllvm-args=-inline-threshold=${module.inlining}"]`);
  }
  await runBeside("cargo", ["build", "--quiet", ...what], { env });
  compiled.push(target);
}

/** What modules have in common is compiled once: cargo knows it again by its hash, and is content with a copy. */
function copyDependencies(from, to) {
  const isShared = (path) => !/^(lib)?pagemark/.test(basename(path));
  cpSync(from, to, { recursive: true, preserveTimestamps: true, force: false, filter: isShared });
}

/** From what Rust compiled to the module with its glue, unless it is up to date. */
async function link(module) {
  const compiled = join(targetOf(module), TARGET, "release", `${stem(module)}.wasm`);
  // Cargo knows whether Rust has to be compiled again; from there on, the content decides.
  const inputs = [
    compiled,
    "Cargo.lock",
    "package-lock.json",
    "scripts/build.mjs",
    "scripts/build-wasm/src/main.rs",
    "scripts/build-wasm/src/work.rs",
  ];
  const hash = createHash("sha256");
  for (const file of inputs) hash.update(readFileSync(resolve(root, file)));
  const wanted = hash.digest("hex");
  const stamp = join(module.folder, ".stamp");
  const fresh = existsSync(stamp) && existsSync(module.wasm) && readFileSync(stamp, "utf8") === wanted;
  if (!fresh) await generate(module, compiled, stamp, wanted);
}

async function generate(module, compiled, stamp, inputs) {
  const generated = join(root, "target/wasm-bindgen", module.name);
  rmSync(generated, { recursive: true, force: true });
  await runBeside("cargo", ["run", "--quiet", "--package", "build-wasm", "--", compiled, generated]);
  rmSync(stamp, { force: true });
  mkdirSync(module.folder, { recursive: true });
  // What is called from one place only stays a function: V8 takes long, and much memory, for large ones.
  const optimise = [
    "-O3",
    "--one-caller-inline-max-function-size=500",
    ...FEATURES.map((name) => `--enable-${name}`),
  ];
  await runBeside("wasm-opt", [...optimise, join(generated, `${stem(module)}_bg.wasm`), "-o", module.wasm]);
  const [glue, types] = [".js", ".d.ts"].map((end) => join(generated, `${stem(module)}${end}`));
  writeFileSync(join(module.folder, "pagemark.js"), guarded(readFileSync(glue, "utf8")));
  copyFileSync(types, join(module.folder, "pagemark.d.ts"));
  writeFileSync(stamp, inputs);
}

function targetOf({ name }) {
  return join(root, "target/wasm", name);
}

/**
 * The glue, with the module's functions in the care of js/src/core/errors.ts: a trap in them is an error of the package, and so is an
 * argument that is no text where text belongs, for which the glue would read memory that is not there.
 */
function guarded(glue) {
  const start = "wasm = instance.exports;";
  if (glue.split(start).length !== 2) throw new Error("the glue starts its module in another way");
  const checked = glue
    .replace(start, "wasm = guarded(instance.exports);")
    .replace("function passStringToWasm0(arg, malloc, realloc) {", "$&\n    checkText(arg);")
    .replace("function passArrayJsValueToWasm0(array, malloc) {", "$&\n    checkList(array);");
  const names = ["guarded", "checkText", "checkList"].filter((name) => checked.includes(`${name}(`));
  return `${checked}\nimport { ${names.join(", ")} } from "../../core/errors.js";\n`;
}

/** What Cargo and wasm-bindgen call the module's files. */
function stem({ crate }) {
  return crate.replaceAll("-", "_");
}

async function buildPackage() {
  for (const { name, folder, wasm } of modules) {
    copy(join(folder, "pagemark.js"), `pkg/${name}/pagemark.js`);
    const types = join(folder, "pagemark.d.ts");
    if (existsSync(types))
      write(`pkg/${name}/pagemark.d.ts`, Buffer.from(portable(readFileSync(types, "utf8"))));
    copy(wasm, `${name}.wasm`);
    copy(join(root, `js/types/${name}.d.wasm.ts`), `${name}.d.wasm.ts`);
    if (existsSync(wasm)) write(`inline/${name}.js`, inlined(readFileSync(wasm)));
  }
  // npm publishes these two from the package's own folder only.
  copy(join(root, "LICENSE"), "../LICENSE");
  write("../README.md", Buffer.from(absolute(readFileSync(join(root, "README.md"), "utf8"))));
  writeFolders();
  run("tsc", ["--project", "js"]);
  buildDashboard(join(dist, "api/dashboard/assets.js"));
  removeLeftovers();
  for (const [name, script] of await pageWorkers(dist)) write(`inline/${name}.js`, Buffer.from(script));
  await writeSchemas();
  const inLibrary = await bundlePackages(dist);
  const inCommand = await bundleCommand(dist);
  write("LICENSES.txt", Buffer.from(licencesOf(new Set([...inLibrary, ...inCommand]))));
}

/** What `--json` prints, as JSON schemas. */
async function writeSchemas() {
  const { OUTPUTS, jsonSchema } = await import(join(dist, "cli/schemas.js"));
  for (const name of Object.keys(OUTPUTS))
    write(`schemas/${name}.json`, Buffer.from(`${JSON.stringify(jsonSchema(name), null, 2)}\n`));
}

/** The README as npm shows it, where the repository's files are not beside it. */
function absolute(readme) {
  const { homepage } = JSON.parse(readFileSync(join(root, "js/package.json"), "utf8"));
  const repository = homepage.replace("#readme", "");
  return readme.replace(/\]\((?!https?:|#)([^)]+)\)/g, (_, path) => {
    const kind = statSync(join(root, path.replace(/#.*/, ""))).isDirectory() ? "tree" : "blob";
    return `](${repository}/${kind}/main/${path})`;
  });
}

/** For tools that do not read `exports` (Parcel as it comes, older TypeScript): a folder for each entry, which says where it is. */
function writeFolders() {
  const { exports } = JSON.parse(readFileSync(join(root, "js/package.json"), "utf8"));
  for (const [entry, target] of Object.entries(exports)) {
    if (entry === "." || /\.(wasm|json)$/.test(entry)) continue;
    const up = "../".repeat(entry.split("/").length - 1);
    const at = (path) => path.replace("./", up);
    const main = at(target.node ?? target.default);
    const manifest = {
      type: "module",
      main,
      browser: at(target.browser ?? target.default),
      types: at(target.types),
    };
    write(`../${entry.slice(2)}/package.json`, Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`));
  }
}

/** The types of the glue without those of the DOM, which programs for Node do not have: the package gives it modules only. */
function portable(types) {
  return types.replace(/^export type ((?:Sync)?InitInput) = .*;$/gm, "export type $1 = WebAssembly.Module;");
}

/** A module whose default export is the wasm as a text: gzipped, which takes a third of what base64 adds away again. */
function inlined(wasm) {
  return Buffer.from(`export default "${gzipSync(wasm, { level: 9 }).toString("base64")}";\n`);
}

/** Copies a file to `name` below js/dist, where its source exists. */
function copy(from, name) {
  if (existsSync(from)) write(name, readFileSync(from));
}

function write(name, bytes) {
  const to = join(dist, name);
  // Left alone when equal, so that watchers and the tests' caches see no change.
  if (existsSync(to) && readFileSync(to).equals(bytes)) return;
  mkdirSync(dirname(to), { recursive: true });
  writeFileSync(to, bytes);
}

/** Deletes what was compiled from a source that is gone: it would still be published and imported. */
function removeLeftovers() {
  for (const name of readdirSync(dist, { recursive: true })) {
    const source = name.replace(/(\.d\.ts|\.js|\.js\.map)$/, ".ts");
    if (source === name || name.startsWith("pkg/") || GENERATED.test(name)) continue;
    if (!existsSync(join(root, "js/src", source))) rmSync(join(dist, name));
  }
}
