import init, * as glue from "../pkg/core/pagemark.js";
import type { PackPool } from "./packing.ts";
import type { Hasher } from "./sha256.ts";

/** The wasm's exports. */
export type Core = typeof glue;

/** What a runtime has of its own. Set once, by its file in `entry/`. */
export interface Platform {
  /** Finds the wasm: its bytes, a compiled module, or where to fetch it. */
  wasm(): Promise<BufferSource | WebAssembly.Module | Response | URL>;
  /** Finds the wasm that makes SQL. */
  dumpWasm(): Promise<BufferSource | WebAssembly.Module | Response | URL>;
  /** A SHA-256 faster than the core's, which works in steps. */
  sha256?(): Hasher;
  /** Packs pages on several threads. */
  packPool?(pageSize: number): PackPool;
}

let platform: Platform | undefined;
let loading: Promise<Core> | undefined;

/** Names the runtime. */
export function usePlatform(runtime: Platform): void {
  platform ??= runtime;
}

export function currentPlatform(): Platform {
  if (!platform) throw new Error("pagemark was imported past its entry points: import it as 'pagemark'");
  return platform;
}

/** The core, loaded at the first call: importing the package costs nothing. */
export function core(): Promise<Core> {
  loading ??= load();
  return loading;
}

async function load(): Promise<Core> {
  try {
    await init({ module_or_path: await currentPlatform().wasm() });
    return glue;
  } catch (error) {
    // A failed fetch may work the next time.
    loading = undefined;
    throw error;
  }
}
