import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { type Bytes, checkJournalPages, readJournal, readWal } from "../side-files.ts";
import type { PinOptions } from "../source.ts";
import type { OpenDatabase } from "./database.ts";
import { changed } from "./errors.ts";
import { FileMoment, type Pages, type Progress } from "./moment.ts";
import { isAbsent, settledStamps, stampOf } from "./stamp.ts";
import { openSide } from "./wal.ts";

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

/**
 * Lays over the main file what a journal gives back: the state before a transaction that never ended, as SQLite would
 * restore it in the file at the next opening. A journal that undoes nothing changes nothing here.
 */
async function overlayJournal(pages: Pages, file: Bytes, signal?: AbortSignal): Promise<void> {
  const journal = await readJournal(file, pages.pageSize, signal);
  if (!journal) return;
  const { pageSize, pageCount, superJournal } = journal;
  if (!isCommitted(pages.path, superJournal)) {
    pages.mainPages = Math.floor((pages.mainPages * pages.pageSize) / pageSize);
    pages.pageSize = pageSize;
    pages.pageCount = pageCount;
    pages.side = { file, overlay: journal.takeOverlay() };
    pages.zeroFilled = true;
  }
  journal.free();
  if (pages.side) await checkJournalPages(pages, pages.side);
}

/** The last step of a commit over several databases deletes the journal they have in common, the super-journal. */
function isCommitted(path: string, superJournal: string | undefined): boolean {
  return superJournal !== undefined && !existsSync(resolve(dirname(path), superJournal));
}
