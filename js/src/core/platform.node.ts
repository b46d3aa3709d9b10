import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Platform } from "./core.ts";
import { WorkerPool } from "./packing.node.ts";

let compiled: WebAssembly.Module | undefined;

/** Compiled once, for this thread and the packing ones. */
function wasmModule(): WebAssembly.Module {
  compiled ??= new WebAssembly.Module(readFileSync(new URL("../core.wasm", import.meta.url)));
  return compiled;
}

/** Node, Deno and Bun. */
export const nodePlatform: Platform = {
  wasm: async () => wasmModule(),
  dumpWasm: async () => readFileSync(new URL("../dump.wasm", import.meta.url)),
  sha256() {
    const hash = createHash("sha256");
    return { update: (bytes) => void hash.update(bytes), digest: () => hash.digest("hex") };
  },
  packPool: (pageSize) => new WorkerPool(pageSize, wasmModule()),
};
