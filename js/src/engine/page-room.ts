/** Offsets are counted in so many bytes: no page is smaller. */
export const UNIT = 512;

/** Which parts of the file of pages are free. */
export class PageRoom {
  /** Free places of each size, in bytes, ascending: the first is taken first, so that what is behind the last page can go. */
  readonly #free = new Map<number, number[]>();
  /** Places that are free once what says so lasts. */
  readonly #pending: [offset: number, size: number][] = [];
  /** Length of the file, in units. */
  #end = 0;

  /** The room in a file in which these places are taken; `size` is what will be asked for. */
  static around(taken: [offset: number, size: number][], size: number): PageRoom {
    const room = new PageRoom();
    taken.sort(([one], [other]) => one - other);
    const each = size / UNIT;
    for (const [offset, length] of taken) {
      for (let at = room.#end; at + each <= offset; at += each) room.#freeOf(size).push(at);
      room.#end = Math.max(room.#end, offset + length / UNIT);
    }
    return room;
  }

  /** Length of the file, in bytes. */
  get end(): number {
    return this.#end * UNIT;
  }

  /** Offsets in units of so many places of `size` bytes, ascending. */
  take(count: number, size: number): number[] {
    const taken = this.#freeOf(size).splice(0, count);
    while (taken.length < count) {
      taken.push(this.#end);
      this.#end += size / UNIT;
    }
    return taken;
  }

  /** These are free at once: nothing that lasts names them. */
  giveBack(offsets: number[], size: number): void {
    for (const offset of offsets) this.#add(offset, size);
  }

  /** Nothing names this place any more, as soon as that lasts. */
  let(offset: number, size: number): void {
    this.#pending.push([offset, size]);
  }

  /** All that was said so far lasts. */
  settle(): void {
    for (const [offset, size] of this.#pending.splice(0)) this.#add(offset, size);
  }

  #add(offset: number, size: number): void {
    const free = this.#freeOf(size);
    let [low, high] = [0, free.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((free[middle] ?? 0) < offset) low = middle + 1;
      else high = middle;
    }
    free.splice(low, 0, offset);
  }

  #freeOf(size: number): number[] {
    let free = this.#free.get(size);
    if (!free) {
      free = [];
      this.#free.set(size, free);
    }
    return free;
  }
}
