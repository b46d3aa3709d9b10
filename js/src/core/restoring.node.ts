import { availableParallelism } from "node:os";
import type { Worker } from "node:worker_threads";
import { DamageError, PagemarkError } from "../errors/index.ts";
import { errorOf, type Failure, failureOf } from "./errors.ts";
import type { Restorer, RestoreStep } from "./platform.ts";
import { startThread } from "./threads.node.ts";

/** So much output, half a MiB each, waits for whoever writes it. */
export const MOST_OUTPUTS = 4;

/** Bytes for the thread, or word that an output was taken. */
export type RestoreRequest = { file: number; bytes: Uint8Array<ArrayBuffer> } | { taken: true };

/** Its answers; a need says that a chunk of the file was used up. */
export type RestoreAnswer = RestoreStep | { kind: "failed"; file: number; error: Failure };

/**
 * Decodes on a thread of its own, so that this one can read, hash and write meanwhile. Chunks and output are moved
 * between the threads, not copied.
 */
export class WorkerRestorer implements Restorer {
  readonly ahead = 2;
  current = 0;
  readonly #worker: Worker;
  /** Chunks of each file that the thread has; endless for a file that ended. */
  readonly #held: number[];
  /** Memory of chunks that were used up, for the next ones of the same file: those of others may be shorter. */
  readonly #spare = new Map<number, ArrayBuffer[]>();
  readonly #answers: RestoreAnswer[] = [];
  #wake = () => {};

  /** For a chain of so many files. Nothing where there is no processor or no thread for it. */
  static async start(
    files: number,
    isProved: boolean,
    wasm: WebAssembly.Module,
  ): Promise<WorkerRestorer | undefined> {
    if (availableParallelism() < 2) return undefined;
    // The chunks under way are all that lives on its heap.
    const limits = { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 32 };
    const thread = startThread("restore", { files, isProved, wasm }, limits);
    return thread && (await thread.ready) ? new WorkerRestorer(files, thread.worker) : undefined;
  }

  private constructor(files: number, worker: Worker) {
    this.#held = Array.from({ length: files }, () => 0);
    this.#worker = worker;
    worker.on("message", (answer: RestoreAnswer) => this.#take(answer));
    worker.once("exit", () => {
      const message = "a decoding thread stopped; run the restore again";
      const error = failureOf(new PagemarkError("INTERNAL", message));
      this.#take({ kind: "failed", file: this.current, error });
    });
  }

  async next(): Promise<RestoreStep> {
    for (;;) {
      const answer = this.#answers.shift();
      if (answer) return this.#given(answer);
      // What it works on first is fed first, so that it never waits.
      const file = this.#held.findIndex((held) => held < this.ahead);
      if (file >= 0) return { kind: "need", file, spare: this.#spare.get(file)?.pop() };
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  feed(file: number, bytes: Uint8Array, mayTake: boolean): void {
    const isWhole = bytes.buffer instanceof ArrayBuffer && mayTake;
    const own = isWhole ? (bytes as Uint8Array<ArrayBuffer>) : bytes.slice();
    this.#held[file] = bytes.length > 0 ? (this.#held[file] ?? 0) + 1 : Number.POSITIVE_INFINITY;
    this.#worker.postMessage({ file, bytes: own }, [own.buffer]);
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  /** The only message that needs an answer at once: the thread used a chunk up, and wants the next one. */
  #take(answer: RestoreAnswer): void {
    if (answer.kind === "need") {
      const held = this.#held[answer.file] ?? 0;
      this.#held[answer.file] = held - 1;
      const spare = this.#spare.get(answer.file) ?? [];
      if (answer.spare) this.#spare.set(answer.file, [...spare, answer.spare]);
    } else {
      this.#answers.push(answer);
    }
    this.#wake();
  }

  #given(answer: RestoreAnswer): RestoreStep {
    if (answer.kind === "output") this.#worker.postMessage({ taken: true });
    if (answer.kind === "failed") {
      this.current = answer.file;
      throw errorOf(answer.error);
    }
    if (answer.kind === "end" && this.#held.some((held) => held > 0 && held !== Number.POSITIVE_INFINITY))
      throw new DamageError("LTX_TRAILING", "bytes follow the end of an LTX file");
    return answer;
  }
}
