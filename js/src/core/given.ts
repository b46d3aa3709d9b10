// The wasm files that a user of `pagemark/slim` gives: that entry carries none, and looks for none.
import { PagemarkError } from "../errors/index.ts";
import type { Wasm, WasmName } from "./platform.ts";

/**
 * A wasm, or what comes to one: a promise, a module whose default export it is (what bundlers make of
 * `import("pagemark/core.wasm?url")`), or a function, which is called when the file is first needed.
 */
export type WasmSource = Wasm | { default: Wasm } | Promise<Wasm | { default: Wasm }> | (() => WasmSource);

/** The package's wasm files. Each is needed only by those who do what it is for. */
export interface WasmFiles {
  /** `pagemark/core.wasm`: backups, restores, verification. */
  core?: WasmSource;
  /** `pagemark/dump.wasm`: SQL dumps, downloads as SQL, and repair. */
  dump?: WasmSource;
  /** `pagemark/build.wasm`: sources of rows (`fromRows`, D1). */
  build?: WasmSource;
  /** `pagemark/subset.wasm`: single tables. */
  subset?: WasmSource;
  /** `pagemark/locality.wasm`: stores made of several. */
  locality?: WasmSource;
  /** `pagemark/statement.wasm`: `pagemark/vault/slim`. */
  statement?: WasmSource;
  /** `pagemark/engine.wasm`: `pagemark/engine/slim`. */
  engine?: WasmSource;
}

const given: WasmFiles = {};

/**
 * Says where the wasm files are, before their first use. Names that are left out stay as they were; a file that has
 * started stays in use.
 *
 * @example
 * ```ts
 * import { useWasm } from "pagemark/slim";
 * useWasm({
 *   core: new URL("https://cdn.example.com/pagemark/core.wasm"),
 *   dump: () => fetch("/assets/dump.wasm"),
 * });
 * ```
 */
export function useWasm(files: WasmFiles): void {
  Object.assign(given, files);
}

/** What was given for a file. @throws PagemarkError `WASM_MISSING` when nothing was */
export async function givenWasm(name: WasmName): Promise<Wasm> {
  let source: WasmSource | undefined = given[name];
  while (typeof source === "function") source = source();
  const wasm = await source;
  if (wasm === undefined || wasm === null) {
    const message = `no ${name}.wasm was given: call useWasm({ ${name}: … }) of 'pagemark/slim' first, or import 'pagemark'`;
    throw new PagemarkError("WASM_MISSING", message, { name: `${name}.wasm` });
  }
  return typeof wasm === "object" && "default" in wasm ? wasm.default : wasm;
}
