import { givenWasm, usePlatform } from "../core/index.ts";

usePlatform({
  wasm: () => givenWasm("core"),
  dumpWasm: () => givenWasm("dump"),
  buildWasm: () => givenWasm("build"),
  subsetWasm: () => givenWasm("subset"),
  localityWasm: () => givenWasm("locality"),
});

export { useWasm, type Wasm, type WasmFiles, type WasmSource } from "../core/index.ts";
export * from "../index.ts";
export * from "./elsewhere.ts";
