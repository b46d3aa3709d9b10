import { parse } from "node:path";
import { named } from "../../core/index.ts";
import { checkOptions, checkText } from "../../errors/index.ts";
import type {
  CheckpointOptions,
  Follower,
  HeldFiles,
  Moment,
  PageSource,
  PinOptions,
  RenamedTable,
  ReplacedTable,
  ReplaceOptions,
  TableReplacement,
} from "../source.ts";
import { checkpoint } from "./checkpoint.ts";
import { pinCopy } from "./copy.ts";
import { OpenDatabase, type Reader } from "./database.ts";
import { changed, fileError } from "./errors.ts";
import { FileFollower } from "./follow.ts";
import { realPath } from "./handle.ts";
import { SharedLock } from "./lock.ts";
import { FileMoment } from "./moment.ts";
import { Originals } from "./originals.ts";
import { openReader } from "./reader.ts";
import { renamedTable } from "./renamed.ts";
import { replaceFile } from "./replace.ts";
import { isBusy, resultCode } from "./sqlite.ts";
import { changedMsOf, identityOf, isAbsent, stampOf } from "./stamp.ts";
import { replaceTables } from "./tables.ts";
import { pinUnlocked } from "./unlocked.ts";
import { pinWal } from "./wal.ts";

export interface FileOptions {
  /** How long to wait for a writer to let go of its lock, in milliseconds; 10,000 unless given. */
  busyTimeoutMs?: number;
  /**
   * How long a database in rollback mode may be locked at a stretch, in milliseconds; 500 unless given. Writers wait
   * that long at most; those of other processes in journal mode DELETE on Linux are let through as soon as they have
   * come. Otherwise what cannot be read in that time under writers is copied first. WAL mode needs no such lock.
   */
  lockMs?: number;
}

/** Bytes of a database that a backup reads in a millisecond. */
const BYTES_PER_MS = 400_000;
/** A database that was written within this time will probably be written again. In milliseconds. */
const RECENT_MS = 2000;
/** Bytes that are looked at behind the stated end of a database. */
const BEHIND = 256 << 10;
/** Attempts to pin a database that changes its journal mode, or is replaced, every time. */
const ATTEMPTS = 10;

/**
 * A SQLite file in Node, Deno or Bun, also while others read or write it. A backup never changes the file, its WAL
 * or its journal, and never checkpoints.
 *
 * SQLite's own locks hold the moment, through `node:sqlite`. Where the runtime lacks that, a database that is written
 * while it is read ends the backup with `SOURCE_CHANGED`.
 */
export function file(path: string, options: FileOptions = {}): PageSource {
  return new FileSource(path, options);
}

class FileSource implements PageSource {
  readonly name: string;
  readonly #path: string;
  readonly #busyTimeoutMs: number;
  readonly #lockMs: number;
  /** Set when writers were faster than the last attempt: the next one takes a copy at once. */
  #copyNext = false;

  constructor(path: string, options: FileOptions) {
    checkText(path, "path");
    const { busyTimeoutMs = 10_000, lockMs = 500 } = checkOptions(options);
    this.name = parse(path).name;
    this.#path = path;
    this.#busyTimeoutMs = busyTimeoutMs;
    this.#lockMs = lockMs;
  }

