// Workers of applications, for workerd.
import { join } from "node:path";
import { build } from "esbuild";
import type { Caller } from "../../../scripts/lib/workers.mjs";

/** A Worker of this source in this folder, with `OURS` bound to a database of Pagemark. */
export async function callerOf(name: string, source: string, more: Partial<Caller> = {}): Promise<Caller> {
  const { outputFiles } = await build({
    absWorkingDir: import.meta.dirname,
    entryPoints: [join(import.meta.dirname, source)],
    bundle: true,
    format: "esm",
    target: "esnext",
    conditions: ["workerd", "worker", "browser", "import"],
    external: ["node:*", "cloudflare:*"],
    // Clients as npm installs them for the tests.
    nodePaths: [join(import.meta.dirname, "../../../.cache/clients/node_modules")],
    write: false,
    logLevel: "error",
  });
  return {
    name,
    modules: true,
    script: outputFiles[0]?.text ?? "",
    compatibilityDate: "2026-01-01",
    serviceBindings: { OURS: { name: "pagemark", props: { database: name } } },
    ...more,
  };
}
