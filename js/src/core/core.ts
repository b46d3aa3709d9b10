import * as glue from "../pkg/core/pagemark.js";
import type { DumpHelper, DumpRequest } from "./dump-helper.ts";
import type { PackPool } from "./packing.ts";
import type { Restorer } from "./restoring.ts";
import type { Hasher } from "./sha256.ts";
import { start, type Wasm } from "./start.ts";

/** The wasm's exports. */
export type Core = typeof glue;

/** What a runtime has of its own. Set once, by its file in `entry/`. */
export interface Platform {
  /** Finds the wasm. */
  wasm(): Promise<Wasm>;
  /** Finds the wasm that makes SQL. */
  dumpWasm(): Promise<Wasm>;
  /** A SHA-256 faster than the core's, which works in steps. */
  sha256?(): Hasher;
  /** Packs pages on several threads, of low priority unless in a hurry. */
  packPool?(pageSize: number, hurry: boolean): PackPool;
  /** Decodes a chain of so many files on another thread; nothing where there is none to be had. */
  restorer?(files: number): Promise<Restorer | undefined>;
  /** Writes parts of a dump on another thread, if there is a core for it. */
  dumpHelper?(request: DumpRequest): DumpHelper | undefined;
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
    await start(glue, await currentPlatform().wasm());
    return glue;
  } catch (error) {
    // A failed fetch may work the next time.
    loading = undefined;
    throw error;
  }
}
