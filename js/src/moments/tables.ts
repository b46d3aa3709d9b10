import { type Core, core, freeing } from "../core/index.ts";
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
  return withInventory(readPage, pageCount, countRows, (inventory) => JSON.parse(inventory.tables()));
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
  return freeing(DatabaseHeader.parse(first), ({ changeCounter, schemaCookie, freePages }) => {
    return { names, changes: changeCounter, cookie: schemaCookie, free: freePages, first, pages };
  });
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
  const inventory = freeing(
    DatabaseHeader.parse(first),
    (header) => new TableInventory(header, pageCount, countRows),
  );
  return freeing(inventory, async () => {
    for (let pgno = inventory.poll(); pgno !== undefined; pgno = inventory.poll()) {
      inventory.feed(pgno === 1 ? first : await readPage(pgno));
    }
    return use(inventory);
  });
}
