import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { PagemarkError } from "../errors/index.ts";
import { dumpHelper } from "./dump-helper.node.ts";
import { fetchByNode } from "./fetch.node.ts";
import { WorkerPool } from "./packing.node.ts";
import type { Platform, WasmName } from "./platform.ts";
import { WorkerRestorer } from "./restoring.node.ts";
import { here } from "./threads.node.ts";

const modules = new Map<string, WebAssembly.Module>();

/** One of the package's wasm files, compiled once, for this thread and its helpers. */
export function compiled(name: WasmName): WebAssembly.Module {
  const known = modules.get(name);
  if (known) return known;
  const made = new WebAssembly.Module(wasmFile(`${name}.wasm`));
  modules.set(name, made);
  return made;
}

/** In the package; beside a program that is bundled into one file; or in the package that such a program finds installed. */
function wasmFile(name: string): Uint8Array<ArrayBuffer> {
  const places = [
    () => new URL(`../${name}`, here),
    () => new URL(`./${name}`, here),
    () => createRequire(here).resolve(`pagemark/${name}`),
  ];
  for (const place of places) {
    try {
      return readFileSync(place());
    } catch (error) {
      const { code = "" } = error as NodeJS.ErrnoException;
      if (!["ENOENT", "ENOTDIR", "MODULE_NOT_FOUND", "ERR_PACKAGE_PATH_NOT_EXPORTED"].includes(code))
        throw error;
    }
  }
  const message = `${name} was not found; copy pagemark's dist/${name} to the folder of the bundled program`;
  throw new PagemarkError("WASM_MISSING", message, { name });
}

/** Node, Deno and Bun. */
export const nodePlatform: Platform = {
  wasm: async () => compiled("core"),
  dumpWasm: async () => compiled("dump"),
  buildWasm: async () => compiled("build"),
  subsetWasm: async () => compiled("subset"),
  localityWasm: async () => compiled("locality"),
  // Those of Deno and Bun are sound.
  fetch: "Deno" in globalThis || "Bun" in globalThis ? undefined : fetchByNode,
  sha256() {
    const hash = createHash("sha256");
    return { update: (bytes) => void hash.update(bytes), digest: () => hash.digest("hex") };
  },
  packPool: (pageSize, hurry) => new WorkerPool(pageSize, compiled("core"), hurry),
  restorer: (files, isProved) => WorkerRestorer.start(files, isProved, compiled("core")),
  dumpHelper: (request) => dumpHelper(request, compiled("dump")),
};
