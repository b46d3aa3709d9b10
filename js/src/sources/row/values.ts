// Exact values, and how SQL says them.
import type { Bound, Cell } from "../source.ts";

/** Characters of names in one statement: some of them are in it twice, and it may have 100,000 bytes. */
const LONG = 20_000;

/** A value as it is stored. Text that is not UTF-8, or was read as bytes, is bytes. */
export type ExactValue =
  | { type: "null" }
  | { type: "integer"; value: number | bigint }
  | { type: "real"; value: number }
  | { type: "text"; value: string | Uint8Array }
  | { type: "blob"; value: Uint8Array };

/** Takes exact values one after the other. */
export interface ValueSink {
  null(): void;
  integer(value: number | bigint): void;
  real(value: number): void;
  text(value: string): void;
  /** Text as it is stored: with NUL, or not UTF-8. */
  textBytes(bytes: Uint8Array): void;
  blob(bytes: Uint8Array): void;
}

/** Keeps what it takes. */
export class Kept implements ValueSink {
  readonly values: ExactValue[] = [];
  null(): void {
    this.values.push({ type: "null" });
  }
  integer(value: number | bigint): void {
    this.values.push({ type: "integer", value });
  }
  real(value: number): void {
    this.values.push({ type: "real", value });
  }
  text(value: string): void {
    this.values.push({ type: "text", value });
  }
  textBytes(value: Uint8Array): void {
    this.values.push({ type: "text", value });
  }
  blob(value: Uint8Array): void {
    this.values.push({ type: "blob", value });
  }
}

/** Gives a value to a sink. */
export function give(value: ExactValue, sink: ValueSink): void {
  if (value.type === "null") sink.null();
  else if (value.type === "integer") sink.integer(value.value);
  else if (value.type === "real") sink.real(value.value);
  else if (value.type === "blob") sink.blob(value.value);
  else if (typeof value.value === "string") sink.text(value.value);
  else sink.textBytes(value.value);
}

export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** `a || b || c …`, or with another operator: in pairs, as expressions may be nested 100 deep only. */
export function joined(terms: readonly string[], operator: string, none = "NULL"): string {
  if (terms.length <= 1) return terms[0] ?? none;
  const half = terms.length >> 1;
  return `(${joined(terms.slice(0, half), operator)} ${operator} ${joined(terms.slice(half), operator)})`;
}

/** Parameters of a statement, each of which may stand in it several times. */
export class Parameters {
  readonly values: Bound[] = [];

  /** What stands for `value` in the SQL: something without affinity, as a literal is. */
  add(value: Exclude<ExactValue, { type: "null" }>): string {
    // D1 binds 100 values, and a key may have 101, the last of them a rowid.
    if (value.type === "integer") return `${value.value}`;
    if (value.type === "real") {
      if (Number.isFinite(value.value)) return this.#bind(value.value);
      return value.value > 0 ? "9e999" : "-9e999";
    }
    if (typeof value.value === "string") return this.#bind(value.value);
    const bytes = this.#bind(value.value as Uint8Array<ArrayBuffer>);
    // A plus takes the affinity away that a cast has.
    return value.type === "text" ? `+CAST(${bytes} AS TEXT)` : bytes;
  }

  #bind(value: Bound): string {
    this.values.push(value);
    return `?${this.values.length}`;
  }
}

/** Which of these, by number, have a place in one statement: some of them, and not too much text. */
export function fitting(exprs: readonly string[], most: number): number[][] {
  const groups: number[][] = [];
  let length = 0;
  for (const [at, expr] of exprs.entries()) {
    const group = groups.at(-1);
    length += expr.length;
    if (group && group.length < most && length <= LONG) group.push(at);
    else {
      groups.push([at]);
      length = expr.length;
    }
  }
  return groups;
}

/** Bytes out of a cell that holds them in one of the ways in which they come. */
export function bytesOf(cell: Cell): Uint8Array {
  if (cell instanceof Uint8Array) return cell;
  if (cell instanceof ArrayBuffer) return new Uint8Array(cell);
  if (Array.isArray(cell)) return Uint8Array.from(cell as number[]);
  return fromHex(String(cell));
}

const DIGITS = new Uint8Array(128);
for (let value = 0; value < 16; value++) {
  DIGITS[value.toString(16).charCodeAt(0)] = value;
  DIGITS[value.toString(16).toUpperCase().charCodeAt(0)] = value;
}

export function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function fromHex(digits: string): Uint8Array {
  const bytes = new Uint8Array(digits.length >> 1);
  for (let at = 0; at < bytes.length; at++) {
    const high = DIGITS[digits.charCodeAt(2 * at)] ?? 0;
    bytes[at] = (high << 4) | (DIGITS[digits.charCodeAt(2 * at + 1)] ?? 0);
  }
  return bytes;
}
