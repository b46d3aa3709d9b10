import { readFileSync } from "node:fs";
import { useEngine } from "../core/index.ts";
import "./node.ts";

useEngine(async () => readFileSync(new URL("../engine.wasm", import.meta.url)));

export * from "../engine/index.ts";
