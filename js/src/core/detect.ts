import { freeing } from "./free.ts";
import { dumpCore } from "./modules.ts";

/** What a file of pages is, whatever its header says; see the core's `salvage::Detected`. */
export interface Detected {
  /** In bytes. */
  pageSize: number;
  /** A header that says so. */
  header: Uint8Array;
  /** Whether the file's own header says something else. */
  isRepaired: boolean;
  /** How many pages are missing before the first of the file. */
  missing: number;
}

/**
 * Finds out from the pages of a file of `size` bytes what its header should say. `read` fills what it is given with the
 * bytes from an offset on.
 *
 * @throws DamageError when nothing in it looks like a page
 */
export async function detect(
  size: number,
  pageSize: number | undefined,
  read: (into: Uint8Array, offset: number) => Promise<unknown>,
): Promise<Detected> {
  const { Detect } = await dumpCore();
  return freeing(new Detect(size, pageSize), async (detecting) => {
    for (;;) {
      const [offset, length] = detecting.poll();
      if (offset === undefined || length === undefined) break;
      const bytes = new Uint8Array(length);
      await read(bytes, offset);
      detecting.feed(bytes);
    }
    return freeing(detecting.finish(), ({ pageSize, header, isRepaired, missing }) => ({
      pageSize,
      header,
      isRepaired,
      missing,
    }));
  });
}
