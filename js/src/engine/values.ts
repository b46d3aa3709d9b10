// How parameters and rows cross the boundary to the engine: see engine/src/rows.rs.
import { PagemarkError } from "../errors/index.ts";

/** What SQLite stores. Bytes are a BLOB; a whole number is an INTEGER. */
export type SqlValue = null | number | bigint | string | Uint8Array;

/** Values that may be bound to a parameter. */
export type SqlParameter = SqlValue | boolean | undefined | ArrayBuffer | ArrayBufferView;

/** How INTEGER values are returned. */
export interface IntegerOptions {
  /** Returns every INTEGER as a BigInt; otherwise only those that a number cannot hold exactly. */
  bigints?: boolean | undefined;
}

const NULL = 0;
const INTEGER_32 = 1;
const INTEGER_64 = 2;
const REAL = 3;
const TEXT = 4;
const BLOB = 5;

const HIGH = 2 ** 32;
const encoder = new TextEncoder();
// A byte order mark is part of the text, and text that is not UTF-8 is shown as far as it is.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
/** Shorter texts are encoded and decoded faster by hand, as long as they are ASCII. */
const SHORT_TEXT = 24;
/** Size of the kept buffer, enough for nearly all parameters, in bytes; a larger one is not kept. */
const ROOM = 4096;
/** Views of fewer bytes than this are kept. */
const VIEWS = 256;

/** Buffer of the last call, which the next one uses again. */
let spare: ValueWriter | undefined;

/**
 * Parameters as bytes, which are those of the next call's parameters once it begins.
 *
 * @throws PagemarkError `USAGE` for a value that SQLite has no type for
 */
export function encodeValues(values: readonly SqlParameter[]): Uint8Array {
  const writer = spare ?? new ValueWriter();
  // A getter of the caller's may run statements of its own meanwhile.
  spare = undefined;
  writer.clear();
  for (const value of values) writer.add(value);
  const bytes = writer.bytes();
  if (bytes.length <= ROOM) spare = writer;
  return bytes;
}

/** Writes values one after the other, into `bytes` as long as they fit there. */
export class ValueWriter {
  #bytes: Uint8Array;
  #view: DataView;
  /** Views of its first bytes, by their number: making one takes longer than writing a few values. */
  #written: Uint8Array[] = [];
  #length = 0;

  constructor(bytes: Uint8Array = new Uint8Array(ROOM)) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  add(value: SqlParameter): void {
    switch (typeof value) {
      case "string":
        this.#text(value);
        break;
      case "number":
        if (value === (value | 0) && !Object.is(value, -0)) this.#integer32(value);
        else if (Number.isSafeInteger(value) && value !== 0) this.#integer64(value);
        else this.#real(value);
        break;
      case "bigint":
        this.#bigint(value);
        break;
      case "boolean":
        this.#integer32(value ? 1 : 0);
        break;
      case "undefined":
        this.#tag(NULL, 0);
        break;
      default:
        this.#object(value);
    }
  }

  clear(): void {
    this.#length = 0;
  }

  /** In bytes, of what was written. */
  get length(): number {
    return this.#length;
  }

  /** Whether all that was written is in `bytes`. */
  isIn(bytes: Uint8Array): boolean {
    return this.#bytes === bytes;
  }

  bytes(): Uint8Array {
    const length = this.#length;
    if (length >= VIEWS) return this.#bytes.subarray(0, length);
    this.#written[length] ??= this.#bytes.subarray(0, length);
    return this.#written[length];
  }

