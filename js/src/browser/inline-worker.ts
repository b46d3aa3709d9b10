// The worker that `inBackground` starts, as a text: its code, behind the wasm that it looks for there.
import code from "../inline/browser-worker.js";
import build from "../inline/build.js";
import core from "../inline/core.js";
import dump from "../inline/dump.js";
import locality from "../inline/locality.js";
import subset from "../inline/subset.js";

/** In pieces. */
export const script = [
  `globalThis.pagemarkWasm = ${JSON.stringify({ build, core, dump, locality, subset })};`,
  code,
];
