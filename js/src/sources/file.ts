import { access, realpath, stat } from "node:fs/promises";
import { basename, extname } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { core, translateCoreError } from "../core/index.ts";
import { privateCopy } from "./file-copy.ts";
import { changed, fileError, notAFile } from "./file-errors.ts";
import { layOutHotJournal } from "./file-journal.ts";
import { SharedLock } from "./file-lock.ts";
import { FilePages } from "./file-pages.ts";
import { replaceFile } from "./file-replace.ts";
import { beginRead, closeQuietly, isBusy, sqlite, whenFree } from "./file-sqlite.ts";
import { type Stamps, settledStamps, stamps } from "./file-stamps.ts";
import { layOutQuietWal, layOutWal, type WalMoment } from "./file-wal.ts";
import type { Moment, PageSource, PinOptions, ReplaceOptions } from "./source.ts";

export interface FileOptions {
  /** How long to wait for a writer to let go of its lock, in milliseconds; 10,000 unless given. */
  busyTimeoutMs?: number;
  /**
   * How long a database in rollback mode may be locked at a stretch, in milliseconds; 500 unless given. Writers wait
   * that long. What cannot be read in that time under writers is copied first. WAL mode needs no such lock.
   */
  lockMs?: number;
}

/** What can be read of a database in a millisecond while it is locked, in bytes: a low guess. */
const BYTES_PER_LOCKED_MS = 400_000;
const RECENT_MS = 2000;

/**
 * A SQLite file in Node, Deno or Bun, whoever else is reading or writing it. Never changes the file, its WAL or its
 * journal, and never checkpoints.
 */
export function file(path: string, options: FileOptions = {}): PageSource {
  return new FileSource(path, options);
}

class FileSource implements PageSource {
  readonly name: string;
  readonly #path: string;
  readonly #busyTimeoutMs: number;
  readonly #lockMs: number;
  /** A writer was seen to change the file while it was being read: the next pin takes a copy at once. */
  #copyNext = false;

  constructor(path: string, { busyTimeoutMs = 10_000, lockMs = 500 }: FileOptions) {
    this.name = basename(path, extname(path));
    this.#path = path;
    this.#busyTimeoutMs = busyTimeoutMs;
    this.#lockMs = lockMs;
  }

