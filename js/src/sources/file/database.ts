import { existsSync, statSync } from "node:fs";
import { type Core, core, freeing } from "../../core/index.ts";
import { LockableFile } from "./handle.ts";

type Header = ReturnType<Core["DatabaseHeader"]["parse"]>;

/** Bytes that show the header, and tell ciphertext from text. */
const START = 512;

/** A database file that was opened to pin a moment of it, before anything is locked. */
export class OpenDatabase {
  /** The real one, without symbolic links: beside it lie the WAL and the journal. */
  readonly path: string;
  readonly main: LockableFile;
  /** How long to wait for a writer. */
  readonly busyTimeoutMs: number;
  /** In bytes. */
  readonly pageSize: number;
  readonly isWal: boolean;
  /** Whether this process had the file open before, as far as the system tells. */
  readonly isUsedHere: boolean;
  readonly #core: Core;

  /** Throws SourceError, or the core's errors when it is no database. */
  static async open(path: string, busyTimeoutMs: number): Promise<OpenDatabase> {
    const loaded = await core();
    const main = LockableFile.open(path);
    try {
      return new OpenDatabase(loaded, path, main, busyTimeoutMs);
    } catch (error) {
      main.close();
      throw error;
    }
  }

  private constructor(loaded: Core, path: string, main: LockableFile, busyTimeoutMs: number) {
    this.#core = loaded;
    this.path = path;
    this.main = main;
    this.busyTimeoutMs = busyTimeoutMs;
    this.isUsedHere = main.isOpenElsewhere;
    const { pageSize, wal } = this.#header((header) => ({ pageSize: header.pageSize, wal: header.wal }));
    this.pageSize = pageSize;
    this.isWal = wal;
  }

  /** Whether the path still leads to this file, and its header is as it was when opened. Ask under a lock. */
  isAsOpened(): boolean {
    if (!this.main.isInPlace) return false;
    return this.#header((header) => header.pageSize === this.pageSize && header.wal === this.isWal);
  }

  /** Size of the database when the main file alone is the database, in pages. */
  pagesInMain(): number {
    return this.#header((header) => header.pagesIn(this.main.size));
  }

  /** Pages that lie in the main file, whatever its header says. */
  get wholePages(): number {
    return Math.floor(this.main.size / this.pageSize);
  }

  /** A text that differs after every commit in rollback mode; SQLite looks at the same to know whether its cache is valid. */
  version(): string {
    const size = this.main.size;
    return this.#header((header) => `${header.changeCounter}:${size}:${header.pageSize}:${header.wal}`);
  }

  /** Change counter in page 1: in rollback mode every transaction adds one. */
  get changeCounter(): number {
    return this.#header((header) => header.changeCounter);
  }

  hasFile(ending: "-wal" | "-shm"): boolean {
    return existsSync(this.path + ending);
  }

  /** Time since the main file or its journal was written, in milliseconds. */
  get quietMs(): number {
    const times = [this.path, `${this.path}-journal`].map(
      (path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0,
    );
    return Date.now() - Math.max(...times);
  }

  #header<T>(read: (header: Header) => T): T {
    const start = new Uint8Array(START);
    const count = this.main.readNow(start, 0);
    return freeing(this.#core.DatabaseHeader.parse(start.subarray(0, count)), read);
  }
}

/**
 * A connection for read transactions: in WAL mode they hold the log, in rollback mode the file. It opens the file
 * read-only, and so cannot checkpoint when it is closed either.
 */
export interface Reader {
  /**
   * Begins a transaction, with a `pause` between two attempts. Throws SOURCE_BUSY when writers keep it out for longer
   * than the database's timeout.
   */
  begin(signal?: AbortSignal, pause?: () => Promise<void>): Promise<void>;
  /** Ends the transaction, if there is one. */
  end(): void;
  /** Ends the transaction and closes. Says whether the lock was there until now. Idempotent. */
  close(): Promise<boolean>;
}
