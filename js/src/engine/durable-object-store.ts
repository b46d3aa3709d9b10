// https://developers.cloudflare.com/durable-objects/api/sqlite-storage-api/
import { free, type PageStore } from "../core/index.ts";
import { PagemarkError } from "../errors/index.ts";
import { DurableObjectScratch } from "./durable-object-scratch.ts";
import {
  type CommitRow,
  type DurableObjectStorageLike,
  DurableObjectTables,
  type Meta,
} from "./durable-object-tables.ts";
import { isNeeded, type Kept, type Replaced, unwantedRecords } from "./page-versions.ts";

type Opened = NonNullable<ReturnType<PageStore["open"]>>;
type StoredCommit = Opened["commits"][number];
type Keep = Parameters<PageStore["retain"]>[0];

export interface DurableObjectStore extends PageStore {
  /**
   * Drops some of what is not needed any more; whether there may be more of it. Commits do that as well: it is for
   * who wants the room back sooner, one call an alarm, say.
   */
  sweep(): boolean;
}

/** How many replaced versions a release looks at; and a commit, beside twice those that it replaces itself. */
const SLICE = 4096;
const SLICE_OF_COMMIT = 256;
/** Behind every page of a commit. */
const LAST = 2 ** 32;

/**
 * Keeps a database in a Durable Object's SQLite storage, in tables whose names begin with `pagemark_`: for
 * `Database.open({ store: durableObjectStore(ctx.storage) })`.
 *
 * Opening reads the records of the commits that are kept, and no pages. A commit is durable when the object's output
 * gate says so: before any answer leaves the object. One Database at a time, and no statements of it inside a
 * `transactionSync` of your own that may be rolled back: the next commit would be refused.
 *
 * @example
 * ```ts
 * import { DurableObject } from "cloudflare:workers";
 * import { Database, durableObjectStore } from "pagemark/engine";
 * export class Shop extends DurableObject {
 *   #db = Database.open({ name: "shop", store: durableObjectStore(this.ctx.storage) });
 *   async count() {
 *     return (await this.#db).prepare("SELECT count(*) AS n FROM orders").get()?.n;
 *   }
 * }
 * ```
 */
export function durableObjectStore(storage: DurableObjectStorageLike): DurableObjectStore {
  return new SqlStore(storage);
}

class SqlStore implements DurableObjectStore {
  readonly #storage: DurableObjectStorageLike;
  readonly #tables: DurableObjectTables;
  /** What was read last. */
  #read: Uint8Array = new Uint8Array();
  readonly scratch: DurableObjectScratch;

  constructor(storage: DurableObjectStorageLike) {
    this.#storage = storage;
    this.#tables = new DurableObjectTables(storage.sql);
    this.scratch = new DurableObjectScratch(this.#tables, (action) => this.#write(action));
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
    this.#write(() => {
      const tables = this.#tables;
      const { txid, timeMs, pageSize, pageCount, checksum } = commit;
      if (!tables.exist()) tables.create();
      const [newest, before] = tables.newest() ?? [0, 0];
      const meta = tables.meta() ?? { lineage, from: 1, pins: [], sweptAt: 0, sweptPgno: 0 };
      // Another Database wrote, or the storage was rolled back behind this one's back: its pages would be mixed up.
      if (newest !== txid - 1 || meta.lineage !== lineage) {
        throw new Error(
          `the storage is at TXID ${newest}, where ${txid} cannot follow; open the database anew`,
        );
      }
      const kept = keptOf(keep);
      // Of a large transaction most pages are there already, and none of them is to come here again.
      const ended = this.scratch.claim()
        ? this.#endStaged(commit, pgnos, pages, before, kept)
        : this.#end(commit, pgnos, pages, before, kept);
      tables.addCommit([txid, timeMs, pageSize, pageCount, checksum]);
      this.#keep(meta, kept, txid, SLICE_OF_COMMIT + 2 * ended);
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
    this.#sweep(keptOf(keep));
  }

  sweep(): boolean {
    return this.#sweep();
  }

  changed(after: number, upto: number): number[] {
    return this.#tables.exist() ? this.#tables.changed(after, upto) : [];
  }

  /** The versions that a commit ends. */
  #replacedBy({ txid, pageCount }: StoredCommit, pgnos: Uint32Array, before: number): Replaced[] {
    // What lies beyond the database as it was has been ended by the commit that shrank it.
    const ended = [...pgnos].filter((pgno) => pgno <= before);
    for (let pgno = pageCount + 1; pgno <= before; pgno++) ended.push(pgno);
    return this.#tables.newestVersions(ended).map(([pgno, from]) => ({ replacedAt: txid, pgno, txid: from }));
  }

