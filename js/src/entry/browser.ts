// Carries its wasm as text: every bundler and server delivers that, without being told of it.
import { unpacked, usePlatform } from "../core/index.ts";
import build from "../inline/build.js";
import core from "../inline/core.js";
import dump from "../inline/dump.js";
import locality from "../inline/locality.js";
import subset from "../inline/subset.js";

usePlatform({
  wasm: () => unpacked(core),
  dumpWasm: () => unpacked(dump),
  buildWasm: () => unpacked(build),
  subsetWasm: () => unpacked(subset),
  localityWasm: () => unpacked(locality),
});

export * from "../index.ts";
export * from "./elsewhere.ts";
