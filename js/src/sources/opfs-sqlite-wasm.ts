import { SourceError } from "../errors/index.ts";
import { type Room, roomFor } from "../opfs/scratch.ts";
import { nameIn, Pinning } from "./opfs.ts";
import { findDatabase } from "./opfs-files.ts";
import type { Held } from "./opfs-locks.ts";
import type { PageSource } from "./source.ts";
import { type OpenImage, sourceFrom } from "./source-from.ts";

/** What is used of an open database of `@sqlite.org/sqlite-wasm` (`oo1.DB` and its kin). */
export interface SqliteWasmDatabase {
  readonly filename: string;
  dbVfsName(): string | undefined;
  exec(sql: string): unknown;
  selectValue(sql: string): unknown;
  selectValues(sql: string, bind?: readonly number[]): unknown[];
  close(): unknown;
}

/** What is used of the library, as its `sqlite3InitModule()` gives it. */
export interface SqliteWasm {
  oo1: { DB: new (options: { filename: string; vfs: string; flags: string }) => SqliteWasmDatabase };
  // biome-ignore lint/suspicious/noExplicitAny: the library's own types want its own class there
  capi: { sqlite3_get_autocommit(database: any): number };
}

/** How long to try without SQL, in milliseconds. */
const FILES_MS = 2000;
/** Then SQL reads it: writers leave no pause, or it lies in a pool of another name, or in one of two. */
const SQL_INSTEAD = new Set(["SOURCE_BUSY", "SOURCE_MISSING", "SOURCE_AMBIGUOUS"]);
/** Pages that one statement reads, in bytes. */
const AT_ONCE = 1 << 20;

/**
 * An open database of `@sqlite.org/sqlite-wasm`, from the worker or page that has it open; `sqlite3` is what the library's
 * init function gave. One in OPFS is read from its files, as `opfs()` does; in a pool with a read transaction on a connection
 * of its own when writers leave no pause. Where that does not help, and for any other database, one in memory say, all pages are
 * read by `sqlite_dbpage` in one go, which keeps the thread busy.
 *
 * @example
 * ```ts
 * import { opfsStore, pagemark, sqliteWasm } from "pagemark";
 * import sqlite3InitModule from "@sqlite.org/sqlite-wasm";
 * const sqlite3 = await sqlite3InitModule();
 * const db = pagemark(sqliteWasm(new sqlite3.oo1.OpfsDb("app.db"), sqlite3), { store: opfsStore() });
 * ```
 */
export function sqliteWasm(database: SqliteWasmDatabase, sqlite3: SqliteWasm): PageSource {
  const { filename } = database;
  const vfs = database.dbVfsName() ?? "";
  const name = nameIn(filename === "" ? "memory" : filename.replaceAll(":", ""));
  const isInFiles = vfs.startsWith("opfs") || vfs.includes("sahpool");
  const pinning = new Pinning(
    filename,
    () => findDatabase(filename),
    async () => readTransaction(sqlite3, filename, vfs),
    FILES_MS,
  );
  return sourceFrom({
    name,
    async open(signal) {
      if (!sqlite3.capi.sqlite3_get_autocommit(database)) {
        const message = `${name}: this connection is in a transaction; commit it, or roll it back, then try again`;
        throw new SourceError("SOURCE_BUSY", message, { name });
      }
      if (!isInFiles) return copyBySql(database, name);
      try {
        return await pinning.open(signal);
      } catch (error) {
        if (!(error instanceof SourceError && SQL_INSTEAD.has(error.code))) throw error;
        signal?.throwIfAborted();
        return copyBySql(database, name);
      }
    },
  });
}

/**
 * Keeps writers out by a lock of SQLite, where the VFS has them. Not those of the VFS `opfs`: they would wait for it, and with
 * them the thread in which this one is to be let go.
 */
function readTransaction(sqlite3: SqliteWasm, filename: string, vfs: string): Held {
  let reader: SqliteWasmDatabase | undefined;
  if (vfs === "opfs" || vfs === "opfs-wl") return { release() {} };
  try {
    reader = new sqlite3.oo1.DB({ filename, vfs, flags: "r" });
    reader.exec("BEGIN; SELECT count(*) FROM sqlite_schema");
  } catch {
    // Whether the files held still is proved all the same.
  }
  return { release: () => void reader?.close() };
}

/** All pages of one read transaction, without a pause in which the same connection could write. */
async function copyBySql(database: SqliteWasmDatabase, name: string): Promise<OpenImage> {
  const pageSize = Number(database.selectValue("PRAGMA page_size"));
  const size = pageSize * Number(database.selectValue("PRAGMA page_count"));
  const room = await roomFor(size);
  let isDone = false;
  try {
    const copied = copyPages(database, room, pageSize, name);
    await Promise.all(copied.writes);
    await room.seal();
    isDone = true;
    return {
      size: copied.size,
      taken: "start",
      read: (at, into) => room.read(at, into),
      close: () => room.close(),
    };
  } finally {
    if (!isDone) await room.close();
  }
}

function copyPages(database: SqliteWasmDatabase, room: Room, pageSize: number, name: string) {
  const writes: Promise<void>[] = [];
  const most = Math.max(1, Math.floor(AT_ONCE / pageSize));
  const sql = "SELECT data FROM sqlite_dbpage WHERE pgno BETWEEN ?1 AND ?2 ORDER BY pgno";
  try {
    database.exec("BEGIN");
    try {
      const pageCount = Number(database.selectValue("PRAGMA page_count"));
      for (let first = 1; first <= pageCount; first += most) {
        const pages = database.selectValues(sql, [
          first,
          Math.min(first + most - 1, pageCount),
        ]) as Uint8Array[];
        const chunk = new Uint8Array(pages.length * pageSize);
        for (const [i, page] of pages.entries()) chunk.set(page, i * pageSize);
        const write = room.write(chunk, (first - 1) * pageSize);
        write.catch(() => {}); // thrown when all are waited for
        writes.push(write);
      }
      return { size: pageCount * pageSize, writes };
    } finally {
      database.exec("ROLLBACK");
    }
  } catch (error) {
    const message = `${name}: SQLite gives no pages: ${error instanceof Error ? error.message : error}`;
    throw new SourceError("SOURCE_BUSY", message, { name }, { cause: error });
  }
}
