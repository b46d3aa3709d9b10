import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { core, freeing } from "../core/index.ts";
import { DamageError } from "../errors/index.ts";
import type { Bytes } from "./file-handle.ts";
import type { Pages } from "./file-moment.ts";
import { feedAll } from "./file-wal.ts";

/**
 * Lays over the main file what a journal gives back: the state before a transaction that never ended, as SQLite would
 * restore it in the file at the next opening. A journal that undoes nothing changes nothing here.
 */
export async function overlayJournal(pages: Pages, file: Bytes, signal?: AbortSignal): Promise<void> {
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
  if (pages.side) await checkPageCount(pages);
}

/** What a journal gives back; nothing if that is nothing. To free. */
export async function readJournal(file: Bytes, pageSize: number, signal?: AbortSignal) {
  const { JournalReader } = await core();
  return freeing(new JournalReader(pageSize), async (reader) => {
    await feedAll(reader, file, signal);
    return reader.finish();
  });
}

/** The last step of a commit over several databases deletes the journal they have in common, the super-journal. */
function isCommitted(path: string, superJournal: string | undefined): boolean {
  return superJournal !== undefined && !existsSync(resolve(dirname(path), superJournal));
}

/**
 * Nothing proves the page count that a journal states, and pages that lie nowhere count as zeros: so that a damaged one
 * does not make terabytes of them, page 1 must agree where there are more pages than can be seen.
 */
async function checkPageCount({ main, mainPages, side, path, pageCount }: Pages): Promise<void> {
  if (pageCount <= mainPages) return;
  const { DatabaseHeader } = await core();
  const [, offset] = side?.overlay.range(1, 1) ?? [];
  const start = new Uint8Array(512);
  await (offset === undefined || !side ? main.read(start, 0) : side.file.read(start, offset));
  const stated = new DataView(start.buffer).getUint32(28);
  DatabaseHeader.parse(start).free();
  if (stated === pageCount) return;
  const message = `${path}-journal: is damaged; let SQLite open the database once to recover it`;
  throw new DamageError("JOURNAL_HEADER", message, { name: `${path}-journal` });
}
