import { givenWasm, useEngine } from "../core/index.ts";
import "./slim.ts";

useEngine(() => givenWasm("engine"));

export * from "../engine/index.ts";
export * from "./engine.elsewhere.ts";
