import { availableParallelism } from "node:os";
import type { Worker } from "node:worker_threads";
import type { DumpHelper, DumpRequest, WrittenPart } from "./platform.ts";
import { startThread, type Thread } from "./threads.node.ts";

/** What the thread starts with. */
export interface HelperData {
  request: DumpRequest;
  wasm: WebAssembly.Module;
}

/** A part of the rows, and memory for its text. */
export interface HelperRequest {
  part: Uint8Array;
  memory: ArrayBuffer;
}

/** Parts that are under way, or wait for their turn in the output. */
const TEXTS = 2;
/** In bytes. The core ends a part before its text is longer. */
const LONGEST_TEXT = (4 << 20) + 65536;

/** A helper, where there is a core for it. Only Node's threads share descriptors, as far as is known. */
export function dumpHelper(request: DumpRequest, wasm: WebAssembly.Module): DumpHelper | undefined {
  const { deno, bun } = process.versions;
  if (availableParallelism() < 2 || deno || bun) return undefined;
  const workerData: HelperData = { request, wasm };
  const thread = startThread("dump", workerData, { maxYoungGenerationSizeMb: 1, maxOldGenerationSizeMb: 32 });
  return thread && new WorkerHelper(thread);
}

/** Texts are moved between the threads, not copied. */
class WorkerHelper implements DumpHelper {
  readonly #worker: Worker;
  readonly #waiting: ((part: WrittenPart) => void)[] = [];
  /** Memory for a text each; only what is written to takes memory. */
  readonly #free = Array.from({ length: TEXTS }, () => new ArrayBuffer(LONGEST_TEXT));
  #isReady = false;

  constructor({ worker, ready }: Thread) {
    this.#worker = worker;
    // A stream that nobody reads to its end does not keep the process from ending.
    worker.unref();
    void ready.then((isReady) => {
      if (!isReady) return;
      this.#isReady = true;
      worker.on("message", (part: WrittenPart) => this.#answer(part));
      worker.once("exit", () => this.#giveUp());
    });
  }

  get isFree(): boolean {
    return this.#isReady && this.#free.length > 0;
  }

  write(part: Uint8Array): Promise<WrittenPart> {
    return new Promise((resolve) => {
      if (this.#waiting.push(resolve) === 1) this.#worker.ref();
      const memory = this.#free.pop();
      if (!this.#isReady || !memory) return this.#giveUp();
      const request: HelperRequest = { part, memory };
      this.#worker.postMessage(request, [memory]);
    });
  }

  reuse({ buffer }: Uint8Array<ArrayBuffer>): void {
    if (buffer.byteLength === LONGEST_TEXT) this.#free.push(buffer);
  }

  async close(): Promise<void> {
    this.#isReady = false;
    await this.#worker.terminate();
  }

  #answer(part: WrittenPart): void {
    this.#waiting.shift()?.(part);
    if (this.#waiting.length === 0) this.#worker.unref();
  }

  /** Whoever asked does it. */
  #giveUp(): void {
    this.#isReady = false;
    while (this.#waiting.length > 0) this.#answer({ text: new Uint8Array(), outcome: new Uint32Array(4) });
  }
}
