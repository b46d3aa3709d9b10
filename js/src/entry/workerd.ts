import { usePlatform } from "../core/index.ts";
import wasm from "../core.wasm";
import dumpWasm from "../dump.wasm";

usePlatform({ wasm: async () => wasm, dumpWasm: async () => dumpWasm });

export * from "../index.ts";
