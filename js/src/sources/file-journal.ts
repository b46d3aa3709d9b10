import { access, open } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { core } from "../core/index.ts";
import type { FilePages } from "./file-pages.ts";

const CHUNK = 1 << 20;

/**
 * Lays out a database that a process left in mid-transaction: its journal rolled back in memory, as SQLite would do
 * in the file at the next opening.
 */
export async function layOutHotJournal(pages: FilePages): Promise<void> {
  const { JournalReader } = await core();
  const reader = new JournalReader(pages.layout.pageSize);
  const side = await open(`${pages.path}-journal`, "r").catch(() => undefined);
  if (!side) return;
  try {
    const chunk = new Uint8Array(CHUNK);
    for (let at = 0; ; at += chunk.length) {
      const length = await pages.readSide(side, chunk, at);
      if (!reader.feed(chunk.subarray(0, length)) || length < chunk.length) break;
    }
    const journal = reader.finish();
    const stale = journal?.superJournal !== undefined && !(await exists(pages.path, journal.superJournal));
    if (!journal || stale) {
      await side.close();
      return;
    }
    const { pageSize, pageCount } = journal;
    pages.layout = { pageSize, pageCount, overlay: journal.takeOverlay(), side };
  } catch (error) {
    await side.close();
    throw error;
  } finally {
    reader.free();
  }
}

/** A transaction over several files is committed once its super-journal is gone. */
function exists(database: string, superJournal: string): Promise<boolean> {
  return access(resolve(dirname(database), superJournal)).then(
    () => true,
    () => false,
  );
}
