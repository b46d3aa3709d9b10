import { type Moment, readTables, type Table } from "../../entry/workerd.ts";
import { pause } from "../jobs/pace.ts";
import type { DatabaseBackups } from "./backups.ts";
import type { Home } from "./home.ts";

/** What a restore would do to a table. */
export interface TableChange {
  name: string;
  /** `vanish`: only the database has it; `come`: only the backup has it. */
  change: "vanish" | "come" | "stay";
  /** `null` where it has none of its own (a virtual table), or they were not counted. */
  rowsNow: number | null;
  rowsThen: number | null;
}

/** What a restore of a backup would change. */
export interface Preview {
  backup: { id: string; bookmark: string; createdAt: string };
  /** Whether rows were counted: not where that means reading too much. */
  counted: boolean;
  /** Those that vanish first, then those that come. */
  tables: TableChange[];
}

/** Rows are counted in databases up to this size, in bytes. */
const MOST_BYTES = 128 << 20;
/** What is read at once, in bytes, and how many of these are kept. */
const BLOCK = 256 << 10;
const BLOCKS = 8;

/** Compares a backup with the database as it is now. Nothing is restored for it. */
export async function previewRestore(home: Home, backups: DatabaseBackups, at: string): Promise<Preview> {
  const stored = await backups.stored();
  const backup = await stored.find(at);
  const { id, bookmark, createdAt } = backup;
  const database = await home.database();
  const now = await database.pin();
  try {
    const then = await stored.pages(id);
    try {
      const counted = sizeOf(now) <= MOST_BYTES && sizeOf(then) <= MOST_BYTES;
      const tablesNow = await tablesOf(now, counted);
      const tablesThen = await tablesOf(then, counted);
      return { backup: { id, bookmark, createdAt }, counted, tables: compare(tablesNow, tablesThen) };
    } finally {
      await then.release();
    }
  } finally {
    await now.release();
  }
}

function sizeOf({ pageSize, pageCount }: Moment): number {
  return pageSize * pageCount;
}

function tablesOf(moment: Moment, counted: boolean): Promise<Table[]> {
  const pages = new BlockReader(moment);
  return readTables((pgno) => pages.read(pgno), moment.pageCount, counted);
}

const ORDER = { vanish: 0, come: 1, stay: 2 };

function compare(now: readonly Table[], then: readonly Table[]): TableChange[] {
  const rowsNow = new Map(now.map(({ name, rows }) => [name, rows ?? null]));
  const rowsThen = new Map(then.map(({ name, rows }) => [name, rows ?? null]));
  const changes = [...new Set([...rowsNow.keys(), ...rowsThen.keys()])].map((name): TableChange => {
    const change = !rowsThen.has(name) ? "vanish" : !rowsNow.has(name) ? "come" : "stay";
    return { name, change, rowsNow: rowsNow.get(name) ?? null, rowsThen: rowsThen.get(name) ?? null };
  });
  return changes.sort((a, b) => ORDER[a.change] - ORDER[b.change]);
}

/** Reads pages with those around them: one at a time, each would be a request to the store. */
class BlockReader {
  readonly #moment: Moment;
  readonly #perBlock: number;
  /** By the block's number, the one last used at the end. */
  readonly #blocks = new Map<number, Uint8Array>();

  constructor(moment: Moment) {
    this.#moment = moment;
    this.#perBlock = Math.max(1, Math.floor(BLOCK / moment.pageSize));
  }

  async read(pgno: number): Promise<Uint8Array> {
    const { pageSize } = this.#moment;
    const number = Math.floor((pgno - 1) / this.#perBlock);
    const block = this.#blocks.get(number) ?? (await this.#load(number));
    this.#blocks.delete(number);
    this.#blocks.set(number, block);
    const at = (pgno - 1 - number * this.#perBlock) * pageSize;
    return block.subarray(at, at + pageSize);
  }

  async #load(number: number): Promise<Uint8Array> {
    const { pageSize, pageCount } = this.#moment;
    const first = number * this.#perBlock + 1;
    const count = Math.min(this.#perBlock, pageCount - first + 1);
    const block = new Uint8Array(Math.max(0, count) * pageSize);
    // Others have their turn: an object does one thing at a time.
    await pause();
    await this.#moment.read(first, block);
    const [oldest] = this.#blocks.keys();
    if (oldest !== undefined && this.#blocks.size >= BLOCKS) this.#blocks.delete(oldest);
    return block;
  }
}
