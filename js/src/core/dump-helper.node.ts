import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import type { DumpHelper, DumpRequest, WrittenPart } from "./dump-helper.ts";

/** What the thread starts with. */
export interface HelperData {
  request: DumpRequest;
  wasm: WebAssembly.Module;
  /** Memory for a part each, used in turns. */
  texts: Uint8Array[];
}

/** What it says: nothing when it is ready, and then what became of one part after the other. */
export type HelperAnswer = undefined | { length: number; outcome: Uint32Array };

/** Parts that are under way, or wait for their turn in the output. */
const TEXTS = 2;
/** In bytes. The core ends a part before its text is longer. */
const LONGEST_TEXT = (4 << 20) + 65536;

/** A helper, where there is a core for it. Only Node's threads share descriptors, as far as is known. */
export function dumpHelper(request: DumpRequest, wasm: WebAssembly.Module): DumpHelper | undefined {
  const { deno, bun } = process.versions;
  return availableParallelism() < 2 || deno || bun ? undefined : new WorkerHelper(request, wasm);
}

class WorkerHelper implements DumpHelper {
  readonly #worker: Worker;
  readonly #texts: Uint8Array[];
  readonly #waiting: ((part: WrittenPart) => void)[] = [];
  /** Parts whose text is still of use. */
  #used = 0;
  /** Which of the texts is the next part's to come back. */
  #next = 0;
  #isReady = false;

  constructor(request: DumpRequest, wasm: WebAssembly.Module) {
    // Only what is written to takes memory.
    this.#texts = Array.from({ length: TEXTS }, () => new Uint8Array(new SharedArrayBuffer(LONGEST_TEXT)));
    const workerData: HelperData = { request, wasm, texts: this.#texts };
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
    return this.#isReady && this.#used < TEXTS;
  }

  write(part: Uint8Array): Promise<WrittenPart> {
    this.#used++;
    return new Promise((resolve) => {
      if (this.#waiting.push(resolve) === 1) this.#worker.ref();
      this.#worker.postMessage(part);
      if (!this.#isReady) this.#giveUp();
    });
  }

  reuse(): void {
    this.#used--;
  }

  async close(): Promise<void> {
    this.#isReady = false;
    await this.#worker.terminate();
  }

  #answer({ length, outcome }: { length: number; outcome: Uint32Array }): void {
    const text = this.#texts[this.#next % TEXTS] as Uint8Array;
    this.#next++;
    this.#waiting.shift()?.({ text: text.subarray(0, length), outcome });
    if (this.#waiting.length === 0) this.#worker.unref();
  }

  /** Whoever asked does it. */
  #giveUp(): void {
    this.#isReady = false;
    while (this.#waiting.length > 0) this.#answer({ length: 0, outcome: new Uint32Array(4) });
  }
}
