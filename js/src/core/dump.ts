import * as glue from "../pkg/dump/pagemark.js";
import { currentPlatform } from "./platform.ts";
import { start } from "./start.ts";

/** The exports of the wasm that makes SQL, a module of its own: who only backs up need not load it. */
export type DumpCore = typeof glue;

let loading: Promise<DumpCore> | undefined;

/** That wasm, loaded at the first call. */
export function dumpCore(): Promise<DumpCore> {
  loading ??= load();
  return loading;
}

async function load(): Promise<DumpCore> {
  try {
    await start(glue, await currentPlatform().dumpWasm());
    return glue;
  } catch (error) {
    // A failed fetch may work the next time.
    loading = undefined;
    throw error;
  }
}
