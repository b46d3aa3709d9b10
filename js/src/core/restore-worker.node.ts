// The decoding thread of restoring.node.ts: one chain, then it is ended.
import { parentPort, workerData } from "node:worker_threads";
import { initSync, Restore } from "../pkg/core/pagemark.js";
import { failureOf } from "./errors.ts";
import { MOST_OUTPUTS, type RestoreAnswer, type RestoreRequest } from "./restoring.node.ts";

const { files, isProved, wasm } = workerData as {
  files: number;
  isProved: boolean;
  wasm: WebAssembly.Module;
};
initSync({ module: wasm });
const restore = new Restore(files, isProved);
const waiting: Uint8Array<ArrayBuffer>[][] = Array.from({ length: files }, () => []);
/** How many outputs may still be given before one is taken. */
let room = MOST_OUTPUTS;
let file = 0;
let ended = false;

parentPort?.on("message", (request: RestoreRequest) => {
  if ("taken" in request) room += 1;
  else waiting[request.file]?.push(request.bytes);
  try {
    while (room > 0 && !ended && step());
  } catch (error) {
    ended = true;
    answer({ kind: "failed", file, error: failureOf(error) });
  }
});
parentPort?.postMessage("ready");

/** Goes on as far as one chunk or one output. `false`: there is nothing to go on with. */
function step(): boolean {
  const kind = restore.poll();
  if (kind === "end") {
    ended = true;
    answer({ kind, checksum: restore.checksum ?? "" });
  } else if (kind === "output") {
    room -= 1;
    const bytes = restore.takeOutput() as Uint8Array<ArrayBuffer>;
    answer({ kind, bytes }, [bytes.buffer]);
  } else {
    const needed = restore.file;
    const bytes = waiting[needed]?.shift();
    if (!bytes) return false;
    file = needed;
    restore.feed(file, bytes);
    if (bytes.length > 0) answer({ kind, file, spare: bytes.buffer }, [bytes.buffer]);
  }
  return true;
}

function answer(what: RestoreAnswer, moved: ArrayBuffer[] = []): void {
  parentPort?.postMessage(what, moved);
}
