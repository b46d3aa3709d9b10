// Sets of pages; those of the freelist.
import type { Bytes } from "../side-files.ts";

/** Page numbers, a bit for each. */
export class PageSet {
  readonly #bits: Uint8Array;
  #size = 0;

  constructor(pageCount: number) {
    this.#bits = new Uint8Array((pageCount >> 3) + 1);
  }

  get size(): number {
    return this.#size;
  }

  add(page: number): void {
    if (this.has(page)) return;
    this.#bits[page >> 3] = (this.#bits[page >> 3] ?? 0) | (1 << (page & 7));
    this.#size++;
  }

  has(page: number): boolean {
    return ((this.#bits[page >> 3] ?? 0) & (1 << (page & 7))) !== 0;
  }

  /** Page number, byte offset in a database, page number, … of those among `count` pages from `first` on. */
  range(first: number, count: number, pageSize: number): Float64Array {
    const found: number[] = [];
    for (let page = first; page < first + count; page++) {
      if (this.#bits[page >> 3] === 0) page |= 7;
      else if (this.has(page)) found.push(page, (page - 1) * pageSize);
    }
    return Float64Array.from(found);
  }
}

/** Byte offset of the first trunk page's number in page 1 (https://www.sqlite.org/fileformat2.html, section 1.3.9). */
export const FREELIST_HEAD = 32;

/**
 * The leaf pages of the freelist (section 1.5) in a database of `pageCount` pages: what is in them means nothing, and a
 * transaction that uses one again does not keep it in the journal. Nothing if the list is damaged.
 */
export async function freeLeaves(
  main: Bytes,
  pageSize: number,
  pageCount: number,
): Promise<PageSet | undefined> {
  const leaves = new PageSet(pageCount);
  const header = new Uint8Array(8);
  await main.read(header, FREELIST_HEAD);
  let { first: trunk, second: left } = numbers(header);
  // One that comes again would lead in a circle.
  const trunks = new PageSet(pageCount);
  const page = new Uint8Array(pageSize);
  while (trunk !== 0) {
    if (trunk > pageCount || trunks.has(trunk)) return undefined;
    trunks.add(trunk);
    if ((await main.read(page, (trunk - 1) * pageSize)) < pageSize) return undefined;
    const { view, first: next, second: count } = numbers(page);
    // Each trunk page counts, too.
    left -= count + 1;
    if (left < 0 || count > pageSize / 4 - 2) return undefined;
    for (let i = 0; i < count; i++) {
      const leaf = view.getUint32(8 + 4 * i);
      if (leaf > pageCount) return undefined;
      leaves.add(leaf);
    }
    trunk = next;
  }
  return left === 0 ? leaves : undefined;
}

function numbers(bytes: Uint8Array): { view: DataView; first: number; second: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return { view, first: view.getUint32(0), second: view.getUint32(4) };
}
