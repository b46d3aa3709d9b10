import { type Core, core, free, packPool } from "../core/index.ts";
import { pagesPerBatch, readRuns, runsOf } from "../moments/page-runs.ts";
import { Pieces } from "../objects/chunks.ts";
import { PartedObject } from "../objects/resumable-object.ts";
import type { Moment } from "../sources/source.ts";
import type { StoreUploads } from "../stores/store.ts";
import { type BackupRunState, loadPages } from "./backup-run-state.ts";

/** How much one step may do. It also ends when it has stored a part. */
export interface StepOptions {
  /** In milliseconds; 500 unless given. In a Worker, whose clock stands still while it works, `maxBytes` is what counts. */
  maxMs?: number;
  /** Bytes of pages to read and pack; 32 MiB unless given, about 0.1 s of work. */
  maxBytes?: number;
  /** Called between two batches of 256 KiB: others may have their turn meanwhile. */
  pause?: (() => Promise<void>) | undefined;
  signal?: AbortSignal | undefined;
}

/** What is left of what a step may do. */
export class Budget {
  readonly signal: AbortSignal | undefined;
  readonly pause: StepOptions["pause"];
  readonly #deadline: number;
  #bytes: number;
  #hasStored = false;

  constructor({ maxMs = 500, maxBytes = 32 << 20, pause, signal }: StepOptions) {
    this.signal = signal;
    this.pause = pause;
    this.#deadline = performance.now() + maxMs;
    this.#bytes = maxBytes;
  }

  get isSpent(): boolean {
    return this.#hasStored || this.#bytes <= 0 || performance.now() >= this.#deadline;
  }

  tookBytes(count: number): void {
    this.#bytes -= count;
  }

  tookParts(count: number): void {
    this.#hasStored ||= count > 0;
  }
}

/** Packs pages until the budget is spent, or all are done; one batch at least. */
export async function packSome(
  uploads: StoreUploads,
  state: BackupRunState,
  moment: Moment,
  budget: Budget,
): Promise<BackupRunState> {
  const { pageSize, pageCount } = state.draft.record;
  const pages = state.changed && loadPages(state.changed);
  const total = pages?.length ?? pageCount;
  const perBatch = pagesPerBatch(pageSize);
  const run = await Run.resume(uploads, state, pageSize);
  const buffer = run.pool.buffer(perBatch * pageSize);
  try {
    let { packed } = state;
    while (packed < total) {
      const count = Math.min(perBatch, total - packed);
      const runs = pages ? runsOf(pages.subarray(packed, packed + count)) : [{ first: packed + 1, count }];
      const bytes = buffer.subarray(0, count * pageSize);
      await readRuns(moment, runs, bytes, budget.signal);
      await run.pack(runs, bytes, budget);
      packed += count;
      if (budget.isSpent && packed < total) return { ...state, ...run.save(), packed };
      await budget.pause?.();
    }
    const { writer: _, ...rest } = state;
    return { ...rest, ...(await run.finish(state.checksum, budget)), packed };
  } finally {
    free(buffer);
    if (pages) free(new Uint8Array(pages.buffer));
    await run.close();
  }
}

/** What a step works with. */
class Run {
  readonly pool: Awaited<ReturnType<typeof packPool>>;
  readonly #writer: InstanceType<Core["Writer"]>;
  readonly #index: Pieces;
  readonly #ltx: PartedObject;
  readonly #fingerprints: PartedObject;

  static async resume(uploads: StoreUploads, state: BackupRunState, pageSize: number): Promise<Run> {
    const { Writer } = await core();
    const index = new Pieces(state.writer?.index);
    const all = index.join();
    const writer = Writer.resume(state.writer?.head ?? new Uint8Array(), all);
    free(all);
    const ltx = await PartedObject.resume(uploads, state.ltx);
    const fingerprints = await PartedObject.resume(uploads, state.fingerprints);
    // On this thread: who works in steps has no other, or would start it anew in each.
    return new Run(await packPool(pageSize, 0), writer, index, ltx, fingerprints);
  }

  private constructor(
    pool: Run["pool"],
    writer: InstanceType<Core["Writer"]>,
    index: Pieces,
    ltx: PartedObject,
    fingerprints: PartedObject,
  ) {
    this.pool = pool;
    this.#writer = writer;
    this.#index = index;
    this.#ltx = ltx;
    this.#fingerprints = fingerprints;
  }

  async pack(runs: { first: number; count: number }[], pages: Uint8Array, budget: Budget): Promise<void> {
    const { frames, summary } = await this.pool.pack({ runs, pages });
    budget.tookBytes(pages.length);
    this.#ltx.write(frames);
    free(frames);
    const states = this.#writer.append(summary);
    this.#fingerprints.write(states);
    free(states);
    free(summary);
    await this.#flush(budget);
  }

  /** The files to their ends; only their last parts are not stored then. */
  async finish(checksum: string | undefined, budget: Budget) {
    const changed = this.#writer.pages;
    this.#fingerprints.write(this.#writer.fingerprintEnd());
    const tail = this.#writer.finish();
    for (let piece = tail.next(); piece; piece = tail.next()) {
      this.#ltx.write(piece);
      free(piece);
      await this.#flush(budget);
    }
    const result = { checksum: checksum ?? tail.checksum, changed };
    tail.free();
    return {
      phase: "fingerprints" as const,
      result,
      ltx: this.#ltx.save(),
      fingerprints: this.#fingerprints.save(),
    };
  }

  save(): Pick<BackupRunState, "ltx" | "fingerprints"> & Required<Pick<BackupRunState, "writer">> {
    const grown = this.#writer.indexFrom(this.#index.length);
    this.#index.append(grown);
    free(grown);
    return {
      writer: { head: this.#writer.save(), index: this.#index.save() },
      ltx: this.#ltx.save(),
      fingerprints: this.#fingerprints.save(),
    };
  }

  async close(): Promise<void> {
    for (const each of [this.#writer, this.#ltx, this.#fingerprints]) each.free();
    await this.pool.close();
  }

  async #flush(budget: Budget): Promise<void> {
    budget.tookParts(await this.#ltx.flush(budget.signal));
    budget.tookParts(await this.#fingerprints.flush(budget.signal));
  }
}
