import { closeSync, existsSync, fstatSync, openSync, statSync } from "node:fs";
import { setImmediate as turn } from "node:timers/promises";
import { readFully } from "../../node/fully.ts";
import { TemporaryFile } from "../../node/temporary-file.ts";
import { type Bytes, type Overlay, readJournal } from "../side-files.ts";
import type { OpenDatabase } from "./database.ts";
import { type Pages, readBeside } from "./moment.ts";
import { FREELIST_HEAD, freeLeaves, PageSet } from "./page-set.ts";

/** Byte offset of the change counter in page 1 (https://www.sqlite.org/fileformat2.html, section 1.3.7). */
const CHANGE_COUNTER = 24;
/** Pages that are copied at a time, in bytes. */
const MOST_AT_ONCE = 1 << 20;
/** Pages that a journal is asked for at once. */
const STRETCH = 1 << 16;
/** A journal that exists for longer than this is of the modes TRUNCATE or PERSIST. */
const GONE_MS = 50;
/** More journals than this mean that transactions come faster than they can be followed. */
const MOST_JOURNALS = 64;

/** A journal that stays open: it can still be read after a commit deleted it. */
interface OpenJournal extends Bytes {
  readonly fd: number;
  readonly ino: bigint;
}

/** A transaction, by its journal. */
interface Transaction {
  /** Size of the database before the transaction. */
  pageCount: number;
  /** The freelist's first page before the transaction; 0 if there was none. */
  head: number;
  /** Whether the transaction changed that page: it may have freed pages. */
  changesHead: boolean;
}

/**
 * The pages that transactions have replaced since a moment, as they were at that moment. Until SQLite commits, it keeps
 * them in the journal, so that it can undo the transaction; from there they are copied to a temporary file.
 */
export class Originals implements Overlay {
  readonly #path: string;
  readonly #pages: Pages;
  readonly #journals: OpenJournal[] = [];
  /** Pages in the copy, where each lies as it would in the database. */
  readonly #copied: PageSet;
  /** Pages that were free at the moment. */
  #free: PageSet | undefined;
  #copy: TemporaryFile | undefined;

  /**
   * Whether the journals of a database can be followed. They can in journal mode DELETE, in which a journal is soon gone. Call
   * it while the database is not locked.
   */
  static async canBeKept({ path, isUsedHere }: OpenDatabase, signal?: AbortSignal): Promise<boolean> {
    // While a writer in this process runs, this code does not: journals come and go unseen.
    if (isUsedHere) return false;
    // Windows deletes a file only when its last handle is closed: SQLite could not make the next journal before.
    if (process.platform === "win32") return false;
    const began = performance.now();
    while (performance.now() - began < GONE_MS) {
      if (!existsSync(`${path}-journal`)) return true;
      await turn();
      signal?.throwIfAborted();
    }
    return false;
  }

  /** Originals for `pages`, whose side they become when there are any. */
  constructor(pages: Pages) {
    this.#path = `${pages.path}-journal`;
    this.#pages = pages;
    this.#copied = new PageSet(pages.pageCount);
  }

