// The core's wasm. Threads load this file and no other module's glue, which would take them time.
import * as glue from "../pkg/core/pagemark.js";
import { compile, mismatch } from "./load.ts";
import { currentPlatform, type Hasher, type Wasm, type WasmName } from "./platform.ts";

/** The exports of the core's wasm. */
export type Core = typeof glue;
export type { Folder as CoreFolder, KnownFolder, Machine } from "../pkg/core/pagemark.js";

const startCore = /* @__PURE__ */ starting("core", glue, () => currentPlatform().wasm());

/** The core's wasm, started at the first call. */
export function core(): Promise<Core> {
  return startCore();
}

/** Whether pages of a SQLite database can have that size, in bytes. */
export function isPageSize(size: number): boolean {
  return Number.isInteger(size) && size >= 512 && size <= 65_536 && (size & (size - 1)) === 0;
}

/** The runtime's own SHA-256 where it works in steps, the core's elsewhere. */
export async function sha256(): Promise<Hasher> {
  const { Sha256 } = await core();
  return currentPlatform().sha256?.() ?? new Sha256();
}

/** The glue that wasm-bindgen makes for each of them. */
interface Glue {
  default(input: { module_or_path: WebAssembly.Module }): Promise<unknown>;
  initSync(input: { module: WebAssembly.Module }): unknown;
}

/**
 * Starts a wasm at the first call of the result, so that importing the package costs nothing.
 *
 * @param find the wasm; when it fails, the next call asks again: a failed fetch may work then
 * @param prepare is called once, when the wasm has started
 */
export function starting<G extends Glue>(
  name: WasmName,
  glue: G,
  find: () => Promise<Wasm>,
  prepare?: (glue: G) => void,
): () => Promise<G> {
  let started: Promise<G> | undefined;
  const start = async () => {
    try {
      await startNow(name, glue, await find());
      prepare?.(glue);
      return glue;
    } catch (error) {
      started = undefined;
      throw error;
    }
  };
  return () => {
    started ??= start();
    return started;
  };
}

/** Starts `wasm`. One that is compiled already starts without a look at `Response`: Node would load its HTTP client. */
async function startNow(name: WasmName, glue: Glue, wasm: Wasm): Promise<void> {
  const module = await compile(name, wasm);
  if (!fits(glue, module)) throw mismatch(name);
  try {
    if (module === wasm) glue.initSync({ module });
    else await glue.default({ module_or_path: module });
  } catch (error) {
    throw error instanceof WebAssembly.LinkError ? mismatch(name, error) : error;
  }
}

/** Whether `module` frees each class of the glue. One that does not is refused before the glue keeps it. */
function fits(glue: Glue, module: WebAssembly.Module): boolean {
  const names = new Set(WebAssembly.Module.exports(module).map(({ name }) => name));
  return Object.entries(glue).every(([name, value]) => {
    const isClass = typeof value === "function" && "free" in (value.prototype ?? {});
    return !isClass || names.has(`__wbg_${name.toLowerCase()}_free`);
  });
}
