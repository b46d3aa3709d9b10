import { fstatSync } from "node:fs";
import { isPageSize } from "../core/index.ts";
import { DamageError } from "../errors/index.ts";
import { readFullySync } from "../node/fully.ts";
import type { Moment } from "../sources/source.ts";
import { FileScratch } from "./file-scratch.node.ts";
import { type ReadOnlyPages, readOnlyPages } from "./read-only-pages.ts";

/** A file as SQLite sees it, and as it really is. */
export interface FilePages extends ReadOnlyPages {
  readonly raw: Pick<Moment, "pageSize" | "pageCount" | "read">;
}

/**
 * A store of the pages of a SQLite file that nobody writes, such as a restored copy. Pages are read as they are needed, so
 * memory does not grow with the file. Writes are refused.
 *
 * @param fd of the file, which stays the caller's
 * @param name of the database, for errors
 * @param scratch of a file for what is only there for the work, such as sorting and `compact()`; stays the caller's
 * @throws DamageError when it is not a database
 */
export function filePages(fd: number, name: string, scratch: number): FilePages {
  // What lies past the end of the file is zeros.
  const header = new Uint8Array(100);
  readFullySync(fd, header, 0);
  const view = new DataView(header.buffer);
  const pageSize = view.getUint16(16) === 1 ? 65536 : view.getUint16(16);
  const pageCount = Math.floor(fstatSync(fd).size / pageSize);
  if (!isPageSize(pageSize) || pageCount < 1)
    throw new DamageError("DATABASE_NOT_SQLITE", `${name} is not a SQLite database`, { name });
  const read = (into: Uint8Array, first: number) => {
    readFullySync(fd, into, (first - 1) * pageSize);
    return into;
  };
  // The engine has copied the page that was read last before it reads another.
  const page = new Uint8Array(pageSize);
  const fixed = { name, pageSize, pageCount, read: (pgno: number) => read(page, pgno) };
  const raw = {
    pageSize,
    pageCount,
    read: async (first: number, into: Uint8Array) => void read(into, first),
  };
  return Object.assign(readOnlyPages(fixed, new FileScratch(scratch)), { raw });
}
