import { useEngine } from "../core/index.ts";
import wasm from "../engine.wasm";
import "./workerd.ts";

useEngine(async () => wasm);

export * from "../engine/index.ts";
export * from "./engine.elsewhere.ts";
