import type { Scratch } from "../core/index.ts";
import type { DurableObjectTables } from "./durable-object-tables.ts";

/**
 * Keeps what is not committed in the tables of a Durable Object's store. Staged pages are versions whose TXID is the next
 * one, so that a commit copies nothing; blocks of temporary files are rows of their own.
 *
 * The Database that opened the storage last, or that stages, drops what others staged; they notice when they go on.
 */
export class DurableObjectScratch implements Scratch {
  readonly #tables: DurableObjectTables;
  readonly #write: <T>(action: () => T) => T;
  #owner = 0;
  #isStaging = false;

  constructor(tables: DurableObjectTables, write: <T>(action: () => T) => T) {
    this.#tables = tables;
    this.#write = write;
  }

  /** Drops what others had here: they have ended. */
  open(): void {
    // Fewer bits than a double has: SQLite takes it for an integer.
    this.#owner = crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
    this.#isStaging = false;
    const tables = this.#tables;
    if (!tables.exist() || !tables.hasScratch()) return;
    this.#write(() => {
      tables.dropScratch();
      this.#dropStaged();
    });
  }

  stage(txid: number, pgnos: Uint32Array, pages: Uint8Array[]): void {
    this.#write(() => {
      const tables = this.#tables;
      if (!tables.exist()) tables.create();
      const newest = tables.newest()?.[0] ?? 0;
      if (newest !== txid - 1)
        throw new Error(`the storage is at TXID ${newest}, where ${txid} cannot follow`);
      if (!this.#isOwn()) {
        this.#dropStaged();
        tables.setStagedBy(this.#owner);
      }
      tables.addPages(txid, pgnos, pages, "replacing");
    });
    this.#isStaging = true;
  }

  unstage(): void {
    this.#write(() => {
      // Pages that others have staged stay.
      if (this.#tables.exist() && this.#tables.stagedBy() === this.#owner) this.#dropStaged();
    });
    this.#isStaging = false;
  }

  /** Prepares a commit, within its transaction: drops pages that others staged. Returns whether this one has staged pages. */
  claim(): boolean {
    const isOwn = this.#isOwn();
    if (!isOwn) this.#dropStaged();
    return isOwn;
  }

  /** Forgets staged pages: they are committed. */
  committed(): void {
    this.#isStaging = false;
  }

  writeBlock(file: number, block: number, bytes: Uint8Array): void {
    this.#write(() => {
      if (!this.#tables.exist()) this.#tables.create();
      this.#tables.setBlock(this.#owner, file, block, bytes);
    });
  }

  readBlock(file: number, block: number): Uint8Array {
    const bytes = this.#tables.block(this.#owner, file, block);
    if (!bytes) throw new Error(`the storage has no block ${block} of temporary file ${file} any longer`);
    return bytes;
  }

  dropFile(file: number): void {
    this.#write(() => this.#tables.dropFile(this.#owner, file));
  }

  #isOwn(): boolean {
    if (!this.#isStaging) return false;
    if (this.#tables.stagedBy() === this.#owner) return true;
    throw new Error("the storage was opened or written to by another Database; open the database anew");
  }

  #dropStaged(): void {
    if (this.#tables.stagedBy() === undefined) return;
    this.#tables.dropVersionsAfter(this.#tables.newest()?.[0] ?? 0);
    this.#tables.endStaging();
  }
}
