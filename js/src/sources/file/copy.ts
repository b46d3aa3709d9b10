import { TemporaryFile } from "../../node/temporary-file.ts";
import type { OpenDatabase, Reader } from "./database.ts";
import { FileMoment, type Pages } from "./moment.ts";

/** In bytes. */
const CHUNK = 1 << 20;

/**
 * A moment in a private copy, of a database in rollback mode that others write to without pause: copied as it stands,
 * torn as that may be; then, under one short lock, compared with the original and mended where that has moved on.
 *
 * `fs.copyFile` is not used: it closes a descriptor of the database, see {@link LockableFile}.
 */
export async function pinCopy(
  database: OpenDatabase,
  reader: Reader,
  signal: AbortSignal | undefined,
): Promise<FileMoment | undefined> {
  const copy = await TemporaryFile.create();
  try {
    await copyAll(database, copy, signal);
    await reader.begin(signal);
    const pages = database.isAsOpened() && (await mend(database, copy, signal));
    const hasHeld = await reader.close();
    if (!pages || !hasHeld) {
      await copy.close();
      return undefined;
    }
    database.main.close();
    return new FileMoment(pages, { taken: "end", release: () => copy.close() });
  } catch (error) {
    await copy.close();
    throw error;
  }
}

/** Copies without a lock; one chunk is written while the next is read. */
async function copyAll(
  { main }: OpenDatabase,
  copy: TemporaryFile,
  signal: AbortSignal | undefined,
): Promise<void> {
  let [chunk, written] = [new Uint8Array(CHUNK), new Uint8Array(CHUNK)];
  let writing: Promise<void> = Promise.resolve();
  for (let position = 0; ; position += CHUNK) {
    const [count] = await Promise.all([main.read(chunk, position), writing]);
    signal?.throwIfAborted();
    if (count === 0) return;
    writing = copy.write(chunk.subarray(0, count), position);
    // Thrown at the next turn, or here below.
    writing.catch(() => {});
    [chunk, written] = [written, chunk];
    if (count < CHUNK) return writing;
  }
}

/** Makes the copy equal to the original, which is locked. */
async function mend(
  database: OpenDatabase,
  copy: TemporaryFile,
  signal: AbortSignal | undefined,
): Promise<Pages> {
  const { main, path, pageSize } = database;
  const [original, copied] = [Buffer.allocUnsafe(CHUNK), Buffer.allocUnsafe(CHUNK)];
  const { size } = main;
  for (let position = 0; position < size; position += CHUNK) {
    signal?.throwIfAborted();
    const counts = await Promise.all([main.read(original, position), copy.read(copied, position)]);
    const [wanted, found] = [original.subarray(0, counts[0]), copied.subarray(0, counts[1])];
    if (!wanted.equals(found)) await copy.write(wanted, position);
  }
  return {
    path,
    pageSize,
    pageCount: database.pagesInMain(),
    main: copy,
    mainPages: database.wholePages,
  };
}