  async pin({ since, signal }: PinOptions = {}): Promise<Moment> {
    signal?.throwIfAborted();
    const path = await this.#resolve();
    const pages = new FilePages(path);
    try {
      const { wal } = await readHeader(pages);
      const { DatabaseSync } = (await sqlite()) ?? {};
      const hasWal = wal && (await exists(`${path}-wal`));
      // Opening a database in WAL mode that nobody uses would make its -wal and -shm.
      if (!DatabaseSync || (wal && !hasWal)) return await this.#pinQuiet(pages, wal, since);
      const db = new DatabaseSync(path, { readOnly: true });
      try {
        await whenFree(path, this.#busyTimeoutMs, signal, () => beginRead(db));
      } catch (error) {
        closeQuietly(db);
        if (!isSqliteError(error) || isBusy(error)) throw error;
        // A hot journal, which a reader may not roll back, or a folder in which no -shm can be made.
        return await this.#pinQuiet(pages, wal, since);
      }
      return wal ? await this.#pinWal(pages, db, since) : await this.#pinRollback(pages, db, signal);
    } catch (error) {
      await pages.close();
      throw translateCoreError(error, this.#path);
    }
  }

  replace(body: ReadableStream<Uint8Array>, options?: ReplaceOptions): Promise<void> {
    return replaceFile(this.#path, body, options);
  }

  async #resolve(): Promise<string> {
    try {
      // SQLite, too, looks for the WAL beside the file that a link leads to.
      const path = await realpath(this.#path);
      if (!(await stat(path)).isFile()) throw notAFile(this.#path);
      return path;
    } catch (error) {
      throw (error as { syscall?: string }).syscall ? fileError(this.#path, error) : error;
    }
  }

  /** The read transaction of `db` keeps the moment; writers go on. */
  async #pinWal(pages: FilePages, db: DatabaseSync, since: string | undefined): Promise<Moment> {
    try {
      // The header as it is now that no checkpoint can change the moment.
      await readHeader(pages);
      const moment = await layOutWal(pages, since);
      return this.#moment(pages, moment, async () => {
        closeQuietly(db);
        moment.shm?.close();
      });
    } catch (error) {
      closeQuietly(db);
      throw error;
    }
  }

  /** The SHARED lock keeps the moment; writers wait. */
  async #pinRollback(pages: FilePages, db: DatabaseSync, signal: AbortSignal | undefined): Promise<Moment> {
    db.exec("ROLLBACK");
    const hold = this.#lockMs;
    const { size, mtimeMs } = await stat(pages.path);
    const long = size / BYTES_PER_LOCKED_MS > hold;
    const written = Date.now() - mtimeMs < RECENT_MS || (await exists(`${pages.path}-journal`));
    if (this.#copyNext || (long && written)) {
      this.#copyNext = false;
      return this.#pinCopy(pages, db, signal);
    }
    const lock = new SharedLock(db, pages.path, { busyTimeoutMs: this.#busyTimeoutMs, holdMs: hold });
    try {
      await lock.take(signal);
      const before = (await readHeader(pages)).stamp;
      const unchanged = async () => {
        if ((await lock.take(signal)) && (await headerStamp(pages)) !== before) {
          this.#copyNext = true;
          throw changed(this.#path);
        }
      };
      const moment = this.#moment(pages, {}, async () => lock.close());
      return {
        ...moment,
        read: (first, into, signal) =>
          lock.during(async () => {
            await unchanged();
            await moment.read(first, into, signal);
          }),
      };
    } catch (error) {
      lock.close();
      throw error;
    }
  }

  async #pinCopy(pages: FilePages, db: DatabaseSync, signal: AbortSignal | undefined): Promise<Moment> {
    const options = { busyTimeoutMs: this.#busyTimeoutMs, holdMs: Number.POSITIVE_INFINITY };
    try {
      const copy = await privateCopy(
        pages,
        async (work) => {
          await whenFree(pages.path, options.busyTimeoutMs, signal, () => beginRead(db));
          return work();
        },
        signal,
      );
      closeQuietly(db);
      await readHeader(copy);
      const moment = this.#moment(copy, {}, async () => pages.close());
      return { ...moment, taken: "end" };
    } catch (error) {
      closeQuietly(db);
      throw error;
    }
  }

  /** Nothing keeps the moment: what shows in the end is whether somebody touched the files. */
  async #pinQuiet(pages: FilePages, wal: boolean, since: string | undefined): Promise<Moment> {
    const before: Stamps = await settledStamps(pages.path);
    let moment: WalMoment = {};
    if (!wal) await layOutHotJournal(pages);
    else if (await exists(`${pages.path}-wal`)) moment = await layOutQuietWal(pages, since);
    return this.#moment(pages, moment, async () => {
      if ((await stamps(pages.path)) !== before) throw changed(this.#path);
    });
  }

  #moment(pages: FilePages, { mark, changed }: WalMoment, letGo: () => Promise<void>): Moment {
    let released = false;
    const { pageSize, pageCount } = pages.layout;
    return {
      pageSize,
      pageCount,
      taken: "start",
      ...(mark !== undefined && { mark }),
      ...(changed && { changed }),
      async read(first, into, signal) {
        if (released) throw new TypeError("the moment was released");
        await pages.read(first, into, signal);
      },
      async release() {
        if (released) return;
        released = true;
        try {
          await letGo();
        } finally {
          await pages.close();
        }
      },
    };
  }
}

/** Reads the database header into the layout, as the main file alone has it. */
async function readHeader(pages: FilePages): Promise<{ wal: boolean; stamp: string }> {
  const { DatabaseHeader } = await core();
  const { size } = pages.main;
  const bytes = new Uint8Array(512);
  const header = DatabaseHeader.parse(bytes.subarray(0, await pages.main.read(bytes, 0)));
  try {
    const { pageSize, wal } = header;
    pages.layout = { pageSize, pageCount: header.pagesIn(size) };
    return { wal, stamp: `${header.changeCounter}:${size}` };
  } finally {
    header.free();
  }
}

async function headerStamp(pages: FilePages): Promise<string> {
  return (await readHeader(pages)).stamp;
}

function isSqliteError(error: unknown): boolean {
  return (error as { code?: unknown }).code === "ERR_SQLITE_ERROR";
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
