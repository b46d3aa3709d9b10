// A database that was made of rows, as a moment.
import { turn } from "../../streams/progress.ts";
import { checkRead, type Moment } from "../source.ts";
import { RowChanges } from "./changes.ts";
import type { RowScratch } from "./scratch.ts";

/** As D1 and Durable Objects have, in bytes. */
export const PAGE_SIZE = 4096;

/** After so many bytes others have their turn: what is done with them is some milliseconds' work in the same thread. */
const A_TURN = 256 << 10;

/**
 * The moment that lies in `pages`.
 *
 * @param below what they are laid on, which is released with them
 */
export function momentOf(
  name: string,
  pages: RowScratch | RowChanges,
  taken: Moment["taken"],
  {
    below,
    mark,
    bookmark,
  }: { below?: Moment | undefined; mark?: string | undefined; bookmark?: string } = {},
): Moment {
  let isReleased = false;
  let unseen = 0;
  return {
    pageSize: PAGE_SIZE,
    pageCount: pages.pageCount,
    taken,
    ...(mark !== undefined && { mark }),
    ...(bookmark !== undefined && { bookmark }),
    ...(pages instanceof RowChanges && pages.changed && { changed: pages.changed }),
    async read(first, into, signal) {
      signal?.throwIfAborted();
      const { pageCount } = pages;
      checkRead({ name, pageSize: PAGE_SIZE, pageCount, isReleased }, first, into);
      await pages.read(first, into, signal);
      unseen += into.length;
      if (unseen < A_TURN) return;
      unseen = 0;
      await turn();
    },
    async release() {
      if (isReleased) return;
      isReleased = true;
      await pages.drop();
      await below?.release();
    },
  };
}
