import { usePlatform } from "../core/index.ts";

usePlatform({
  wasm: async () => new URL("../core.wasm", import.meta.url),
  dumpWasm: async () => new URL("../dump.wasm", import.meta.url),
  buildWasm: async () => new URL("../build.wasm", import.meta.url),
});

export * from "../index.ts";
export { type OpenStoreOptions, openStore } from "../places/open-store.ts";
