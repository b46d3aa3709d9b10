import { type Core, type PackPool, type PackResult, type PageRun, packPool } from "../core/index.ts";
import type { Moment } from "../sources/source.ts";
import type { BackupOptions } from "./backup.ts";
import type { PreviousStates } from "./previous-states.ts";
import type { Throttle } from "./progress.ts";
import type { Upload } from "./upload.ts";

/** Bytes of pages that are read and packed at a time. */
const BATCH = 256 << 10;
const STATE_SIZE = 24;

export interface PackJob {
  moment: Moment;
  /** For an incremental backup. */
  previous: PreviousStates | undefined;
  /** Whether the fingerprint file is to hold every page. */
  complete: boolean;
  writer: InstanceType<Core["Writer"]>;
  ltx: Upload;
  prints: Upload;
  throttle: Throttle;
  options: BackupOptions;
}

/** A batch under way: which pages, their states before, and what they are packed to. */
interface Batch {
  first: number;
  count: number;
  bytes: number;
  states: Uint8Array | undefined;
  buffer: Uint8Array;
  packed: Promise<PackResult>;
}

/** Reads the pages of `moment` in order, packs them on every thread there is, and writes them in order. */
export async function packMoment(job: PackJob): Promise<void> {
  const { moment, previous, options } = job;
  const perBatch = pagesPerBatch(moment.pageSize, options.pages);
  const pool = await packPool(
    moment.pageSize,
    moment.pageSize * ((previous && moment.changed)?.length ?? moment.pageCount),
  );
  const buffers = Array.from({ length: pool.concurrency }, () => pool.buffer(perBatch * moment.pageSize));
  const batches: Batch[] = [];
  const progress = { bytes: 0 };
  try {
    await job.ltx.write(job.writer.ltxHeader());
    await job.prints.write(job.writer.fingerprintHeader());
    for (let first = 1; first <= moment.pageCount; first += perBatch) {
      const buffer = buffers.pop() ?? (await writeBatch(job, batches, progress));
      const count = Math.min(perBatch, moment.pageCount - first + 1);
      batches.push(await startBatch(job, pool, first, count, buffer));
      options.signal?.throwIfAborted();
    }
    while (batches.length > 0) await writeBatch(job, batches, progress);
    if (previous) await forgetGonePages(job, previous, perBatch);
    await job.prints.write(job.writer.fingerprintEnd());
  } finally {
    await pool.close();
  }
}

function pagesPerBatch(pageSize: number, pages = -1): number {
  const most = Math.max(1, Math.floor(BATCH / pageSize));
  return pages === -1 ? most : Math.min(pages, most);
}

async function startBatch(job: PackJob, pool: PackPool, first: number, count: number, buffer: Uint8Array) {
  const { moment, previous, throttle, options } = job;
  const states = await previous?.next(count);
  // A full backup has nothing that pages could be unchanged against.
  const runs = wantedRuns(previous && moment.changed, first, count);
  const request = { runs, pages: buffer, ...(states && { previous: statesOf(states, first, runs) }) };
  let bytes = 0;
  for (const run of runs) {
    const length = run.count * moment.pageSize;
    await throttle.take(length);
    await moment.read(run.first, buffer.subarray(bytes, bytes + length), options.signal);
    bytes += length;
  }
  const packed = pool.pack(request);
  // Awaited in its turn; when another batch fails first, nobody asks any more.
  packed.catch(() => {});
  return { first, count, bytes, states, buffer, packed };
}

/** The pages among `count` from `first` that may have changed, as runs. */
function wantedRuns(changed: Uint32Array | undefined, first: number, count: number): PageRun[] {
  if (!changed) return [{ first, count }];
  const runs: PageRun[] = [];
  for (let at = lowerBound(changed, first); at < changed.length; at++) {
    const page = changed[at] as number;
    if (page >= first + count) break;
    const last = runs.at(-1);
    if (last && last.first + last.count === page) last.count++;
    else runs.push({ first: page, count: 1 });
  }
  return runs;
}

function lowerBound(sorted: Uint32Array, value: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] as number) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The states of the runs' pages, out of those of the whole batch. */
function statesOf(states: Uint8Array, first: number, runs: PageRun[]): Uint8Array {
  const total = runs.reduce((sum, run) => sum + run.count, 0);
  if (total * STATE_SIZE === states.length) return states;
  const wanted = new Uint8Array(total * STATE_SIZE);
  let at = 0;
  for (const run of runs) {
    const start = (run.first - first) * STATE_SIZE;
    wanted.set(states.subarray(start, start + run.count * STATE_SIZE), at);
    at += run.count * STATE_SIZE;
  }
  return wanted;
}

/** Writes the oldest batch, and gives back its buffer. */
async function writeBatch(job: PackJob, batches: Batch[], progress: { bytes: number }): Promise<Uint8Array> {
  const { writer, moment, options } = job;
  const batch = batches.shift();
  if (!batch) throw new Error("there are as many buffers as batches");
  const { frames, summary } = await batch.packed;
  await job.ltx.write(frames);
  const states = batch.states && job.complete;
  await job.prints.write(
    states ? writer.appendComplete(summary, batch.first, batch.states as Uint8Array) : writer.append(summary),
  );
  progress.bytes += batch.bytes;
  const done = batch.first + batch.count - 1;
  options.onProgress?.({ phase: "pages", done, total: moment.pageCount, bytes: progress.bytes });
  return batch.buffer;
}

/** Takes pages that the database no longer has out of its checksum, and proves the states to their end. */
async function forgetGonePages(
  { moment, writer }: PackJob,
  previous: PreviousStates,
  step: number,
): Promise<void> {
  for (let gone = previous.pageCount - moment.pageCount; gone > 0; gone -= step) {
    writer.forget(await previous.next(Math.min(gone, step)));
  }
  await previous.finish();
}
