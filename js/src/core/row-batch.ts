/** A batch is full at this size, in bytes. */
const FULL = 256 << 10;
/** A character of JavaScript takes so many bytes of UTF-8 at most. */
const MOST_BYTES = 3;
/** Shorter texts that are ASCII are copied here, which is quicker than to ask the encoder. */
const SHORT = 32;

const encoder = new TextEncoder();

/** Rows as bytes, on their way into wasm; the core's `build::batch` says how. */
export class RowBatch {
  #bytes = new Uint8Array(FULL + (FULL >> 2));
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  /** Whether it is time to add it. */
  get isFull(): boolean {
    return this.#length >= FULL;
  }

  /** Begins a row of a table; entries of an index have no rowid. */
  rowid(rowid: number | bigint): void {
    this.#room(8);
    if (typeof rowid === "bigint") {
      this.#view.setBigInt64(this.#length, rowid);
    } else {
      this.#view.setInt32(this.#length, Math.floor(rowid / 2 ** 32));
      this.#view.setUint32(this.#length + 4, rowid >>> 0);
    }
    this.#length += 8;
  }

  null(): void {
    this.#tag(0, 0);
  }

  /** An integer: a safe one, or one of 64 bits. */
  integer(value: number | bigint): void {
    if (typeof value === "bigint") {
      const at = this.#tag(2, 8);
      this.#view.setBigInt64(at, value);
    } else if ((value | 0) === value) {
      const at = this.#tag(1, 4);
      this.#view.setInt32(at, value);
    } else {
      const at = this.#tag(4, 8);
      this.#view.setFloat64(at, value);
    }
  }

  real(value: number): void {
    const at = this.#tag(3, 8);
    this.#view.setFloat64(at, value);
  }

  /** A well-formed text. */
  text(value: string): void {
    const { length } = value;
    const at = this.#tag(5, 4 + length * MOST_BYTES);
    const start = at + 4;
    let written = length <= SHORT ? writeAscii(value, this.#bytes, start) : 0;
    if (written < length) ({ written } = encoder.encodeInto(value, this.#bytes.subarray(start)));
    this.#view.setUint32(at, written);
    this.#length = start + written;
  }

  /** A text as it is stored: with NUL, or not well-formed. */
  textBytes(value: Uint8Array): void {
    this.#value(5, value);
  }

  blob(value: Uint8Array): void {
    this.#value(6, value);
  }

  /**
   * A text of so many bytes, which come by {@link PageBuilder.piece} after the batch was added. Its row is the last one
   * of the batch.
   */
  longText(length: number): void {
    this.#long(7, length);
  }

  /** The same of a blob. */
  longBlob(length: number): void {
    this.#long(8, length);
  }

  /** The batch, until the next call; it is empty now. */
  take(): Uint8Array {
    const bytes = this.#bytes.subarray(0, this.#length);
    this.#length = 0;
    return bytes;
  }

  #value(tag: number, value: Uint8Array): void {
    const at = this.#tag(tag, 4 + value.length);
    this.#view.setUint32(at, value.length);
    this.#bytes.set(value, at + 4);
  }

  #long(tag: number, length: number): void {
    const at = this.#tag(tag, 4);
    this.#view.setUint32(at, length);
  }

  /** Writes a tag, and makes room for what follows; gives its place. */
  #tag(tag: number, size: number): number {
    this.#room(1 + size);
    this.#bytes[this.#length] = tag;
    const at = this.#length + 1;
    this.#length = at + size;
    return at;
  }

  #room(size: number): void {
    const needed = this.#length + size;
    if (needed <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
    this.#view = new DataView(larger.buffer);
  }
}

/** Writes a text up to its first character that is not ASCII; gives how many characters that is. */
function writeAscii(value: string, bytes: Uint8Array, start: number): number {
  const { length } = value;
  for (let at = 0; at < length; at++) {
    const code = value.charCodeAt(at);
    if (code >= 0x80) return at;
    bytes[start + at] = code;
  }
  return length;
}
