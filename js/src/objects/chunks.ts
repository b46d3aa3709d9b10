import { free } from "../core/index.ts";

/** In bytes: what stores of state take in a row. */
const PIECE = 512 << 10;

/**
 * Bytes that are appended, kept as pieces of at most 512 KiB. All pieces but the last are always the same objects, so
 * that whoever keeps them needs to write only the last one again.
 */
export class Chunks {
  #whole: Uint8Array[] = [];
  /** Where the last piece grows. */
  #last = new Uint8Array(0);
  #filled = 0;
  /** Whole ones that others have too. */
  readonly #kept = new WeakSet<Uint8Array>();

  constructor(pieces: readonly Uint8Array[] = []) {
    for (const piece of pieces) {
      if (this.#filled === 0 && piece.length === PIECE) {
        this.#whole.push(piece);
        this.#kept.add(piece);
      } else this.append(piece);
    }
  }

  /** In bytes. */
  get length(): number {
    return this.#whole.length * PIECE + this.#filled;
  }

  append(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      const count = Math.min(PIECE - this.#filled, bytes.length - at);
      this.#grow(this.#filled + count);
      this.#last.set(bytes.subarray(at, at + count), this.#filled);
      this.#filled += count;
      at += count;
      if (this.#filled < PIECE) continue;
      this.#whole.push(this.#last);
      this.#last = new Uint8Array(0);
      this.#filled = 0;
    }
  }

  /** Removes the first `length` bytes; they are in memory of their own. */
  take(length: number): Uint8Array {
    const taken = new Uint8Array(length);
    const before = this.#pieces();
    free(this.#last);
    this.#whole = [];
    this.#last = new Uint8Array(0);
    this.#filled = 0;
    let at = 0;
    for (const piece of before) {
      const count = Math.min(piece.length, length - at);
      taken.set(piece.subarray(0, count), at);
      at += count;
      this.append(piece.subarray(count));
      if (!this.#kept.has(piece)) free(piece);
    }
    return taken;
  }

  /** All bytes as one array, in memory of its own. */
  join(): Uint8Array {
    const bytes = new Uint8Array(this.length);
    for (const [at, piece] of this.#whole.entries()) bytes.set(piece, at * PIECE);
    bytes.set(this.#last.subarray(0, this.#filled), this.#whole.length * PIECE);
    return bytes;
  }

  /** The pieces, which stay as they are. */
  save(): Uint8Array[] {
    for (const piece of this.#whole) this.#kept.add(piece);
    return this.#pieces();
  }

  #pieces(): Uint8Array[] {
    return this.#filled === 0 ? [...this.#whole] : [...this.#whole, this.#last.slice(0, this.#filled)];
  }

  #grow(length: number): void {
    if (length <= this.#last.length) return;
    const larger = new Uint8Array(Math.min(PIECE, Math.max(length, 2 * this.#last.length)));
    larger.set(this.#last.subarray(0, this.#filled));
    free(this.#last);
    this.#last = larger;
  }
}
