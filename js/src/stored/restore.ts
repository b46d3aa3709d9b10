import { core, named, restorer } from "../core/index.ts";
import { DamageError } from "../errors/index.ts";
import { ObjectReader, type StoredFile } from "../objects/object-reader.ts";
import type { Store } from "../stores/store.ts";
import type { JobOptions } from "../streams/progress.ts";
import { streamOf } from "../streams/streams.ts";

/** What a restore reads, and the bookmark that it proves. */
export interface RestoreFiles {
  /** Oldest first. */
  files: StoredFile[];
  backup?: { view: { bookmark: string } };
}

/** So few files are each read as one stream: their chunks, up to 1 MiB and one ahead, fit in memory. */
const FEW_FILES = 6;
/** How many of the largest files, where there are more. Most bytes are in them, and each range of the others takes a call of the store. */
const LARGEST = 3;
/** Memory for reading the ranges of the others side by side, in bytes: each has its share of it, so that all are through at once. */
const READ_AHEAD = 12 << 20;
const LEAST_STEP = 16 << 10;
/** Files whose first bytes are asked for at a time. */
const LANES = 8;
/** So many files may be open, where an open one takes no memory. */
const MOST_OPEN = 256;

/**
 * The database file that `plan` restores to. Every object's digest and the database's checksum are proved on the way:
 * the stream ends without an error only if all of it was right.
 */
export function restoreStream(
  store: Store,
  plan: RestoreFiles,
  options: JobOptions = {},
): ReadableStream<Uint8Array> {
  return streamOf(restoreChunks(store, plan, options));
}

async function* restoreChunks(
  store: Store,
  { files, backup }: RestoreFiles,
  { signal, onProgress }: JobOptions,
): AsyncGenerator<Uint8Array, void, void> {
  const { proveBookmark } = await core();
  const total = files.reduce((sum, file) => sum + file.size, 0);
  const restore = await restorer(files.length, total, backup !== undefined);
  const bySize = files.toSorted((one, other) => other.size - one.size);
  const streamed = new Set(files.length <= FEW_FILES ? files : bySize.slice(0, LARGEST));
  const others = files.reduce((sum, file) => sum + (streamed.has(file) ? 0 : file.size), 0);
  const share = READ_AHEAD / (1 + restore.ahead) / others;
  const isOpen = store.fillsBuffers === true && files.length <= MOST_OPEN;
  const opening = files.map((file) => {
    const step = streamed.has(file)
      ? Number.POSITIVE_INFINITY
      : Math.max(LEAST_STEP, Math.ceil(share * file.size));
    return ObjectReader.open(store, file, step, signal, isOpen);
  });
  let done = 0;
  try {
    const readers = await Promise.all(opening);
    const unread = readers.values();
    await Promise.all(
      Array.from({ length: LANES }, async () => {
        for (const reader of unread) await reader.begin();
      }),
    );
    for (;;) {
      const step = await restore.next();
      signal?.throwIfAborted();
      if (step.kind === "end") {
        await Promise.all(readers.map(readToEnd));
        if (backup) proveBookmark(backup.view.bookmark, step.checksum);
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
export async function readToEnd(reader: ObjectReader): Promise<void> {
  if ((await reader.next()).length > 0)
    throw new DamageError("LTX_TRAILING", "bytes follow the end of an LTX file");
}
