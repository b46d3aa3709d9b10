import { type Core, core } from "./core.ts";
import { currentPlatform, type PackPool, type PackRequest, type PackResult } from "./platform.ts";

/** Bytes of pages that are read and packed at a time. */
export const BATCH = 256 << 10;

/** Below this a thread costs more than it saves, in bytes. */
const WORTH_THREADS = 8 << 20;

/** A pool for a database of `bytes` bytes. With `hurry` its threads have the priority of the one that asks. */
export async function packPool(pageSize: number, bytes: number, hurry = false): Promise<PackPool> {
  const threads = bytes >= WORTH_THREADS ? currentPlatform().packPool?.(pageSize, hurry) : undefined;
  return threads ?? LocalPool.take(pageSize, await core());
}

/** Packs on the thread that asks. */
class LocalPool implements PackPool {
  /** The one closed last: for small backups making it anew is much of the work. */
  static #idle: LocalPool | undefined;
  readonly concurrency = 1;
  readonly batch = BATCH;
  readonly #packer: InstanceType<Core["Packer"]>;
  readonly #pageSize: number;
  #buffer = new Uint8Array();

  static take(pageSize: number, { Packer }: Core): LocalPool {
    const idle = LocalPool.#idle;
    if (!idle || idle.#pageSize !== pageSize) return new LocalPool(new Packer(pageSize), pageSize);
    LocalPool.#idle = undefined;
    return idle;
  }

  private constructor(packer: InstanceType<Core["Packer"]>, pageSize: number) {
    this.#packer = packer;
    this.#pageSize = pageSize;
  }

  buffer(bytes: number): Uint8Array {
    if (this.#buffer.length < bytes) this.#buffer = new Uint8Array(bytes);
    return this.#buffer.subarray(0, bytes);
  }

  async pack(request: PackRequest): Promise<PackResult> {
    return packWith(this.#packer, this.#pageSize, request);
  }

  async close(): Promise<void> {
    // What a job that failed has left in it.
    this.#packer.takeFrames();
    const idle = LocalPool.#idle;
    LocalPool.#idle = this;
    if (idle && idle !== this) idle.#packer.free();
  }
}

/** Packs one batch. */
export function packWith(
  packer: InstanceType<Core["Packer"]>,
  pageSize: number,
  request: PackRequest,
): PackResult {
  const runs = new Uint32Array(2 * request.runs.length);
  let [at, count] = [0, 0];
  for (const run of request.runs) {
    runs[at++] = run.first;
    runs[at++] = run.count;
    count += run.count;
  }
  packer.add(runs, request.pages.subarray(0, count * pageSize), request.previous);
  return { frames: packer.takeFrames(), summary: packer.takeSummary() };
}
