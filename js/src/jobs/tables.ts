import { type Core, core } from "../core/index.ts";

/** Reads one page. */
export type ReadPage = (pgno: number) => Promise<Uint8Array>;

type Inventory = InstanceType<Core["TableInventory"]>;

export interface Table {
  name: string;
  /** Rows; missing where they were not counted, or where the table has none of its own (a virtual one). */
  rows?: number;
}

/** The user tables of a database, from its pages. */
export async function readTables(
  readPage: ReadPage,
  pageCount: number,
  countRows: boolean,
): Promise<Table[]> {
  return withInventory(readPage, pageCount, countRows, (inventory) => {
    const rows = inventory.rows();
    return inventory.names().map((name, index) => {
      const count = rows[index] ?? -1;
      return countRows && count >= 0 ? { name, rows: count } : { name };
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