  #object(value: null | ArrayBuffer | ArrayBufferView): void {
    if (value === null) {
      this.#tag(NULL, 0);
    } else if (value instanceof ArrayBuffer) {
      this.#blob(new Uint8Array(value));
    } else if (ArrayBuffer.isView(value)) {
      this.#blob(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
    } else {
      throw new PagemarkError("USAGE", `SQLite has no type for ${describe(value)}; bind a string or bytes`);
    }
  }

  #integer32(value: number): void {
    this.#tag(INTEGER_32, 4);
    this.#view.setInt32(this.#length, value, true);
    this.#length += 4;
  }

  #integer64(value: number): void {
    this.#tag(INTEGER_64, 8);
    this.#view.setUint32(this.#length, value, true);
    this.#view.setInt32(this.#length + 4, Math.floor(value / HIGH), true);
    this.#length += 8;
  }

  #bigint(value: bigint): void {
    if (BigInt.asIntN(64, value) !== value) {
      throw new PagemarkError("USAGE", `${value} has more than the 64 bits of an INTEGER; bind it as text`);
    }
    this.#tag(INTEGER_64, 8);
    this.#view.setBigInt64(this.#length, value, true);
    this.#length += 8;
  }

  #real(value: number): void {
    this.#tag(REAL, 8);
    this.#view.setFloat64(this.#length, value, true);
    this.#length += 8;
  }

  #text(value: string): void {
    this.#tag(TEXT, 4 + value.length * 3);
    if (value.length <= SHORT_TEXT && this.#ascii(value)) return;
    const { written } = encoder.encodeInto(value, this.#bytes.subarray(this.#length + 4));
    this.#view.setUint32(this.#length, written, true);
    this.#length += 4 + written;
  }

  /** Writes a text that is ASCII throughout; whether it is. */
  #ascii(value: string): boolean {
    const bytes = this.#bytes;
    const start = this.#length + 4;
    for (let at = 0; at < value.length; at++) {
      const unit = value.charCodeAt(at);
      if (unit >= 0x80) return false;
      bytes[start + at] = unit;
    }
    this.#view.setUint32(this.#length, value.length, true);
    this.#length = start + value.length;
    return true;
  }

  #blob(value: Uint8Array): void {
    this.#tag(BLOB, 4 + value.length);
    this.#view.setUint32(this.#length, value.length, true);
    this.#bytes.set(value, this.#length + 4);
    this.#length += 4 + value.length;
  }

  /** Writes a type, and makes room for what follows it. */
  #tag(tag: number, room: number): void {
    const needed = this.#length + 1 + room;
    if (needed > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
      grown.set(this.#bytes);
      this.#bytes = grown;
      this.#written = [];
      this.#view = new DataView(grown.buffer);
    }
    this.#bytes[this.#length++] = tag;
  }
}

function describe(value: unknown): string {
  return typeof value === "object" ? (value?.constructor?.name ?? "an object") : typeof value;
}

/** Reads values that follow each other in bytes from the engine. */
export class ValueReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #bigints: boolean;
  #at = 0;

  constructor(bytes: Uint8Array, { bigints = false }: IntegerOptions) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#bigints = bigints;
  }

  next(): SqlValue {
    const view = this.#view;
    const at = this.#at + 1;
    switch (this.#bytes[this.#at]) {
      case NULL:
        this.#at = at;
        return null;
      case INTEGER_32: {
        this.#at = at + 4;
        const value = view.getInt32(at, true);
        return this.#bigints ? BigInt(value) : value;
      }
      case INTEGER_64: {
        this.#at = at + 8;
        const number = view.getInt32(at + 4, true) * HIGH + view.getUint32(at, true);
        return this.#bigints || !Number.isSafeInteger(number) ? view.getBigInt64(at, true) : number;
      }
      case REAL:
        this.#at = at + 8;
        return view.getFloat64(at, true);
      case TEXT:
        return this.#text(at + 4, view.getUint32(at, true));
      default: {
        const start = at + 4;
        this.#at = start + view.getUint32(at, true);
        return this.#bytes.slice(start, this.#at);
      }
    }
  }

  #text(start: number, length: number): string {
    const bytes = this.#bytes;
    const end = start + length;
    this.#at = end;
    if (length > SHORT_TEXT) return decoder.decode(bytes.subarray(start, end));
    let text = "";
    for (let at = start; at < end; at++) {
      const byte = bytes[at] as number;
      if (byte >= 0x80) return decoder.decode(bytes.subarray(start, end));
      text += String.fromCharCode(byte);
    }
    return text;
  }
}

/** As a number, if that holds it. */
export function smallest(integer: bigint): number | bigint {
  const number = Number(integer);
  return Number.isSafeInteger(number) ? number : integer;
}
