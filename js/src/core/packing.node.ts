import { availableParallelism } from "node:os";
import { initSync, Packer } from "../pkg/core/pagemark.js";
import { errorOf, type Failure } from "./errors.ts";
import { packWith } from "./packing.ts";
import type { PackPool, PackRequest, PackResult } from "./platform.ts";
import { startThread, type Thread } from "./threads.node.ts";

/** What a packing thread starts with. */
export interface PackData {
  pageSize: number;
  wasm: WebAssembly.Module;
  /** Whether it keeps the priority of the thread that asks. */
  hurry: boolean;
}

/** What it answers. */
export type PackAnswer = PackResult | { error: Failure };

/** More threads than this do not pay: reading and writing are one stream. */
const MOST_THREADS = 4;

/** Batches that a thread has before it: enough that it never waits while others read and write. */
const QUEUE = 3;

/** Batches that the thread that asks may pack before an older one of the others is done: what is packed is written in order. */
const AHEAD = 3;

/** In bytes: to hand a batch over takes as long as to pack a tenth of a small one. */
const BATCH = 384 << 10;

/** In milliseconds, many times what a batch takes: a thread that is silent for so long is given no processor. */
const PATIENCE = 50;

/** In milliseconds: so long a thread that was silent is given nothing more. */
const REST = 1000;

/**
 * Packs on threads and, while those have enough to do, on the one that asks: a thread of its own costs 13 MB. Pages
 * are handed over in shared memory and frames are moved, so nothing is copied between threads.
 *
 * What the threads do not do in time, or not at all, the one that asks does. So they may be of low priority, and a
 * backup still ends while all processors are busy with something else.
 */
export class WorkerPool implements PackPool {
  readonly concurrency: number;
  readonly batch = BATCH;
  readonly #threads: PackThread[];
  readonly #packer: Packer;
  readonly #pageSize: number;

  constructor(pageSize: number, wasm: WebAssembly.Module, hurry: boolean) {
    initSync({ module: wasm });
    this.#packer = new Packer(pageSize);
    this.#pageSize = pageSize;
    const data: PackData = { pageSize, wasm, hurry };
    const limits = { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 32 };
    const others = Math.min(availableParallelism(), MOST_THREADS) - 1;
    this.#threads = Array.from({ length: others }, () => startThread("pack", data, limits))
      .filter((thread) => thread !== undefined)
      .map((thread) => new PackThread(thread, (request) => this.#packHere(request)));
    this.concurrency = this.#threads.length * QUEUE + AHEAD;
  }

  buffer(bytes: number): Uint8Array {
    return new Uint8Array(new SharedArrayBuffer(bytes));
  }

  async pack(request: PackRequest): Promise<PackResult> {
    const free = this.#threads.find((thread) => thread.isFree);
    return free ? free.pack(request) : this.#packHere(request);
  }

  async close(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.close()));
    this.#packer.free();
  }

  #packHere(request: PackRequest): PackResult {
    return packWith(this.#packer, this.#pageSize, request);
  }
}

/** A batch that a thread has before it. */
interface Asked {
  request: PackRequest;
  resolve(result: PackResult): void;
  reject(error: unknown): void;
}

class PackThread {
  readonly #thread: Thread;
  readonly #packHere: (request: PackRequest) => PackResult;
  /** Oldest first; nothing for a batch that was taken back, of which the answer is of no use. */
  readonly #asked: (Asked | undefined)[] = [];
  #isReady = false;
  #restsUntil = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(thread: Thread, packHere: (request: PackRequest) => PackResult) {
    this.#thread = thread;
    this.#packHere = packHere;
    void thread.ready.then((isReady) => {
      if (!isReady) return;
      this.#isReady = true;
      thread.worker.on("message", (answer: PackAnswer) => this.#take(answer));
      thread.worker.once("exit", () => {
        this.#isReady = false;
        this.#takeBack();
      });
    });
  }

  /** Whether it takes another batch. */
  get isFree(): boolean {
    const isBehind = this.#asked.length > 0 && this.#asked[0] === undefined;
    return this.#isReady && this.#asked.length < QUEUE && !isBehind && performance.now() >= this.#restsUntil;
  }

  pack(request: PackRequest): Promise<PackResult> {
    return new Promise((resolve, reject) => {
      this.#thread.worker.postMessage(request);
      if (this.#asked.push({ request, resolve, reject }) === 1) this.#watch();
    });
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    // Left over from a job that failed: nobody waits for it.
    this.#asked.length = 0;
    await this.#thread.worker.terminate();
  }

  #take(answer: PackAnswer): void {
    const asked = this.#asked.shift();
    this.#watch();
    if ("error" in answer) asked?.reject(errorOf(answer.error));
    else asked?.resolve(answer);
  }

  /** From now on, for the next answer. */
  #watch(): void {
    clearTimeout(this.#timer);
    if (this.#asked[0] === undefined) return;
    // An answer may have come while this thread was at work: it is heard first.
    this.#timer = setTimeout(() => {
      const [oldest] = this.#asked;
      setImmediate(() => oldest === this.#asked[0] && this.#takeBack());
    }, PATIENCE);
  }

  /** Packs here what the thread has before it. Its memory may be used again meanwhile: what it answers is not heard. */
  #takeBack(): void {
    this.#restsUntil = performance.now() + REST;
    for (const [index, asked] of this.#asked.entries()) {
      this.#asked[index] = undefined;
      try {
        asked?.resolve(this.#packHere(asked.request));
      } catch (error) {
        asked?.reject(error);
      }
    }
  }
}
