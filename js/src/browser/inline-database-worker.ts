// The worker that `sharedDatabase` starts, as a text.
import build from "../inline/build.js";
import core from "../inline/core.js";
import code from "../inline/database-worker.js";
import dump from "../inline/dump.js";
import engine from "../inline/engine.js";
import locality from "../inline/locality.js";
import subset from "../inline/subset.js";

/** In pieces. */
export const script = [
  `globalThis.pagemarkWasm = ${JSON.stringify({ build, core, dump, engine, locality, subset })};`,
  code,
];
