/** Size of a buffer that holds a small object, in bytes. */
const SMALL = 64 * 1024;

/** Cuts a stream of chunks into parts: all of `size` bytes but the last, which may be empty if it is the first. */
export class Parts {
  readonly #chunks: AsyncIterator<Uint8Array>;
  readonly #size: number;
  #chunk = new Uint8Array();
  #length = SMALL;
  #ended = false;

  constructor(chunks: AsyncIterable<Uint8Array>, size: number) {
    this.#size = size;
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** The next part, in memory of its own; empty at the end. */
  async next(): Promise<Uint8Array> {
    // Grows during the first part only: later parts are full.
    let part = new Uint8Array(this.#length);
    let at = 0;
    while (at < this.#size && (await this.#fill())) {
      if (at === part.length) {
        this.#length = Math.min(2 * part.length, this.#size);
        const larger = new Uint8Array(this.#length);
        larger.set(part);
        part = larger;
      }
      const count = Math.min(this.#chunk.length, part.length - at);
      part.set(this.#chunk.subarray(0, count), at);
      this.#chunk = this.#chunk.subarray(count);
      at += count;
    }
    return part.subarray(0, at);
  }

  /** Parts that were taken already, and those that follow. */
  async *after(...taken: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
    yield* taken;
    for (let part = await this.next(); part.length > 0; part = await this.next()) yield part;
  }

  /** Whether there is a byte left to take. */
  async #fill(): Promise<boolean> {
    while (this.#chunk.length === 0 && !this.#ended) {
      const { done, value } = await this.#chunks.next();
      if (done) this.#ended = true;
      else this.#chunk = value as Uint8Array<ArrayBuffer>;
    }
    return this.#chunk.length > 0;
  }
}
