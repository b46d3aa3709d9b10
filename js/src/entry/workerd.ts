import buildWasm from "../build.wasm";
import { usePlatform } from "../core/index.ts";
import wasm from "../core.wasm";
import dumpWasm from "../dump.wasm";
import localityWasm from "../locality.wasm";

usePlatform({
  wasm: async () => wasm,
  dumpWasm: async () => dumpWasm,
  buildWasm: async () => buildWasm,
  localityWasm: async () => localityWasm,
});

export * from "../index.ts";
export * from "./elsewhere.ts";
