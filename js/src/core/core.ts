import * as glue from "../pkg/core/pagemark.js";
import { currentPlatform, type Hasher } from "./platform.ts";
import { start } from "./start.ts";

/** The wasm's exports. */
export type Core = typeof glue;
export type { Folder as CoreFolder, KnownFolder, Machine } from "../pkg/core/pagemark.js";

let loading: Promise<Core> | undefined;

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

/** The runtime's own SHA-256 where it works in steps, the core's elsewhere. */
export async function sha256(): Promise<Hasher> {
  const { Sha256 } = await core();
  return currentPlatform().sha256?.() ?? new Sha256();
}
