import wasm from "../core.wasm";
import { usePlatform } from "../core/index.ts";

usePlatform({ wasm: async () => wasm });

export * from "../index.ts";