  async pin(options: PinOptions = {}): Promise<Moment> {
    checkOptions(options);
    try {
      for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
        options.signal?.throwIfAborted();
        // SQLite, too, looks for the WAL beside the file that a link leads to.
        const database = await OpenDatabase.open(realPath(this.#path), this.#busyTimeoutMs);
        const identity = identityOf(database.path);
        const moment = await this.#pinOpen(database, options);
        if (moment) return Object.assign(moment, { identity, ...(await behind(database, moment)) });
      }
      throw changed(this.#path);
    } catch (error) {
      throw fileError(named(error, this.#path), this.#path);
    }
  }

  async replace(body: ReadableStream<Uint8Array>, options: ReplaceOptions = {}): Promise<void> {
    const { signal, ownsChunks = false } = checkOptions(options);
    await replaceFile(this.#path, body, { signal, ownsChunks });
  }

  replaceTables(replacement: TableReplacement): Promise<ReplacedTable[]> {
    return replaceTables(this.#path, this.#busyTimeoutMs, replacement);
  }

  async renameTable(body: ReadableStream<Uint8Array>, from: string, to: string): Promise<RenamedTable> {
    const { path, triggers, end } = await renamedTable(body, from, to);
    try {
      return { moment: await file(path).pin(), triggers, end };
    } catch (error) {
      await end();
      throw error;
    }
  }

  checkpoint(options?: CheckpointOptions): Promise<HeldFiles> {
    return checkpoint(this.#path, options);
  }

  async follow(): Promise<Follower | undefined> {
    return FileFollower.open(this.#path, this.#busyTimeoutMs);
  }

  stamp(): string | undefined {
    const stamps = [this.#path, `${this.#path}-wal`].map(stampOf);
    return isAbsent(stamps[0] ?? "") ? undefined : stamps.join(" ");
  }

  changedMs(): number | undefined {
    const [main, wal] = [this.#path, `${this.#path}-wal`].map(changedMsOf);
    return main && Math.max(main, wal ?? 0);
  }

  /** Pins a moment, whose release closes `database`; `undefined` when the database is no longer what it was when opened. */
  async #pinOpen(database: OpenDatabase, options: PinOptions): Promise<FileMoment | undefined> {
    let moment: FileMoment | undefined;
    try {
      moment = (await this.#pinLocked(database, options)) ?? (await pinUnlocked(database, options));
      return moment;
    } finally {
      if (!moment) database.main.close();
    }
  }

  /** Pins a moment under a lock of SQLite; `undefined` where SQLite cannot lock the database without writing to it. */
  async #pinLocked(database: OpenDatabase, options: PinOptions): Promise<FileMoment | undefined> {
    // Without both files nobody uses the database in WAL mode, and SQLite would make them.
    if (database.isWal && !(database.hasFile("-wal") && database.hasFile("-shm"))) return undefined;
    let reader: Reader | undefined;
    let moment: FileMoment | undefined;
    try {
      reader = await openReader(database);
      if (!reader) return undefined;
      moment = await (database.isWal
        ? pinWal(database, reader, options)
        : this.#pinRollback(database, reader, options));
      return moment;
    } catch (error) {
      // A hot journal, which a reader may not roll back, or a folder in which SQLite may not write.
      if (resultCode(error) !== undefined && !isBusy(error)) return undefined;
      throw error;
    } finally {
      if (!moment) await reader?.close();
    }
  }

  async #pinRollback(
    database: OpenDatabase,
    reader: Reader,
    { signal }: PinOptions,
  ): Promise<FileMoment | undefined> {
    const isLong = database.main.size > this.#lockMs * BYTES_PER_MS;
    const isBusy = database.quietMs < RECENT_MS;
    const canFollow = !this.#copyNext && (await Originals.canBeKept(database, signal));
    if (this.#copyNext || (isLong && isBusy && !canFollow)) {
      const moment = await pinCopy(database, reader, signal);
      this.#copyNext = false;
      return moment;
    }
    await reader.begin(signal);
    if (!database.isAsOpened()) return undefined;
    const { path, main, pageSize, wholePages: mainPages } = database;
    const pages = { path, pageSize, pageCount: database.pagesInMain(), main, mainPages };
    const originals = canFollow ? new Originals(pages) : undefined;
    const onLost = () => {
      this.#copyNext = true;
    };
    const lock = new SharedLock({ database, pages, reader, originals, lockMs: this.#lockMs, onLost });
    return new FileMoment(pages, lock);
  }
}

/** Counts pages behind the stated end that hold something: unless the header is wrong, they are zeros. */
async function behind({ main, pageSize }: OpenDatabase, moment: FileMoment): Promise<{ beyond?: number }> {
  const { pagesBehind: beyond, pageCount } = moment;
  if (beyond === 0) return {};
  const start = new Uint8Array(Math.min(beyond * pageSize, BEHIND));
  await main.read(start, pageCount * pageSize);
  return start.some((byte) => byte !== 0) ? { beyond } : {};
}
