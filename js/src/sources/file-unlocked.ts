import type { OpenDatabase } from "./file-database.ts";
import { changed } from "./file-errors.ts";
import type { Bytes } from "./file-handle.ts";
import { overlayJournal } from "./file-journal.ts";
import { FileMoment, type Pages, type Progress } from "./file-moment.ts";
import { isAbsent, settledStamps, stampOf } from "./file-stamp.ts";
import { openSide, readWal } from "./file-wal.ts";
import type { PinOptions } from "./source.ts";

/** Bytes of the WAL that are compared. */
const WAL_HEADER_SIZE = 32;

/**
 * Takes a moment without a lock, and proves at the end that nothing changed meanwhile. It is for a database that nobody has
 * open and that SQLite could not open without writing (in WAL mode without a WAL, or with a hot journal), and for runtimes
 * without SQLite.
 *
 * Returns `undefined` when the database is no longer what it was when it was opened.
 */
export async function pinUnlocked(
  database: OpenDatabase,
  { since, signal }: PinOptions,
): Promise<FileMoment | undefined> {
  const { path, main, pageSize } = database;
  const paths = [path, `${path}-wal`, `${path}-journal`];
  const stamps = await settledStamps(paths, database.busyTimeoutMs, signal);
  if (!database.isAsOpened()) return undefined;
  const [, wal, journal] = stamps.map((stamp) => !isAbsent(stamp));
  const pages: Pages = { path, pageSize, pageCount: 0, main, mainPages: database.wholePages };

  const side =
    database.isWal && wal ? await openSide(`${path}-wal`) : journal && (await openSide(`${path}-journal`));
  let walStart: string | undefined;
  let progress: Progress = {};
  try {
    if (side && database.isWal) {
      walStart = await startOf(side);
      const { overlay, pageCount, ...rest } = await readWal(side, pageSize, undefined, since, signal);
      pages.side = { file: side, overlay };
      pages.pageCount = pageCount ?? 0;
      progress = rest;
    } else if (side) {
      await overlayJournal(pages, side, signal);
    }
    pages.pageCount ||= database.pagesInMain();
  } catch (error) {
    pages.side?.overlay.free();
    if (side) await side.close();
    throw error;
  }

  const isUnchanged = async () => {
    const now = paths.map(stampOf);
    // A WAL may grow, which harms no earlier commit. When it starts over, its first bytes change.
    const isWalGrown = side && walStart !== undefined && (await startOf(side)) === walStart;
    return now.every((stamp, i) => stamp === stamps[i] || (i === 1 && isWalGrown));
  };
  const release = async () => {
    try {
      if (!(await isUnchanged())) throw changed(path);
    } finally {
      if (side) await side.close();
      main.close();
    }
  };
  return new FileMoment(pages, { taken: "start", release }, progress);
}

/** Reads the header of a WAL, with the salts. */
async function startOf(wal: Bytes): Promise<string> {
  const header = new Uint8Array(WAL_HEADER_SIZE);
  return header.subarray(0, await wal.read(header, 0)).join();
}
