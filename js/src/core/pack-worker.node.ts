// The packing thread of packing.node.ts: one packer, one batch after the other.
import { constants, setPriority } from "node:os";
import { parentPort, workerData } from "node:worker_threads";
import { initSync, Packer } from "../pkg/core/pagemark.js";
import type { PackAnswer } from "./packing.node.ts";
import { type PackRequest, packWith } from "./packing.ts";

const { pageSize, wasm } = workerData as { pageSize: number; wasm: WebAssembly.Module };
// Linux keeps a priority for each thread: whoever writes to the database goes first.
if (process.platform === "linux") setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
initSync({ module: wasm });
const packer = new Packer(pageSize);

parentPort?.on("message", (request: PackRequest) => {
  let answer: PackAnswer;
  try {
    answer = packWith(packer, pageSize, request);
  } catch (error) {
    const { name, message, code, page } = error as Error & { code?: string; page?: number };
    answer = { error: { name, message, ...(code && { code }), ...(page && { page }) } };
  }
  parentPort?.postMessage(answer, "frames" in answer ? [answer.frames.buffer as ArrayBuffer] : []);
});
