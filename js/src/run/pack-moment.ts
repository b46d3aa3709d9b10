import { type Core, type PackPool, type PackResult, type PageRun, packPool } from "../core/index.ts";
import { countOf, pagesPerBatch, readRuns, runsOf, runsWithin } from "../moments/page-runs.ts";
import type { Upload } from "../objects/upload.ts";
import type { Moment } from "../sources/source.ts";
import { type PreviousStates, STATE_SIZE } from "../stored/page-states.ts";
import type { JobOptions, Throttle } from "../streams/progress.ts";

export interface PackOptions extends JobOptions {
  /**
   * Pages a step, after each of which progress is told and `signal` is looked at; -1 leaves it to Pagemark. No step has
   * more than a backup tells in `mostPages`.
   */
  pages?: number;
  /** Reads no faster than this. */
  maxBytesPerSecond?: number;
  /** On Linux, the other threads that pack give way to other processes unless this is set. */
  hurry?: boolean;
}

export interface PackJob {
  moment: Moment;
  /** For an incremental backup that compares. */
  previous: PreviousStates | undefined;
  /** For an incremental backup of a moment that tells what changed: the pages to pack, and there are no others. */
  changed: Uint32Array | undefined;
  /** Whether the fingerprint file is to hold every page. */
  complete: boolean;
  writer: InstanceType<Core["Writer"]>;
  ltx: Upload;
  prints: Upload;
  throttle: Throttle;
  options: PackOptions;
}

/** The next pages of the database, and which of them to read. */
interface Stretch {
  first: number;
  count: number;
  runs: PageRun[];
}

/** A batch under way: which pages, their states before, and what they are packed to. */
interface Batch extends Stretch {
  bytes: number;
  states: Uint8Array | undefined;
  buffer: Uint8Array;
  packed: Promise<PackResult>;
}

/**
 * Reads the pages of `moment` in order, packs them on every thread there is, and writes them in order. Returns how many
 * pages a step may have.
 */
export async function packMoment(job: PackJob): Promise<{ mostPages: number }> {
  const { moment, previous, options } = job;
  const { length } = (previous ? moment.changed : job.changed) ?? { length: moment.pageCount };
  // Of pages that are told to have changed no batch holds more than there are.
  const most = job.changed ? Math.max(1, length) : Number.POSITIVE_INFINITY;
  const pool = await packPool(moment.pageSize, moment.pageSize * length, options.hurry);
  const perBatch = Math.min(most, pagesPerBatch(moment.pageSize, options.pages, pool.batch));
  const buffers = Array.from({ length: pool.concurrency }, () => pool.buffer(perBatch * moment.pageSize));
  const batches: Batch[] = [];
  const progress = { bytes: 0 };
  try {
    await job.ltx.write(job.writer.ltxHeader());
    await job.prints.write(job.writer.fingerprintHeader());
    for (const stretch of stretches(job, perBatch)) {
      const buffer = buffers.pop() ?? (await writeBatch(job, batches, progress));
      batches.push(await startBatch(job, pool, stretch, buffer));
      options.signal?.throwIfAborted();
    }
    while (batches.length > 0) await writeBatch(job, batches, progress);
    if (previous) await forgetGonePages(job, previous, perBatch);
    await job.prints.write(job.writer.fingerprintEnd());
    return { mostPages: pagesPerBatch(moment.pageSize, -1, pool.batch) };
  } finally {
    await pool.close();
  }
}

/** The whole database, stretch by stretch; where it is told what changed, no more than that. */
function* stretches({ moment, previous, changed }: PackJob, perBatch: number): Generator<Stretch> {
  const { pageCount } = moment;
  if (changed) {
    for (let at = 0, first = 1; at === 0 || at < changed.length; at += perBatch) {
      const pages = changed.subarray(at, at + perBatch);
      const end = at + perBatch < changed.length ? (pages.at(-1) as number) : pageCount;
      yield { first, count: end - first + 1, runs: runsOf(pages) };
      first = end + 1;
    }
    return;
  }
  for (let first = 1; first <= pageCount; first += perBatch) {
    const count = Math.min(perBatch, pageCount - first + 1);
    // A full backup has nothing that pages could be unchanged against.
    yield { first, count, runs: runsWithin(previous && moment.changed, first, count) };
  }
}

async function startBatch(job: PackJob, pool: PackPool, stretch: Stretch, buffer: Uint8Array) {
  const { moment, previous, throttle, options } = job;
  const { first, count, runs } = stretch;
  const states = await previous?.next(count);
  const request = { runs, pages: buffer, ...(states && { previous: statesOf(states, first, runs) }) };
  const bytes = countOf(runs) * moment.pageSize;
  await throttle.take(bytes);
  await readRuns(moment, runs, buffer.subarray(0, bytes), options.signal);
  const packed = pool.pack(request);
  // Awaited in its turn; when another batch fails first, nobody asks any more.
  packed.catch(() => {});
  return { ...stretch, bytes, states, buffer, packed };
}

/** The states of the runs' pages, out of those of the whole batch. */
function statesOf(states: Uint8Array, first: number, runs: PageRun[]): Uint8Array {
  const total = countOf(runs);
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
