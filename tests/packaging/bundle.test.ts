// Bundlers drop what a package says has no effect: the entry points have one, they find the wasm.
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { tempFolder } from "../support/temp.ts";

const root = join(import.meta.dirname, "../..");

test("wrangler bundles the Pagemark Worker together with the wasm modules and the entry points that load them", () => {
  const out = bundled(root);
  expect(wasmIn(out)).toEqual(["core", "dump", "engine"]);
  expect(readFileSync(join(out, "index.js"), "utf8")).toMatch(/usePlatform\(\{[\s\S]*useEngine\(async/);
}, 60_000);

test('a Worker that imports "pagemark" gets two wasm modules, and SQLite only with "pagemark/engine"', () => {
  const without = workerOf(
    'import { memory } from "pagemark"; export default { fetch: () => new Response(memory.name) };',
  );
  expect(wasmIn(bundled(without))).toEqual(["core", "dump"]);
  const withEngine = workerOf(
    'import { Database } from "pagemark/engine"; export default { fetch: async () => new Response((await Database.open()).name) };',
  );
  const out = bundled(withEngine);
  expect(wasmIn(out)).toEqual(["core", "dump", "engine"]);
  expect(readFileSync(join(out, "index.js"), "utf8")).toMatch(/useEngine\(async/);
}, 120_000);

/** A project of one Worker, in which the package is installed. */
function workerOf(source: string): string {
  const project = tempFolder();
  mkdirSync(join(project, "node_modules"));
  symlinkSync(join(root, "js"), join(project, "node_modules/pagemark"));
  writeFileSync(join(project, "index.js"), source);
  writeFileSync(
    join(project, "wrangler.toml"),
    'name = "bundled"\nmain = "index.js"\ncompatibility_date = "2026-10-01"\n',
  );
  return project;
}

/** The folder with what wrangler would deploy of a project. */
function bundled(cwd: string): string {
  const out = tempFolder();
  const env = { ...process.env, WRANGLER_SEND_METRICS: "false", WRANGLER_LOG_PATH: join(out, "logs") };
  execFileSync("wrangler", ["deploy", "--dry-run", "--outdir", out], { cwd, env, stdio: "pipe" });
  return out;
}

/** Wrangler puts a hash before their names. */
function wasmIn(folder: string): string[] {
  const names = readdirSync(folder).map((name) => /(\w+)\.wasm$/.exec(name)?.[1]);
  return names.filter((name) => name !== undefined).sort();
}
