import { unpacked, useEngine } from "../core/index.ts";
import engine from "../inline/engine.js";
import "./browser.ts";

useEngine(() => unpacked(engine));

export * from "../engine/index.ts";
export * from "./engine.elsewhere.ts";
