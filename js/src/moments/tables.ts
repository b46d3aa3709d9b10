import { type Core, core } from "../core/index.ts";
import type { Moment } from "../sources/source.ts";

/** Reads one page. */
export type ReadPage = (pgno: number) => Promise<Uint8Array>;

type Inventory = InstanceType<Core["TableInventory"]>;

export interface Table {
  name: string;
  /** Rows; missing where they were not or could not be counted, or where the table has none of its own (a virtual one). */
  rows?: number;
  /** The damaged page that kept its rows from being counted. */
  damagedPage?: number;
}

/** The user tables of a database, from its pages. @throws what reading them throws, and when the schema is damaged */
export async function readTables(
  readPage: ReadPage,
  pageCount: number,
  countRows: boolean,
): Promise<Table[]> {
  return withInventory(readPage, pageCount, countRows, (inventory) => {
    const rows = inventory.rows();
    const pages = inventory.damagedPages();
    return inventory.names().map((name, index) => {
      const count = rows[index] ?? -1;
      const damagedPage = pages[index] ?? 0;
      return {
        name,
        ...(countRows && count >= 0 && { rows: count }),
        ...(damagedPage > 0 && { damagedPage }),
      };
    });
  });
}

/** What a database's first page and its schema say. */
export interface Schema {
  /** Names of the user tables. */
  names: string[];
  /** The change counter. */
  changes: number;
  /** Rises with every change of the schema. */
  cookie: number;
  /** Pages that hold nothing. */
  free: number;
  /** The first page. */
  first: Uint8Array;
  /** Numbers of the pages that hold the schema, the first included. */
  pages: Set<number>;
}

export async function readSchema(readPage: ReadPage, pageCount: number): Promise<Schema> {
  const { DatabaseHeader } = await core();
  const first = await readPage(1);
  const pages = new Set([1]);
  const noting: ReadPage = async (pgno) => {
    pages.add(pgno);
    return pgno === 1 ? first : readPage(pgno);
  };
  const names = await withInventory(noting, pageCount, false, (inventory) => inventory.names());
  const header = DatabaseHeader.parse(first);
  const { changeCounter: changes, schemaCookie: cookie, freePages: free } = header;
  header.free();
  return { names, changes, cookie, free, first, pages };
}

/** Reads single pages of a moment. */
export function readerOf(moment: Moment, signal: AbortSignal | undefined): ReadPage {
  return async (pgno) => {
    const page = new Uint8Array(moment.pageSize);
    await moment.read(pgno, page, signal);
    return page;
  };
}

async function withInventory<T>(
  readPage: ReadPage,
  pageCount: number,
  countRows: boolean,
  use: (inventory: Inventory) => T,
): Promise<T> {
  const { DatabaseHeader, TableInventory } = await core();
  const first = await readPage(1);
  const header = DatabaseHeader.parse(first);
  const inventory = new TableInventory(header, pageCount, countRows);
  header.free();
  try {
    for (let pgno = inventory.poll(); pgno !== undefined; pgno = inventory.poll()) {
      inventory.feed(pgno === 1 ? first : await readPage(pgno));
    }
    return use(inventory);
  } finally {
    inventory.free();
  }
}
