import { checkPresence, History, type Listed, namingOldest } from "../catalog/history.ts";
import type { BackupRecord } from "../catalog/record.ts";
import { core, named, restorer } from "../core/index.ts";
import { DamageError } from "../errors/index.ts";
import { ObjectReader, type StoredFile } from "../objects/object-reader.ts";
import type { Store } from "../stores/store.ts";
import type { JobOptions } from "../streams/progress.ts";
import { streamOf } from "../streams/streams.ts";

/** A chain found and checked for presence: what a restore reads. */
export interface RestorePlan {
  /** Oldest first. */
  files: StoredFile[];
  /** The backup restored; missing for a folder that Litestream wrote. */
  record?: BackupRecord;
  /** What it was found in, with a record. */
  history?: History;
  /** What a user should know of what was found. */
  note?: string;
}

/** So few files are each read as one stream: their chunks, up to 1 MiB and one ahead, fit in memory. */
const FEW_FILES = 6;
/** Memory for reading the ranges of more files side by side, in bytes. */
const READ_AHEAD = 12 << 20;
const LEAST_STEP = 16 << 10;

/**
 * Finds the files that restore to `at`, and checks that all are there before anything is read.
 * A folder without records is taken as a Litestream replica.
 */
export async function planRestore(
  store: Store,
  folder: string,
  at: string,
  signal?: AbortSignal,
): Promise<RestorePlan> {
  const { planReplica } = await core();
  const history = await historyFor(store, folder, at, signal);
  if (history.isEmpty && history.ltxFiles.length > 0) {
    const sizes = new Map(history.ltxFiles.map(({ key, size }) => [key, size]));
    const { keys, epoch, older }: Replica = namingOldest(
      () => JSON.parse(planReplica(JSON.stringify(history.ltxFiles), at, Date.now())),
      () => new Date(Math.min(...history.ltxFiles.map(({ createdMs }) => createdMs))).toISOString(),
    );
    const files = keys.map((key) => ({ key: `${folder}/${key}`, size: sizes.get(key) ?? 0 }));
    const note = `a cell of celld: this is of its newest epoch, ${epoch}; there are older ones: ${older.join(", ")}`;
    return { files, ...(older.length > 0 && { note }) };
  }
  const record = history.find(at);
  const files = history.chain(record).map(({ record, ltx }) => ({ key: ltx, ...record.ltx }));
  await checkPresence(store, files, signal);
  return { files, record, history };
}

/** The history back to the chain of `at`: for the newest backup only the last records are read. */
export async function historyFor(
  store: Store,
  folder: string,
  at: string,
  signal: AbortSignal | undefined,
): Promise<History> {
  const newest = at === "" || at === "latest";
  const history = await History.load(store, folder, newest ? "newest" : "all", signal);
  // What no restore made may lie further back.
  const isFurther = at === "" && !history.isEmpty && isSafety(history.list().at(-1));
  return isFurther ? History.load(store, folder, "all", signal) : history;
}

/** What restores a folder without records; the core's `planReplica`. */
interface Replica {
  keys: string[];
  epoch: number;
  older: number[];
}

function isSafety(entry: Listed | undefined): boolean {
  return entry !== undefined && "record" in entry && entry.record.safety === true;
}

/**
 * The database file that `plan` restores to. Every object's digest and the database's checksum are proved on the way:
 * the stream ends without an error only if all of it was right.
 */
export function restoreStream(
  store: Store,
  plan: RestorePlan,
  options: JobOptions = {},
): ReadableStream<Uint8Array> {
  return streamOf(restoreChunks(store, plan, options));
}

async function* restoreChunks(
  store: Store,
  { files, record }: RestorePlan,
  { signal, onProgress }: JobOptions,
): AsyncGenerator<Uint8Array, void, void> {
  const { proveBookmark } = await core();
  const total = files.reduce((sum, file) => sum + file.size, 0);
  const restore = await restorer(files.length, total);
  const share = Math.max(LEAST_STEP, Math.floor(READ_AHEAD / files.length / (1 + restore.ahead)));
  const step = files.length <= FEW_FILES ? Number.POSITIVE_INFINITY : share;
  const opening = files.map((file) => ObjectReader.open(store, file, step, signal));
  let done = 0;
  try {
    const readers = await Promise.all(opening);
    for (;;) {
      const step = await restore.next();
      signal?.throwIfAborted();
      if (step.kind === "end") {
        await Promise.all(readers.map(readToEnd));
        if (record) proveBookmark(record.bookmark, step.checksum);
        return;
      }
      if (step.kind === "output") {
        yield step.bytes;
        continue;
      }
      const reader = readers[step.file];
      const bytes = (await reader?.next(step.spare)) ?? new Uint8Array();
      done += bytes.length;
      restore.feed(step.file, bytes, reader?.isOurs ?? false);
      onProgress?.({ phase: "restore", done, total, bytes: done });
    }
  } catch (error) {
    throw named(error, files[restore.current]?.key);
  } finally {
    await restore.close();
    // Those, too, that were opened when another could not be.
    const opened = await Promise.allSettled(opening);
    await Promise.all(opened.map((reader) => reader.status === "fulfilled" && reader.value.close()));
  }
}

/** The last bytes of an LTX file end it for the core; the object's digest needs them all to have been read. */
async function readToEnd(reader: ObjectReader): Promise<void> {
  if ((await reader.next()).length > 0)
    throw new DamageError("LTX_TRAILING", "bytes follow the end of an LTX file");
}