  #sweep(kept?: Kept): boolean {
    if (!this.#tables.exist()) return false;
    const meta = this.#tables.meta();
    // Nothing has become less, and nothing is left to look at: that is what most calls are.
    if (!meta || (isSwept(meta) && (!kept || isEqual(meta, kept)))) return false;
    return this.#write(() => this.#keep(meta, kept ?? meta, this.#tables.newest()?.[0] ?? 0, SLICE));
  }

  /**
   * Takes note of what to keep, and drops some of what that does not need; whether there may be more.
   *
   * Only versions that were replaced can go, and `pagemark_replaced` has those that somebody needed then, in the order
   * of the commits that replaced them. Each is looked at when `from` has passed it; those that stay are held by a pin,
   * and are looked at again once a pin is gone that may have held them.
   */
  #keep(meta: Meta, kept: Kept, newest: number, limit: number): boolean {
    const tables = this.#tables;
    const { lineage } = meta;
    let { sweptAt, sweptPgno } = meta;
    const isStill = new Set(kept.pins);
    const released = meta.pins.find((pin) => !isStill.has(pin) && pin < kept.from);
    // A pin does not hold what was replaced before it, nor by its own commit.
    if (released !== undefined && released < sweptAt) [sweptAt, sweptPgno] = [released, LAST];

    const passed = tables.replaced({ ...meta, sweptAt, sweptPgno }, kept.from, limit);
    const unneeded = passed.filter((version) => !isNeeded(version, kept));
    tables.dropVersions(unneeded);
    tables.dropReplaced(unneeded);
    const last = passed.length < limit ? undefined : passed.at(-1);
    [sweptAt, sweptPgno] = last ? [last.replacedAt, last.pgno] : [kept.from, LAST];

    // There is one more for each state kept before `from`, so that this many always has some to drop.
    const oldest = tables.oldestCommits(Math.min(kept.from, newest), limit + 2 * kept.pins.length);
    tables.dropCommits(unwantedRecords(oldest, kept));
    tables.setMeta({ lineage, from: kept.from, pins: [...kept.pins], sweptAt, sweptPgno });
    return last !== undefined;
  }

  #write<T>(action: () => T): T {
    try {
      return this.#storage.transactionSync(action);
    } catch (error) {
      // All that the storage tells of an error is its text.
      if (!(error instanceof Error && /\bSQLITE_FULL\b/.test(error.message))) throw error;
      const message = "the Durable Object's storage is full; delete rows and history, or use another object";
      throw new PagemarkError("STORE_FULL", message, {}, { cause: error });
    }
  }
}

function keptOf({ from, pins }: Keep): Kept {
  return { from, pins: [...pins] };
}

function isEqual(meta: Meta, { from, pins }: Kept): boolean {
  return (
    meta.from === from && meta.pins.length === pins.length && meta.pins.every((pin, at) => pin === pins[at])
  );
}

function isSwept({ from, sweptAt, sweptPgno }: Meta): boolean {
  return sweptAt === from && sweptPgno === LAST;
}

function commitOf([txid, timeMs, pageSize, pageCount, checksum]: CommitRow): StoredCommit {
  return { txid, timeMs, pageSize, pageCount, checksum };
}
