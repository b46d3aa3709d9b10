import { fstatSync } from "node:fs";
import { isPageSize, type PageStore } from "../core/index.ts";
import { DamageError, PagemarkError } from "../errors/index.ts";
import { readFullySync } from "../node/fully.ts";
import type { Moment } from "../sources/source.ts";
import { FileScratch } from "./file-scratch.node.ts";

/** Offset of the versions for writing and reading; 2 means WAL mode, which the engine does not have. */
const JOURNAL_MODES = 18;
/** The checksum of the only state, which nobody compares: this store is only read. */
const NO_CHECKSUM = "8000000000000000";

/** A file as SQLite sees it, and as it really is. */
export interface FilePages extends PageStore {
  readonly raw: Pick<Moment, "pageSize" | "pageCount" | "read">;
  /** Why a page could not be read, which SQLite does not tell. */
  readonly failure: { error: unknown } | undefined;
}

/**
 * A store of the pages of a SQLite file that nobody writes, such as a restored copy. Pages are read as they are needed, so
 * memory does not grow with the file. Writes are refused.
 *
 * Its one state has no checksum, so bookmarks of it prove nothing.
 *
 * @param fd of the file, which stays the caller's
 * @param name of the database, for errors
 * @param scratch of a file for what is only there for the work, such as sorting and `compact()`; stays the caller's
 * @throws DamageError when it is not a database
 */
export function filePages(fd: number, name: string, scratch: number): FilePages {
  let failure: FilePages["failure"];
  const read = (into: Uint8Array, position: number) => {
    try {
      // What lies past the end of the file is zeros.
      readFullySync(fd, into, position);
    } catch (error) {
      failure ??= { error };
      throw error;
    }
  };
  const header = new Uint8Array(100);
  readFullySync(fd, header, 0);
  const view = new DataView(header.buffer);
  const pageSize = view.getUint16(16) === 1 ? 65536 : view.getUint16(16);
  const pageCount = Math.floor(fstatSync(fd).size / pageSize);
  if (!isPageSize(pageSize) || pageCount < 1)
    throw new DamageError("DATABASE_NOT_SQLITE", `${name} is not a SQLite database`, { name });
  return {
    raw: {
      pageSize,
      pageCount,
      read: async (first, into) => read(into, (first - 1) * pageSize),
    },
    open: () => ({
      lineage: "0000000000000001",
      commits: [{ txid: 1, timeMs: 0, pageSize, pageCount, checksum: NO_CHECKSUM }],
      keep: { from: 1, pins: [] },
    }),
    read(pgno) {
      const page = new Uint8Array(pageSize);
      read(page, (pgno - 1) * pageSize);
      if (pgno === 1) page.fill(1, JOURNAL_MODES, JOURNAL_MODES + 2);
      return page;
    },
    commit() {
      throw new PagemarkError("SOURCE_READ_ONLY", `${name} is only read; write to the database itself`);
    },
    get failure() {
      return failure;
    },
    scratch: new FileScratch(scratch),
    retain() {},
    changed: () => [],
  };
}
