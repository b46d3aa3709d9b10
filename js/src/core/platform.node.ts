import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import type { Platform } from "./core.ts";
import { dumpHelper } from "./dump-helper.node.ts";
import { WorkerPool } from "./packing.node.ts";
import { WorkerRestorer } from "./restoring.node.ts";

const modules = new Map<string, WebAssembly.Module>();

/** One of the package's wasm files, compiled once, for this thread and its helpers. */
export function compiled(name: "core" | "dump" | "engine"): WebAssembly.Module {
  const known = modules.get(name);
  if (known) return known;
  const made = new WebAssembly.Module(readFileSync(new URL(`../${name}.wasm`, import.meta.url)));
  modules.set(name, made);
  return made;
}

/** Node, Deno and Bun. */
export const nodePlatform: Platform = {
  wasm: async () => compiled("core"),
  dumpWasm: async () => compiled("dump"),
  sha256() {
    const hash = createHash("sha256");
    return { update: (bytes) => void hash.update(bytes), digest: () => hash.digest("hex") };
  },
  packPool: (pageSize) => new WorkerPool(pageSize, compiled("core")),
  restorer: (files) => (availableParallelism() > 1 ? new WorkerRestorer(files, compiled("core")) : undefined),
  dumpHelper: (request) => dumpHelper(request, compiled("dump")),
};
