// https://developers.cloudflare.com/durable-objects/api/sqlite-storage-api/
import { free, type PageStore } from "../core/index.ts";
import { checkHas, checkOptions, PagemarkError } from "../errors/index.ts";
import { DurableObjectScratch } from "./durable-object-scratch.ts";
import { isSwept, letGo } from "./durable-object-sweep.ts";
import {
  type CommitRow,
  type DurableObjectStorageLike,
  DurableObjectTables,
  type Meta,
} from "./durable-object-tables.ts";
import { isEqual, isNeeded, type Kept, type Replaced } from "./page-versions.ts";

type Opened = NonNullable<ReturnType<PageStore["open"]>>;
type StoredCommit = Opened["commits"][number];
type Keep = Parameters<PageStore["retain"]>[0];

export interface DurableObjectStore extends PageStore {
  /**
   * Deletes some of what is no longer needed. Returns whether there may be more. Commits do that as well: call it to get
   * room back sooner, once in each alarm, for example.
   */
  sweep(): boolean;
}

/** Replaced versions that a release looks at; a commit looks at these and at twice the number that it replaces. */
const SLICE = 4096;
const SLICE_OF_COMMIT = 256;
/** Size of an object's storage, in bytes. */
const MOST_BYTES = 10e9;

export interface DurableObjectStoreOptions {
  /**
   * Bytes, roughly, that history may take beside the newest state. Beyond, every commit is kept for less than an hour, then
   * the oldest states go. History never takes more than half of what the newest state leaves of the object's 10 GB;
   * everything in the object that is not this database counts as history.
   */
  historyBytes?: number | undefined;
}

/**
 * Keeps a database in a Durable Object's SQLite storage, in tables whose names begin with `pagemark_`. Use it as
 * `LiveDatabase.open({ store: durableObjectStore(ctx.storage) })`.
 *
 * Opening reads the records of the commits that are kept, and no pages. A commit is durable when the object's output
 * gate says so: before any answer leaves the object. Open one Database at a time, and run none of its statements inside a
 * `transactionSync` of your own that may be rolled back: the next commit would be refused.
 *
 * @example
 * ```ts
 * import { DurableObject } from "cloudflare:workers";
 * import { LiveDatabase, durableObjectStore } from "pagemark/engine";
 * export class Shop extends DurableObject {
 *   #db = LiveDatabase.open({ name: "shop", store: durableObjectStore(this.ctx.storage) });
 *   async count() {
 *     return (await this.#db).prepare("SELECT count(*) AS n FROM orders").get()?.n;
 *   }
 * }
 * ```
 */
export function durableObjectStore(
  storage: DurableObjectStorageLike,
  options: DurableObjectStoreOptions = {},
): DurableObjectStore {
  checkHas("exec", storage?.sql, "the storage's sql", "a Durable Object's");
  return new SqlStore(storage, checkOptions(options));
}

class SqlStore implements DurableObjectStore {
  readonly #storage: DurableObjectStorageLike;
  readonly #tables: DurableObjectTables;
  readonly #historyBytes: number;
  /** The page that was read last. */
  #read: Uint8Array = new Uint8Array();
  /** The storage's record of the last `keep` that it was told; `undefined` after a failure, when it may have another. */
  #told: { keep: Keep; meta: Meta } | undefined;
  readonly scratch: DurableObjectScratch;

  constructor(storage: DurableObjectStorageLike, { historyBytes = MOST_BYTES }: DurableObjectStoreOptions) {
    this.#storage = storage;
    this.#historyBytes = historyBytes;
    this.#tables = new DurableObjectTables(storage.sql);
    this.scratch = new DurableObjectScratch(this.#tables, (action) => this.#transaction(action));
  }

  open(): Opened | undefined {
    this.scratch.open();
    const meta = this.#tables.exist() ? this.#tables.meta() : undefined;
    if (!meta) return undefined;
    const { lineage, from, pins } = meta;
    return { lineage, commits: this.#tables.commits().map(commitOf), keep: { from, pins } };
  }

  read(pgno: number, txid: number): Uint8Array {
    // The engine has copied the one before by now.
    free(this.#read);
    const page = this.#tables.page(pgno, txid);
    if (!page) throw new Error(`the storage has no page ${pgno} of TXID ${txid}`);
    this.#read = page;
    return page;
  }

  commit(commit: StoredCommit, lineage: string, pgnos: Uint32Array, pages: Uint8Array[], keep: Keep): void {
    this.#write(keep, () => {
      const tables = this.#tables;
      const { txid, timeMs, pageSize, pageCount, checksum } = commit;
      if (!tables.exist()) tables.create();
      const [newest, before] = tables.newest() ?? [0, 0];
      const meta = this.#metaOf(keep) ??
        tables.meta() ?? { lineage, from: 1, pins: [], sweptAt: 0, sweptPgno: 0 };
      // Another Database wrote, or the storage was rolled back behind this one's back: its pages would be mixed up.
      if (newest !== txid - 1 || meta.lineage !== lineage) {
        throw new Error(
          `the storage is at TXID ${newest}, where ${txid} cannot follow; open the database anew`,
        );
      }
      const kept = keptOf(keep);
      // Most pages of a large transaction are staged already, and do not come again.
      const ended = this.scratch.claim()
        ? this.#endStaged(commit, pgnos, pages, before, kept)
        : this.#end(commit, pgnos, pages, before, kept);
      tables.addCommit([txid, timeMs, pageSize, pageCount, checksum]);
      // Most commits find nothing to delete.
      if (this.#metaOf(keep) && isSwept(meta)) return meta;
      return letGo(tables, meta, kept, SLICE_OF_COMMIT + 2 * ended);
    });
    this.scratch.committed();
  }

  /** Adds a commit's pages to those that are staged, and ends the versions before them. */
  #endStaged(
    { txid, pageCount }: StoredCommit,
    pgnos: Uint32Array,
    pages: Uint8Array[],
    before: number,
    kept: Kept,
  ) {
    this.#tables.dropVersionsAfter(txid - 1, pageCount);
    this.#tables.addPages(txid, pgnos, pages, "replacing");
    this.#tables.endVersions(txid, pageCount, before, kept);
    this.#tables.endStaging();
    return SLICE;
  }

  /** Adds a commit's pages, and ends the versions before them; how many there were. */
  #end(commit: StoredCommit, pgnos: Uint32Array, pages: Uint8Array[], before: number, kept: Kept): number {
    const replaced = this.#replacedBy(commit, pgnos, before);
    this.#tables.addPages(commit.txid, pgnos, pages);
    this.#tables.addReplaced(replaced.filter((version) => isNeeded(version, kept)));
    this.#tables.dropVersions(replaced.filter((version) => !isNeeded(version, kept)));
    return replaced.length;
  }

