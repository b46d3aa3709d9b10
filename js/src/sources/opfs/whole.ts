// Whether what is to take a database's place is a whole one, as far as its b-trees tell.
import { core, freeing, naming } from "../../core/index.ts";
import { DamageError } from "../../errors/index.ts";
import type { ReadAt } from "../../opfs/file-bytes.ts";

/** Read at a time, in bytes: a table's pages mostly follow one another. */
const WINDOW = 256 << 10;

/**
 * Goes through the pages of all tables and indexes of the database that `read` gives, of `size` bytes.
 *
 * @throws DamageError where there is one that SQLite does not write
 */
export async function refuseDamaged(
  read: ReadAt,
  size: number,
  path: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { DatabaseHeader, TableInventory } = await core();
  const start = new Uint8Array(512);
  await read(0, start);
  await naming(`the new ${path}`, async () => {
    const header = DatabaseHeader.parse(start);
    const [pageSize, pageCount] = [header.pageSize, header.pagesIn(size)];
    const pageAt = windowed(read, pageSize);
    const inventory = freeing(header, (header) => TableInventory.ofAll(header, pageCount));
    await freeing(inventory, async () => {
      for (let pgno = inventory.poll(); pgno !== undefined; pgno = inventory.poll()) {
        signal?.throwIfAborted();
        inventory.feed(await pageAt(pgno));
      }
      for (const { name, damagedPage: page } of inventory.tables()) {
        if (page === undefined) continue;
        const message = `${path}: ${JSON.stringify(name)} has a damaged page in the new database (page ${page}); the old one was left alone`;
        throw new DamageError("BTREE_PAGE", message, { name: path, page });
      }
    });
  });
}

/** Single pages, which are read with those behind them. */
function windowed(read: ReadAt, pageSize: number): (pgno: number) => Promise<Uint8Array> {
  const window = new Uint8Array(Math.max(WINDOW, pageSize));
  let [first, count] = [0, 0];
  return async (pgno) => {
    if (pgno < first || pgno >= first + count) {
      first = pgno;
      count = Math.floor((await read((pgno - 1) * pageSize, window)) / pageSize);
    }
    return window.subarray((pgno - first) * pageSize, (pgno - first + 1) * pageSize);
  };
}
