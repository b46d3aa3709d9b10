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
