// The command in a few files: to load a module for each of its sources takes as long as a small backup.
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { build } from "esbuild";
import { packagesIn } from "./vendor.mjs";

/**
 * Puts what runs in Node's command, and the threads it starts, into `bin` below the compiled package.
 *
 * @returns the packages whose code is in it
 */
export async function bundleCommand(dist) {
  const bin = join(dist, "bin");
  const built = await Promise.all([
    // What a command needs of it only: main.js of all of them would be twice as long to start.
    bundled(dist, { pagemark: "cli/start.js" }, { splitting: true, chunkNames: "part-[hash]" }),
    // By these names they are started; each is whole.
    bundled(dist, {
      "dump-worker.node": "core/dump-worker.node.js",
      "pack-worker.node": "core/pack-worker.node.js",
      "restore-worker.node": "core/restore-worker.node.js",
      "backup-reader.node": "engine/backup-reader.node.js",
      "process.node": "serve/process.node.js",
    }),
  ]);
  const outputFiles = built.flatMap((each) => each.outputFiles);
  mkdirSync(bin, { recursive: true });
  const made = new Set(outputFiles.map(({ path }) => basename(path)));
  for (const name of readdirSync(bin)) if (!made.has(name)) rmSync(join(bin, name));
  for (const { path, contents } of outputFiles) {
    // Left alone when equal, so that watchers and the tests' caches see no change.
    if (!existsSync(path) || !readFileSync(path).equals(contents)) writeFileSync(path, contents);
  }
  chmodSync(join(bin, "pagemark.js"), 0o755);
  return new Set(built.flatMap(({ metafile }) => [...packagesIn(metafile)]));
}

function bundled(dist, entryPoints, more = {}) {
  return build({
    ...more,
    absWorkingDir: dist,
    entryPoints,
    outdir: join(dist, "bin"),
    bundle: true,
    format: "esm",
    platform: "node",
    // jsonc-parser, for one, cannot be bundled as it is for `require`.
    mainFields: ["module", "main"],
    target: "node22",
    // A package written for `require` asks for Node's modules by it.
    banner: {
      js: 'import { createRequire as requireFrom } from "node:module"; const require = requireFrom(import.meta.url);',
    },
    // package.json says which of the published files do something when they are imported: this is none of them.
    ignoreAnnotations: true,
    // V8 reads all of it at every start. Names stay, for stack traces.
    minifyWhitespace: true,
    minifySyntax: true,
    metafile: true,
    write: false,
    logLevel: "warning",
  });
}