  /** Whether a transaction that has changed pages is under way: sooner or later it waits for readers. */
  get areComing(): boolean {
    return statSync(this.#path, { throwIfNoEntry: false })?.isFile() ?? false;
  }

  /**
   * Keeps the journal that lies there, and says whether there is one. Call it again and again, as fast as possible, while
   * the database is not locked.
   */
  look(): boolean {
    const stat = statSync(this.#path, { bigint: true, throwIfNoEntry: false });
    if (!stat?.isFile()) return false;
    if (this.#journals.at(-1)?.ino === stat.ino || this.#journals.length > MOST_JOURNALS) return true;
    try {
      const fd = openSync(this.#path, "r");
      const read = (into: Uint8Array, position: number) => readFully(fd, into, position);
      this.#journals.push({ fd, ino: fstatSync(fd, { bigint: true }).ino, read });
    } catch {
      // It is gone, or may not be read: the commit counts as missed.
    }
    return true;
  }

  /** Prepares; call it while the database is still locked, before the first transaction is let through. */
  async prepare(): Promise<void> {
    const { main, pageSize, mainPages } = this.#pages;
    this.#free ??= await freeLeaves(main, pageSize, mainPages);
  }

  /**
   * Takes the originals from the journals of all transactions between two values of the database's change counter.
   * Says whether none of them was missed. Call it while the database is locked again.
   *
   * @throws SourceError
   */
  async take(database: OpenDatabase, from: number, to: number): Promise<boolean> {
    const committed: Transaction[] = [];
    let isLast = true;
    // Only the last journal can be of a transaction that is still under way.
    for (let journal = this.#journals[0]; journal && isDeleted(journal); journal = this.#journals[0]) {
      const transaction = await this.#takeFrom(journal, (from + committed.length) >>> 0);
      if (transaction) committed.push(transaction);
      // It was rolled back.
      else isLast = committed.length === 0;
      closeSync(journal.fd);
      this.#journals.shift();
    }
    if ((from + committed.length) >>> 0 !== to) return false;
    const least = Math.min(database.wholePages, ...committed.map(({ pageCount }) => pageCount));
    if (!this.#hasPagesFrom(least + 1)) return false;
    const heads = [
      ...committed.slice(1).map(({ head }) => head),
      await number(this.#pages.main, FREELIST_HEAD),
    ];
    const freeing = committed.findIndex(({ head, changesHead }, i) => changesHead || head !== heads[i]);
    if (freeing === -1) return true;
    // The pages that a transaction has freed the next one may use again, and does not keep them.
    return freeing === committed.length - 1 && isLast && (await this.#keepFreed(database.wholePages));
  }

  /** The transaction of a journal, if it was committed when the change counter was `counter`. */
  async #takeFrom(file: Bytes, counter: number): Promise<Transaction | undefined> {
    const { pageSize } = this.#pages;
    const journal = await readJournal(file, pageSize).catch(() => undefined);
    if (!journal) return undefined;
    const overlay = journal.takeOverlay();
    try {
      if (!journal.isCommitting || journal.pageSize !== pageSize) return undefined;
      const [, page1] = overlay.range(1, 1);
      if (page1 === undefined || (await number(file, page1 + CHANGE_COUNTER)) !== counter) return undefined;
      await this.#copyFrom(file, (first, count) => overlay.range(first, count));
      const head = await number(file, page1 + FREELIST_HEAD);
      return {
        pageCount: journal.pageCount,
        head,
        changesHead: head !== 0 && overlay.range(head, 1).length > 0,
      };
    } finally {
      overlay.free();
      journal.free();
    }
  }

  /** Whether all pages are there: `VACUUM` and `auto_vacuum` cut off pages that no journal has. */
  #hasPagesFrom(first: number): boolean {
    for (let page = first; page <= this.#pages.pageCount; page++) if (this.#isWanted(page)) return false;
    return true;
  }

  /** Copies the pages that are free now and were not at the moment, in a database of so many pages. */
  async #keepFreed(pageCount: number): Promise<boolean> {
    const { main, pageSize } = this.#pages;
    const free = await freeLeaves(main, pageSize, pageCount);
    if (!free || !this.#free) return false;
    await this.#copyFrom(main, (first, count) => free.range(first, count, pageSize));
    return true;
  }

  /** `range` gives page number, byte offset, page number, … of the pages that `file` has of a stretch. */
  async #copyFrom(file: Bytes, range: (first: number, count: number) => Float64Array): Promise<void> {
    const { pageSize, pageCount } = this.#pages;
    for (let first = 1; first <= pageCount; first += STRETCH) {
      const found = range(first, Math.min(STRETCH, pageCount - first + 1));
      // The first original is that of the moment; later ones are of states in between.
      const wanted = found.filter((_, i) => this.#isWanted(found[i & ~1] ?? 0));
      for (const run of runsOf(wanted, MOST_AT_ONCE / pageSize)) await this.#copyRun(file, run);
    }
    // A transaction that shortens the file keeps no page that was free.
    this.#pages.zeroFilled = true;
  }

  async #copyRun(file: Bytes, run: Float64Array): Promise<void> {
    const { pageSize } = this.#pages;
    const [first = 0, last = 0] = [run.at(0), run.at(-2)];
    const into = new Uint8Array((last - first + 1) * pageSize);
    await readBeside(file, this.#pages, first, run, into);
    this.#copy ??= await TemporaryFile.create();
    for (let i = 0; i < run.length; i += 2) {
      const page = run[i] ?? 0;
      const at = (page - first) * pageSize;
      await this.#copy.write(into.subarray(at, at + pageSize), (page - 1) * pageSize);
      this.#copied.add(page);
    }
    this.#pages.side ??= { file: this.#copy, overlay: this };
  }

  #isWanted(page: number): boolean {
    return !this.#copied.has(page) && !this.#free?.has(page);
  }

  get size(): number {
    return this.#copied.size;
  }

  range(first: number, count: number): Float64Array {
    return this.#copied.range(first, count, this.#pages.pageSize);
  }

  /** Does nothing: other pages may still come. {@link close} frees them. */
  free(): void {}

  async close(): Promise<void> {
    for (const { fd } of this.#journals.splice(0)) closeSync(fd);
    await this.#copy?.close();
    this.#copy = undefined;
  }
}

/** Cuts page number, byte offset, page number, … into stretches of at most so many pages. */
function* runsOf(pages: Float64Array, most: number): Iterable<Float64Array> {
  for (let start = 0, end = 0; start < pages.length; start = end) {
    while ((pages[end] ?? Infinity) < (pages[start] ?? 0) + most) end += 2;
    yield pages.subarray(start, end);
  }
}

function isDeleted({ fd }: OpenJournal): boolean {
  return fstatSync(fd).nlink === 0;
}

async function number(file: Bytes, position: number): Promise<number> {
  const bytes = new Uint8Array(4);
  await file.read(bytes, position);
  return new DataView(bytes.buffer).getUint32(0);
}
