// Levels of what is watched: incrementals are merged as they age, so that a restore reads few files. The core says which.
import type { Merging } from "../catalog/folder.ts";
import { core } from "../core/index.ts";
import { ObjectExistsError } from "../errors/index.ts";
import { ObjectReader } from "../objects/object-reader.ts";
import { Upload } from "../objects/upload.ts";
import { readToEnd } from "../stored/restore.ts";
import type { Store } from "../stores/store.ts";

/** What is read of each file at a time, in bytes. */
const STEP = 256 << 10;

/** What was merged: how much was stored, and how many requests that took. */
export interface Merged {
  bytes: number;
  requests: number;
}

/** Makes the files of a folder that should be made of others. What is interrupted is made again at the next call. */
export async function mergeLevels(
  store: Store,
  merges: readonly Merging[],
  signal?: AbortSignal,
): Promise<Merged> {
  const merged = { bytes: 0, requests: 0 };
  for (const merging of merges) {
    merged.bytes += await merge(store, merging, signal);
    merged.requests += merging.files.length + 1;
  }
  return merged;
}

/** Stores one file made of others, and returns its size. */
async function merge(
  store: Store,
  { key, files, modifiedMs }: Merging,
  signal?: AbortSignal,
): Promise<number> {
  const { Compaction } = await core();
  const compaction = new Compaction(files.length);
  const opening = files.map((file) => ObjectReader.open(store, file, STEP, signal));
  const upload = await Upload.start(store, key, { modified: new Date(modifiedMs), ownsChunks: true, signal });
  try {
    const readers = await Promise.all(opening);
    for (let next = compaction.next(); next !== undefined; next = compaction.next()) {
      if (typeof next === "number") compaction.feed(next, (await readers[next]?.next()) ?? new Uint8Array());
      else await upload.write(next as Uint8Array);
    }
    await Promise.all(readers.map(readToEnd));
    return (await upload.finish()).size;
  } catch (error) {
    await upload.abort();
    // Somebody else watches the database, too: the same files make the same bytes.
    if (error instanceof ObjectExistsError) return 0;
    throw error;
  } finally {
    compaction.free();
    const opened = await Promise.allSettled(opening);
    await Promise.all(opened.map((reader) => reader.status === "fulfilled" && reader.value.close()));
  }
}