  retain(keep: Keep): void {
    this.#sweep(keep);
  }

  sweep(): boolean {
    return this.#sweep();
  }

  isCrowded(): boolean {
    // What was let go and is still there will be deleted.
    if (!this.#told || !isSwept(this.#told.meta)) return false;
    const [, pageCount, pageSize] = this.#tables.newest() ?? [0, 0, 0];
    const newest = pageCount * storedSize(pageSize);
    const { databaseSize = 0 } = this.#storage.sql;
    return databaseSize - newest > Math.min(this.#historyBytes, (MOST_BYTES - newest) / 2);
  }

  changed(after: number, upto: number): number[] {
    return this.#tables.exist() ? this.#tables.changed(after, upto) : [];
  }

  /** Finds the versions that a commit ends. */
  #replacedBy({ txid, pageCount }: StoredCommit, pgnos: Uint32Array, before: number): Replaced[] {
    // Versions beyond the end of the database before were ended by the commit that shrank it.
    const ended = [...pgnos].filter((pgno) => pgno <= before);
    for (let pgno = pageCount + 1; pgno <= before; pgno++) ended.push(pgno);
    return this.#tables.newestVersions(ended).map(([pgno, from]) => ({ replacedAt: txid, pgno, txid: from }));
  }

  /** Takes note of what to keep, if that is given, and deletes a slice of the rest. Returns whether there may be more. */
  #sweep(keep = this.#told?.keep): boolean {
    if (!this.#tables.exist()) return false;
    const meta = this.#metaOf(keep) ?? this.#tables.meta();
    if (!meta) return false;
    const kept = keep ? keptOf(keep) : meta;
    // In most calls nothing was let go, and nothing is left to look at.
    if (isSwept(meta) && isEqual(meta, kept)) return false;
    return !isSwept(this.#write(keep, () => letGo(this.#tables, meta, kept, SLICE)));
  }

  /** What the storage holds, when it was told this very `keep` last. */
  #metaOf(keep: Keep | undefined): Meta | undefined {
    return keep && this.#told?.keep === keep ? this.#told.meta : undefined;
  }

  /** Changes the storage; `action` gives what it holds then, which is told by `keep`. */
  #write(keep: Keep | undefined, action: () => Meta): Meta {
    try {
      const meta = this.#transaction(action);
      this.#told = keep && { keep, meta };
      return meta;
    } catch (error) {
      this.#told = undefined;
      throw error;
    }
  }

  #transaction<T>(action: () => T): T {
    try {
      return this.#storage.transactionSync(action);
    } catch (error) {
      // The storage tells nothing of an error but its text.
      if (!(error instanceof Error && /\bSQLITE_FULL\b/.test(error.message))) throw error;
      const message = "the Durable Object's storage is full; delete rows and history, or use another object";
      throw new PagemarkError("STORE_FULL", message, {}, { cause: error });
    }
  }
}

/** Bytes that a page takes in the storage: those beyond the first 489 go to overflow pages, and there are indexes. */
function storedSize(pageSize: number): number {
  return 550 + Math.ceil(Math.max(pageSize - 489, 0) / 4092) * 4096;
}

function keptOf({ from, pins }: Keep): Kept {
  return { from, pins: [...pins] };
}

function commitOf([txid, timeMs, pageSize, pageCount, checksum]: CommitRow): StoredCommit {
  return { txid, timeMs, pageSize, pageCount, checksum };
}
