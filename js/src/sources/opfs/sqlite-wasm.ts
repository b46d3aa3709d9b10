import { checkHas, SourceError } from "../../errors/index.ts";
import { type Room, roomFor } from "../../opfs/scratch.ts";
import type { PageSource } from "../source.ts";
import { type OpenImage, sourceFrom } from "../source-from.ts";
import { opfsError } from "./errors.ts";
import { findDatabase, type InFolder } from "./files.ts";
import type { Held } from "./locks.ts";
import { nameIn, Pinning } from "./opfs.ts";
import { hex, look, markOf, stampIn } from "./snapshot.ts";
import { type SqliteWasm, type SqliteWasmDatabase, SqliteWasmFile } from "./sqlite-wasm-file.ts";

/** How long to try without SQL, in milliseconds. */
const FILES_MS = 2000;
/** Then SQL reads it: writers leave no pause, or it lies in a pool of another name, or in one of two. */
const SQL_INSTEAD = new Set(["SOURCE_BUSY", "SOURCE_MISSING", "SOURCE_AMBIGUOUS"]);
/** Pages that one statement reads, in bytes. */
const AT_ONCE = 1 << 20;

/**
 * An open database of `@sqlite.org/sqlite-wasm`, from the worker or page that has it open; `sqlite3` is what the library's
 * init function gave. From this call on, what the connection writes to OPFS is noted: the next backup reads those pages only, and
 * in a pool each backup is of the moment at which it began, while the connection writes on. Otherwise one in OPFS is read from
 * its files, as `opfs()` does; in a pool with a read transaction on a connection of its own when writers leave no pause. Where
 * that does not help, and for any other database, one in memory say, all pages are
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
  checkHas("dbVfsName", database, "the database", "an sqlite3.oo1.DB");
  checkHas("sqlite3_get_autocommit", sqlite3?.capi, "sqlite3.capi", "that of @sqlite.org/sqlite-wasm");
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
  const file = isInFiles ? SqliteWasmFile.of(database, sqlite3) : undefined;
  const known = file && new KnownFile(file, name, filename, vfs.includes("sahpool"));
  return sourceFrom({
    name,
    async open(signal, since) {
      await known?.begun;
      if (!sqlite3.capi.sqlite3_get_autocommit(database)) {
        const message = `${name}: this connection is in a transaction; commit it, or roll it back, then try again`;
        throw new SourceError("SOURCE_BUSY", message, { name });
      }
      if (!isInFiles) return copyBySql(database, name);
      const image = await known?.open(since);
      if (image) return image;
      try {
        return await pinning.open(signal, since);
      } catch (error) {
        if (!(error instanceof SourceError && SQL_INSTEAD.has(error.code))) throw error;
        signal?.throwIfAborted();
        return copyBySql(database, name);
      }
    },
  });
}

/** The database of a connection, as far as all of its writes were seen. */
class KnownFile {
  readonly #file: SqliteWasmFile;
  readonly #name: string;
  readonly #path: string;
  readonly #isOurs: boolean;
  /** The mark that was given when the writes began to be seen, and what the files say of that state. */
  readonly #began: string;
  #atFirst = "";
  /** Settled once {@link KnownFile.open} may be called. */
  readonly begun: Promise<void>;
  #found: InFolder | undefined;

  /** @param isOurs whether no other tab can write, and SQLite reads the file as fast as anybody */
  constructor(file: SqliteWasmFile, name: string, path: string, isOurs: boolean) {
    this.#file = file;
    this.#name = name;
    this.#path = path;
    this.#isOurs = isOurs;
    this.#began = file.mark();
    this.begun = this.#stampOf(this.#began).then((stamp) => {
      this.#atFirst = stamp;
    });
  }

  /** The state as it is at this call; nothing where the files tell more, or faster. */
  async open(since = ""): Promise<OpenImage | undefined> {
    const file = this.#file;
    let image: OpenImage | undefined;
    try {
      image = file.hold(this.#name);
    } catch {
      return undefined; // another connection is writing: whoever reads the files can wait
    }
    if (!image) return undefined;
    const isFromBefore = this.#atFirst !== "" && this.#atFirst === stampIn(since);
    const changed = file.changedSince(isFromBefore ? this.#began : since.slice(since.lastIndexOf("#") + 1));
    if (!changed && !this.#isOurs) {
      await image.close?.();
      return undefined;
    }
    const mark = file.mark();
    return { ...image, changed, mark: `${await this.#stampOf(mark)}#${mark}` };
  }

  /** What the files say of the state of that mark; empty where it is not certain. */
  async #stampOf(mark: string): Promise<string> {
    try {
      this.#found ??= await findDatabase(this.#path);
      const seen = await look(this.#found);
      const isOfMark =
        this.#file.changedSince(mark)?.length === 0 && seen.stamp.header === hex(this.#file.header);
      return isOfMark ? stampIn(markOf(seen) ?? "") : "";
    } catch {
      return "";
    }
  }
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
  try {
    return await copied(database, name);
  } catch (error) {
    throw opfsError(error, name); // of the room that the copy takes
  }
}

async function copied(database: SqliteWasmDatabase, name: string): Promise<OpenImage> {
  const pageSize = Number(database.selectValue("PRAGMA page_size"));
  const size = pageSize * Number(database.selectValue("PRAGMA page_count"));
  const room = await roomFor(size);
  let isDone = false;
  try {
    const pages = copyPages(database, room, pageSize, name);
    await Promise.all(pages.writes);
    await room.seal();
    isDone = true;
    return {
      size: pages.size,
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
