// What a page starts its workers from where a bundler has not put their scripts beside it: their code as a text.
import { join } from "node:path";
import { build } from "esbuild";

/** Those that `pagemark/browser` starts. */
const WORKERS = ["browser-worker", "database-worker"];

/** Each worker's name, with a module whose default export is its code: without the wasm, which is beside it as texts already. */
export async function pageWorkers(dist) {
  const { outputFiles } = await build({
    absWorkingDir: dist,
    entryPoints: WORKERS.map((name) => join("entry", `${name}.js`)),
    outdir: "inline",
    bundle: true,
    format: "iife",
    platform: "browser",
    minify: true,
    write: false,
    logLevel: "error",
    plugins: [{ name: "wasm", setup: giveWasm }],
  });
  return WORKERS.map((name, at) => [name, `export default ${JSON.stringify(outputFiles[at].text)};\n`]);
}

/** Has the wasm come from what the page puts before the code. */
function giveWasm({ onLoad }) {
  onLoad({ filter: /[\\/]inline[\\/][a-z]+\.js$/ }, ({ path }) => {
    const [, name] = /([a-z]+)\.js$/.exec(path);
    return { contents: `export default globalThis.pagemarkWasm.${name}` };
  });
}
