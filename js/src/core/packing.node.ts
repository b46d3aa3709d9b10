import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { PagemarkError } from "../errors/index.ts";
import { initSync, Packer } from "../pkg/core/pagemark.js";
import { type PackPool, type PackRequest, type PackResult, packWith } from "./packing.ts";

/** More threads than this do not pay: reading and writing are one stream. */
const MOST_THREADS = 4;

/** What a worker answers. */
export type PackAnswer =
  | PackResult
  | { error: { name: string; code?: string; message: string; page?: number } };

interface PackWorker {
  worker: Worker;
  waiting: { resolve(result: PackResult): void; reject(error: unknown): void }[];
}

/** Batches that a thread has before it: enough that it never waits while others read and write. */
const QUEUE = 3;

/** In bytes: to hand a batch over takes as long as to pack a tenth of a small one. */
const BATCH = 384 << 10;

/**
 * Packs on worker threads and, while those have enough to do, on the thread that asks: a thread of its own costs
 * 13 MB. Pages are handed over in shared memory and frames are moved, so nothing is copied between threads.
 */
export class WorkerPool implements PackPool {
  readonly concurrency: number;
  readonly batch = BATCH;
  readonly #workers: PackWorker[] = [];
  readonly #packer: Packer;
  readonly #pageSize: number;

  constructor(pageSize: number, wasm: WebAssembly.Module) {
    initSync({ module: wasm });
    this.#packer = new Packer(pageSize);
    this.#pageSize = pageSize;
    const threads = Math.min(availableParallelism(), MOST_THREADS) - 1;
    this.concurrency = threads * QUEUE + 1;
    for (let thread = 0; thread < threads; thread++) this.#workers.push(startWorker(pageSize, wasm));
  }

  buffer(bytes: number): Uint8Array {
    return new Uint8Array(new SharedArrayBuffer(bytes));
  }

  async pack(request: PackRequest): Promise<PackResult> {
    const idle = this.#workers.find(({ waiting }) => waiting.length < QUEUE);
    if (!idle) return packWith(this.#packer, this.#pageSize, request);
    return new Promise((resolve, reject) => {
      idle.waiting.push({ resolve, reject });
      idle.worker.postMessage(request);
    });
  }

  async close(): Promise<void> {
    this.#packer.free();
    await Promise.all(this.#workers.map(({ worker }) => worker.terminate()));
  }
}

function startWorker(pageSize: number, wasm: WebAssembly.Module): PackWorker {
  const worker = new Worker(new URL("./pack-worker.node.js", import.meta.url), {
    workerData: { pageSize, wasm },
    // A batch's frames are all that lives on its heap.
    resourceLimits: { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 32 },
  });
  const waiting: PackWorker["waiting"] = [];
  worker.on("message", (answer: PackAnswer) => {
    const asked = waiting.shift();
    if ("error" in answer) asked?.reject(Object.assign(new Error(answer.error.message), answer.error));
    else asked?.resolve(answer);
  });
  const fail = (cause: unknown) => {
    const error = new PagemarkError(
      "INTERNAL",
      "a packing thread stopped; run the backup again",
      {},
      { cause },
    );
    for (const asked of waiting.splice(0)) asked.reject(error);
  };
  worker.on("error", fail);
  worker.on("exit", fail);
  return { worker, waiting };
}
