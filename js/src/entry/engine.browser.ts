import { useEngine } from "../core/index.ts";
import "./browser.ts";

useEngine(async () => new URL("../engine.wasm", import.meta.url));

export * from "../engine/index.ts";
