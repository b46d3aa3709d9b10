// Bundlers drop what a package says has no effect: the entry points have one, they find the wasm.
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { file, folder as folderStore, pagemark } from "pagemark";
import { expect, test } from "vitest";
import { runSql, tempFolder } from "../support/temp.ts";

const root = join(import.meta.dirname, "../..");

test("wrangler bundles the Pagemark Worker together with the wasm modules and the entry points that load them", () => {
  const out = bundled(root);
  expect(wasmIn(out)).toEqual(["build", "core", "dump", "engine", "locality", "statement", "subset"]);
  expect(readFileSync(join(out, "index.js"), "utf8")).toMatch(/usePlatform\(\{[\s\S]*useEngine\(async/);
}, 60_000);

test('a Worker that imports "pagemark" gets wasm modules, and SQLite only with "pagemark/engine"', () => {
  const without = workerOf(
    'import { memory } from "pagemark"; export default { fetch: () => new Response(memory.name) };',
  );
  expect(wasmIn(bundled(without))).toEqual(["build", "core", "dump", "locality", "subset"]);
  const withEngine = workerOf(
    'import { Database } from "pagemark/engine"; export default { fetch: async () => new Response((await Database.open()).name) };',
  );
  const out = bundled(withEngine);
  expect(wasmIn(out)).toEqual(["build", "core", "dump", "engine", "locality", "subset"]);
  expect(readFileSync(join(out, "index.js"), "utf8")).toMatch(/useEngine\(async/);
}, 120_000);

/** Says what a restored backup of a database, and a dump of it, hash to. */
const PROGRAM = `
import { createHash } from "node:crypto";
import { file, folder as folderStore, pagemark } from "pagemark";
const [path, store] = process.argv.slice(2);
const hash = async (stream) => {
  const hash = createHash("sha256");
  for await (const chunk of stream) hash.update(chunk);
  return hash.digest("hex");
};
async function main() {
  const db = pagemark(file(path), { name: "app", store: folderStore(store) });
  const { id } = await db.backup();
  console.log(JSON.stringify([await hash(await db.download(id)), await hash(await db.dump())]));
}
main();
`;

test.each([["esm" as const], ["cjs" as const]])(
  "a program in one file, as %s, works with a database of any size: without the files of threads",
  async (format) => {
    const project = tempFolder();
    const path = join(project, "app.db");
    const values = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)";
    runSql(
      path,
      `PRAGMA journal_mode = WAL; CREATE TABLE t AS ${values} SELECT i, randomblob(600) AS a FROM n`,
    );
    writeFileSync(join(project, "program.js"), PROGRAM);
    const out = join(project, "out");
    const outfile = join(out, format === "esm" ? "program.mjs" : "program.cjs");
    const run = (store: string) => {
      const args = [outfile, path, join(project, store)];
      return spawnSync(process.execPath, args, { cwd: project, encoding: "utf8" });
    };
    await build({
      absWorkingDir: project,
      entryPoints: ["program.js"],
      alias: { pagemark: join(root, "js/dist/entry/node.js") },
      bundle: true,
      platform: "node",
      format,
      outfile,
      logLevel: "error",
    });
    // Nothing else is installed here.
    expect(run("none").stderr).toContain("core.wasm was not found; copy pagemark's dist/core.wasm");
    for (const name of ["core.wasm", "dump.wasm"]) copyFileSync(join(root, "js/dist", name), join(out, name));
    const { status, stdout, stderr } = run("backups");
    expect([status, stderr]).toEqual([0, ""]);
    const sql: Buffer[] = [];
    const db = pagemark(file(path), { name: "app", store: folderStore(join(project, "again")) });
    for await (const chunk of await db.dump()) sql.push(Buffer.from(chunk));
    const hash = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");
    expect(JSON.parse(stdout)).toEqual([hash(readFileSync(path)), hash(Buffer.concat(sql))]);
  },
  60_000,
);

test('a Worker that imports "pagemark/client" gets a few kB and no wasm', () => {
  const out = bundled(
    workerOf(
      'import { d1Database } from "pagemark/client"; export default { fetch: async (_, env) => Response.json(await d1Database(env.DB).prepare("SELECT 1").all()) };',
    ),
  );
  expect(wasmIn(out)).toEqual([]);
  expect(readFileSync(join(out, "index.js")).length).toBeLessThan(16_000);
}, 60_000);

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

test.each([
  "browser",
  "engine.browser",
  "browser-client",
  "browser-worker",
  "database-worker",
  "vault.browser",
])("entry/%s runs in browsers without Symbol.dispose, as Safari and Firefox 140 are", async (entry) => {
  const { outputFiles } = await build({
    entryPoints: [join(root, `js/dist/entry/${entry}.js`)],
    bundle: true,
    format: "esm",
    write: false,
  });
  // What compilers make of `using` says so, and throws.
  expect(outputFiles[0]?.text).not.toContain("is not defined.");
});
