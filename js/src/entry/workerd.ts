import { usePlatform } from "../core/index.ts";
import wasm from "../core.wasm";

usePlatform({ wasm: async () => wasm });

export * from "../index.ts";
