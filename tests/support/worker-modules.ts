// A Worker with the built package, as workerd wants it. Scripts use this, too: it knows no test runner.
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { build } from "esbuild";

const dist = join(import.meta.dirname, "../../js/dist");

/** A Worker that has the package, in one file, and the wasm modules beside it. */
export async function modulesOf(entry: string, nodePaths: string[] = []) {
  const wasm = new Set<string>();
  const { outputFiles } = await build({
    entryPoints: [entry],
    alias: { pagemark: join(dist, "entry/workerd.js") },
    bundle: true,
    format: "esm",
    target: "esnext",
    external: ["cloudflare:*", "node:*"],
    nodePaths,
    conditions: ["workerd", "worker", "browser"],
    write: false,
    logLevel: "error",
    plugins: [
      {
        name: "wasm modules stay files",
        setup: ({ onResolve }) =>
          onResolve({ filter: /\.wasm$/ }, ({ path }) => {
            wasm.add(basename(path));
            return { path: `./${basename(path)}`, external: true };
          }),
      },
    ],
  });
  const script = { type: "ESModule" as const, path: "worker.js", contents: outputFiles[0]?.text ?? "" };
  const beside = [...wasm].map((path) => ({
    type: "CompiledWasm" as const,
    path,
    contents: readFileSync(join(dist, path)),
  }));
  return [script, ...beside];
}
