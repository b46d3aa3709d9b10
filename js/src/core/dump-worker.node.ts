// The thread of dump-helper.node.ts: one part of a dump after the other.

import { parentPort, workerData } from "node:worker_threads";
import { initSync, PartWriter } from "../pkg/dump/pagemark.js";
import type { HelperData, HelperRequest } from "./dump-helper.node.ts";
import { readPageFiles } from "./page-files.node.ts";
import type { WrittenPart } from "./platform.ts";

const { request, wasm } = workerData as HelperData;
const { files, dialect, tables, noData, noSchema } = request;
const { pageSize, pageCount } = files;
let buffer = new Uint8Array(pageSize);

initSync({ module: wasm });
const writer = new PartWriter(read(1, 1), pageCount, dialect, tables, noData, noSchema);
// The schema first. Whatever goes wrong here or later goes wrong for the other thread, too, which has the words for it.
work(new Uint8Array());

parentPort?.on("message", ({ part, memory }: HelperRequest) => {
  writer.start(part);
  const length = work(new Uint8Array(memory));
  const answer: WrittenPart = { text: new Uint8Array(memory, 0, length), outcome: writer.outcome() };
  parentPort?.postMessage(answer, [memory]);
});
parentPort?.postMessage("ready");

/** Gives how much it has written into `text`, in bytes. */
function work(text: Uint8Array): number {
  let length = 0;
  for (;;) {
    const step = writer.poll();
    if (step === "pages") {
      const ranges = writer.needed();
      for (let i = 0; i < ranges.length; i += 2) {
        const first = ranges[i] as number;
        writer.feed(first, read(first, ranges[i + 1] as number));
      }
    } else {
      length += writer.takeText(text.subarray(length));
      if (step === "done") return length;
    }
  }
}

/** Into the same memory again. */
function read(first: number, count: number): Uint8Array {
  const length = count * pageSize;
  if (buffer.length < length) buffer = new Uint8Array(length);
  const into = buffer.subarray(0, length);
  if (!readPageFiles(files, first, into)) throw new Error("the database is not what it was");
  return into;
}
