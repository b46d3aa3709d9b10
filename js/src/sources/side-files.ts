// What lies beside a database: its WAL, or a journal, read through the core.
import { core, freeing } from "../core/index.ts";
import { DamageError } from "../errors/index.ts";

/** A file that is read at any position. */
export interface Bytes {
  /** The descriptor, if other threads may read through it. */
  readonly fd?: number;
  /** Fills `into` from `position` on, as far as the file goes. Returns how many bytes were read. */
  read(into: Uint8Array, position: number): Promise<number>;
}

/** Which pages lie in the side file, and where. */
export interface Overlay {
  /** How many. */
  readonly size: number;
  /** Page number, byte offset, page number, … of those among `count` pages from `first` on, ascending. */
  range(first: number, count: number): Float64Array;
  free(): void;
}

/** The committed pages of a WAL. */
export interface WalPages {
  overlay: Overlay;
  /** Missing when the WAL holds no commit. */
  pageCount: number | undefined;
  mark: string | undefined;
  changed: Uint32Array | undefined;
}

/** Bytes that the core is fed at a time. */
const CHUNK = 1 << 20;

/** Reads a WAL from its start: up to frame `limit`, or to its last commit. */
export async function readWal(
  file: Bytes,
  pageSize: number,
  limit: number | undefined,
  since: string | undefined,
  signal?: AbortSignal,
): Promise<WalPages> {
  const { WalReader } = await core();
  return freeing(new WalReader(pageSize, limit, since), async (reader) => {
    await feedAll(reader, file, signal);
    return freeing(reader.finish(), (wal) => ({
      overlay: wal.takeOverlay(),
      pageCount: wal.pageCount,
      mark: wal.mark,
      changed: wal.changed(),
    }));
  });
}

/** What a journal gives back; nothing if that is nothing. To free. */
export async function readJournal(file: Bytes, pageSize: number, signal?: AbortSignal) {
  const { JournalReader } = await core();
  return freeing(new JournalReader(pageSize), async (reader) => {
    await feedAll(reader, file, signal);
    return reader.finish();
  });
}

/** Feeds a WAL or a journal from its start, for as long as that matters. */
async function feedAll(
  reader: { feed(bytes: Uint8Array): boolean },
  file: Bytes,
  signal?: AbortSignal,
): Promise<void> {
  const chunk = new Uint8Array(CHUNK);
  for (let position = 0, more = true; more; ) {
    const count = await file.read(chunk, position);
    signal?.throwIfAborted();
    position += count;
    more = count > 0 && reader.feed(chunk.subarray(0, count));
  }
}

/**
 * Nothing proves the page count that a journal states, and pages that lie nowhere count as zeros: so that a damaged one
 * does not make terabytes of them, page 1 must agree where there are more pages than can be seen.
 */
export async function checkJournalPages(
  { main, mainPages, path, pageCount }: { main: Bytes; mainPages: number; path: string; pageCount: number },
  { file, overlay }: { file: Bytes; overlay: Overlay },
): Promise<void> {
  if (pageCount <= mainPages) return;
  const { DatabaseHeader } = await core();
  const [, offset] = overlay.range(1, 1);
  const start = new Uint8Array(512);
  await (offset === undefined ? main.read(start, 0) : file.read(start, offset));
  const stated = new DataView(start.buffer).getUint32(28);
  DatabaseHeader.parse(start).free();
  if (stated === pageCount) return;
  const message = `${path}-journal: is damaged; let SQLite open the database once to recover it`;
  throw new DamageError("JOURNAL_HEADER", message, { name: `${path}-journal` });
}
