import { type Core, core, freeing } from "../core/index.ts";
import { checkCall } from "../errors/index.ts";
import type { ReadPage } from "./page-runs.ts";

type Inventory = InstanceType<Core["TableInventory"]>;

/** A table of a database, with its size. */
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
  checkCall(readPage, "readPage");
  return withInventory(readPage, pageCount, countRows, (inventory) => inventory.tables());
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
