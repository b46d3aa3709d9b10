import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import type { DumpHelper, DumpRequest, WrittenPart } from "./dump-helper.ts";

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

/** What it says: nothing when it is ready, and then what became of one part after the other. */
export type HelperAnswer = WrittenPart | undefined;

/** Parts that are under way, or wait for their turn in the output. */
const TEXTS = 2;
/** In bytes. The core ends a part before its text is longer. */
const LONGEST_TEXT = (4 << 20) + 65536;

/** A helper, where there is a core for it. Only Node's threads share descriptors, as far as is known. */
export function dumpHelper(request: DumpRequest, wasm: WebAssembly.Module): DumpHelper | undefined {
  const { deno, bun } = process.versions;
  return availableParallelism() < 2 || deno || bun ? undefined : new WorkerHelper(request, wasm);
}

/** Texts are moved between the threads, not copied. */
class WorkerHelper implements DumpHelper {
  readonly #worker: Worker;
  readonly #waiting: ((part: WrittenPart) => void)[] = [];
  /** Memory for a text each; only what is written to takes memory. */
  readonly #free = Array.from({ length: TEXTS }, () => new ArrayBuffer(LONGEST_TEXT));
  #isReady = false;

  constructor(request: DumpRequest, wasm: WebAssembly.Module) {
    const workerData: HelperData = { request, wasm };
    this.#worker = new Worker(new URL("./dump-worker.node.js", import.meta.url), {
      workerData,
      resourceLimits: { maxYoungGenerationSizeMb: 1, maxOldGenerationSizeMb: 32 },
    });
    // A stream that nobody reads to its end does not keep the process from ending.
    this.#worker.unref();
    this.#worker.on("message", (answer: HelperAnswer) => {
      if (answer) this.#answer(answer);
      else this.#isReady = true;
    });
    this.#worker.on("error", () => this.#giveUp());
    this.#worker.on("exit", () => this.#giveUp());
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
