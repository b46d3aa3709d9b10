import { open } from "node:fs/promises";
import { SourceError } from "../../errors/index.ts";
import { systemCode } from "../../node/errno.ts";
import { readFully } from "../../node/fully.ts";
import { type Bytes, readWal } from "../side-files.ts";
import type { PinOptions } from "../source.ts";
import type { OpenDatabase, Reader } from "./database.ts";
import { changed, fileError } from "./errors.ts";
import { LockableFile } from "./handle.ts";
import { FileMoment, type Hold, type Pages } from "./moment.ts";
import { readWalIndex, type WalIndex } from "./wal-index.ts";
/**
 * Pins a database in WAL mode with a read transaction: the newest commit, as the WAL index names it.
 *
 * The transaction has a read mark, or lock 0. The index is read after it began, so it may name a later commit than the
 * transaction itself sees. That commit lasts all the same:
 * - Under a read mark no WAL starts over, and pages are moved to the main file up to the mark only, which is not past
 *   the commit. Those pages are read from the WAL here.
 * - Under lock 0 (all of the WAL was moved when the transaction began) nothing more is moved. If the index names frames
 *   that were not moved, they cannot be, and a WAL with such frames does not start over. If it names none, the main file
 *   alone is the commit, and what becomes of the WAL does not matter.
 *
 * Returns `undefined` when the database is no longer in WAL mode, or is another file by now.
 */
export async function pinWal(
  database: OpenDatabase,
  reader: Reader,
  { since, signal }: PinOptions,
): Promise<FileMoment | undefined> {
  const { path, main, pageSize } = database;
  const close: (() => void | Promise<void>)[] = [];
  const closeAll = async () => {
    for (const step of close) await step();
  };
  try {
    await reader.begin(signal);
    if (!database.isAsOpened()) return undefined;
    const shm = LockableFile.open(`${path}-shm`);
    close.push(() => shm.close());
    const index = readWalIndex(shm);
    const mainPages = database.wholePages;
    const release = async () => {
      const hasHeld = await reader.close();
      await closeAll();
      main.close();
      if (!hasHeld) throw changed(path);
    };
    const hold: Hold = { taken: "start", release };

    const alone = index.frames === 0 || index.moved >= index.frames;
    if (alone) {
      const pageCount = index.pageCount || database.pagesInMain();
      const pages: Pages = { path, pageSize, pageCount, main, mainPages };
      return new FileMoment(pages, hold, await changesUnderLock0(`${path}-wal`, pageSize, index, since));
    }
    const file = await openSide(`${path}-wal`);
    close.push(file.close);
    const wal = await readWal(file, pageSize, index.frames, since, signal);
    const pages: Pages = {
      path,
      pageSize,
      pageCount: wal.pageCount ?? index.pageCount,
      main,
      mainPages,
      side: { file, overlay: wal.overlay },
    };
    return new FileMoment(pages, hold, wal);
  } catch (error) {
    await closeAll();
    throw error;
  }
}

/**
 * The mark is in the index. What changed can be told if the WAL still holds every frame up to the commit: it may start
 * over while it is read, but then the reading fails.
 */
async function changesUnderLock0(path: string, pageSize: number, { frames, mark }: WalIndex, since?: string) {
  const generation = (text?: string) => text?.split(":")[1];
  if (mark === undefined || generation(mark) !== generation(since)) return { mark };
  try {
    const file = await openSide(path);
    try {
      const { overlay, changed } = await readWal(file, pageSize, frames, since);
      overlay.free();
      return { mark, changed };
    } finally {
      await file.close();
    }
  } catch {
    return { mark };
  }
}

/** Opens a WAL or a journal. SQLite holds no locks on these, so closing them is safe. */
export async function openSide(path: string): Promise<Bytes & { close: () => Promise<void> }> {
  try {
    const handle = await open(path, "r");
    return {
      fd: handle.fd,
      read: (into, position) => readFully(handle.fd, into, position),
      close: () => handle.close(),
    };
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw fileError(error, path);
    throw new SourceError("SOURCE_CHANGED", `${path}: is gone; take the backup again`, { name: path });
  }
}
