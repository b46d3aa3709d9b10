import { type Core, core } from "../core/index.ts";

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

/** How many user tables a database has. */
export function countTables(readPage: ReadPage, pageCount: number): Promise<number> {
  return withInventory(readPage, pageCount, false, ({ count }) => count);
}

async function withInventory<T>(
  readPage: ReadPage,
  pageCount: number,
  countRows: boolean,
  use: (inventory: Inventory) => T,
): Promise<T> {
  const { DatabaseHeader, TableInventory } = await core();
  const first = await readPage(1);
  const inventory = new TableInventory(DatabaseHeader.parse(first), pageCount, countRows);
  try {
    for (let pgno = inventory.poll(); pgno !== undefined; pgno = inventory.poll()) {
      inventory.feed(pgno === 1 ? first : await readPage(pgno));
    }
    return use(inventory);
  } finally {
    inventory.free();
  }
}
