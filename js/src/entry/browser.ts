import { usePlatform } from "../core/index.ts";

usePlatform({ wasm: async () => new URL("../core.wasm", import.meta.url) });

export * from "../index.ts";
