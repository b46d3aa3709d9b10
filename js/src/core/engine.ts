import * as glue from "../pkg/engine/pagemark.js";
import { start, type Wasm } from "./start.ts";

/** The exports of the wasm with SQLite in it. */
export type EngineCore = typeof glue;
export type {
  Database as EngineDatabase,
  PageStore,
  Prepared as EnginePrepared,
  Scratch,
} from "../pkg/engine/pagemark.js";

let find: (() => Promise<Wasm>) | undefined;
let loading: Promise<EngineCore> | undefined;

/** Says where that wasm is. Set once, by the runtime's file in `entry/`. */
export function useEngine(wasm: () => Promise<Wasm>): void {
  find ??= wasm;
}

/** That wasm, loaded at the first call. */
export function engineCore(): Promise<EngineCore> {
  loading ??= load();
  return loading;
}

async function load(): Promise<EngineCore> {
  try {
    if (!find)
      throw new Error("the engine was imported past its entry points: import it as 'pagemark/engine'");
    await start(glue, await find());
    glue.initialise(
      (bytes: Uint8Array<ArrayBuffer>) => crypto.getRandomValues(bytes),
      (seconds: number) => -60 * new Date(seconds * 1000).getTimezoneOffset(),
    );
    return glue;
  } catch (error) {
    // A failed fetch may work the next time.
    loading = undefined;
    throw error;
  }
}
