import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import type { Platform } from "./core.ts";
import { WorkerPool } from "./packing.node.ts";
import { WorkerRestorer } from "./restoring.node.ts";

let core: WebAssembly.Module | undefined;

/** Compiled once, for this thread and the packing ones. */
function coreModule(): WebAssembly.Module {
  core ??= compiled("core");
  return core;
}

/** One of the package's wasm files. */
export function compiled(name: "core" | "dump" | "engine"): WebAssembly.Module {
  return new WebAssembly.Module(readFileSync(new URL(`../${name}.wasm`, import.meta.url)));
}

/** Node, Deno and Bun. */
export const nodePlatform: Platform = {
  wasm: async () => coreModule(),
  dumpWasm: async () => compiled("dump"),
  sha256() {
    const hash = createHash("sha256");
    return { update: (bytes) => void hash.update(bytes), digest: () => hash.digest("hex") };
  },
  packPool: (pageSize) => new WorkerPool(pageSize, coreModule()),
  restorer: (files) => (availableParallelism() > 1 ? new WorkerRestorer(files, coreModule()) : undefined),
};
