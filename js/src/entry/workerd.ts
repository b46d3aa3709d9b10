import buildWasm from "../build.wasm";
import { usePlatform } from "../core/index.ts";
import wasm from "../core.wasm";
import dumpWasm from "../dump.wasm";
import localityWasm from "../locality.wasm";
import subsetWasm from "../subset.wasm";

usePlatform({
  wasm: async () => wasm,
  dumpWasm: async () => dumpWasm,
  buildWasm: async () => buildWasm,
  subsetWasm: async () => subsetWasm,
  localityWasm: async () => localityWasm,
});

export * from "../index.ts";
export * from "./elsewhere.ts";
