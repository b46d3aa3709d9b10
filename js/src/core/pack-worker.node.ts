// The packing thread of packing.node.ts: one packer, one batch after the other.

import { constants, getPriority, setPriority } from "node:os";
import { parentPort, workerData } from "node:worker_threads";
import { initSync, Packer } from "../pkg/core/pagemark.js";
import { failureOf } from "./errors.ts";
import type { PackAnswer, PackData } from "./packing.node.ts";
import { packWith } from "./packing.ts";
import type { PackRequest } from "./platform.ts";

const { pageSize, wasm, hurry } = workerData as PackData;
if (!hurry) giveWay();
initSync({ module: wasm });
const packer = new Packer(pageSize);

parentPort?.on("message", (request: PackRequest) => {
  let answer: PackAnswer;
  try {
    answer = packWith(packer, pageSize, request);
  } catch (error) {
    answer = { error: failureOf(error) };
  }
  parentPort?.postMessage(answer, "frames" in answer ? [answer.frames.buffer as ArrayBuffer] : []);
});
parentPort?.postMessage("ready");

/** Lets whoever writes to the database go first. Only Linux keeps a priority for each thread. */
function giveWay(): void {
  if (process.platform !== "linux") return;
  const { PRIORITY_BELOW_NORMAL } = constants.priority;
  try {
    // A thread that is lower already may not be raised.
    if (getPriority() < PRIORITY_BELOW_NORMAL) setPriority(PRIORITY_BELOW_NORMAL);
  } catch {
    // Where the system or the runtime allows nobody to change it, it stays as it is.
  }
}
