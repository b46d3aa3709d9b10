// In which form a column is asked for, so that its values come through exactly. JavaScript has one type of number for
// INTEGER and REAL and rounds beyond 2^53, text that is not UTF-8 is altered, and D1's JSON knows neither bytes nor
// infinity. What a column holds is learnt from one aggregate over the table; a column without any of that is asked for
// as it is.

import type { Cell, RowSource } from "../source.ts";
import { bytesOf, type ValueSink } from "./values.ts";

/** A BLOB of more bytes is not asked for as hex digits: text has at most 2,000,000 bytes there. */
const LONG_BLOB = 400_000;
const SAFE = "9007199254740991";
/** What stands for bytes that are no UTF-8. Text with it is read again as bytes: it may have been there, too. */
const REPLACED = "\ufffd";

/** What a column holds anywhere; as bits. */
export const holds = {
  integer: 1,
  real: 2,
  text: 4,
  blob: 8,
  /** Integers that a JavaScript number rounds. */
  large: 16,
  /** Infinity, or a zero below zero. */
  odd: 32,
  longBlob: 64,
} as const;

/** The form of a column that nothing is known of. */
export const ANYTHING = 127;

/**
 * What a value is, as bits of {@link holds}; sorted so that types which often share a column, or need the same care, are
 * neighbours.
 */
const RANKS = [
  holds.odd | holds.real,
  holds.real,
  holds.large | holds.integer,
  holds.integer,
  holds.text,
  holds.blob,
  holds.longBlob | holds.blob,
];

/**
 * The place of a value in {@link RANKS}, as SQL; NULL of NULL. CASE computes only what it needs: of long values nothing but
 * their lengths is read.
 */
export function rankOf(expr: string): string {
  return `CASE typeof(${expr}) WHEN 'real' THEN iif(${isOdd(expr)}, 0, 1)
    WHEN 'integer' THEN iif(${expr} BETWEEN -${SAFE} AND ${SAFE}, 3, 2)
    WHEN 'text' THEN 4 WHEN 'blob' THEN iif(octet_length(${expr}) > ${LONG_BLOB}, 6, 5) END`;
}

/**
 * What a column holds at most whose values have ranks from `least` to `most`: two aggregates are a quarter of the work that
 * one for each type is, and a column that holds more than one type is seldom sure to hold nothing in between.
 */
export function heldBetween(least: Cell, most: Cell): number {
  if (least === null || most === null) return 0;
  return RANKS.slice(Number(least), Number(most) + 1).reduce((held, bits) => held | bits, 0);
}

function isOdd(expr: string): string {
  return `(${expr} = 9e999 OR ${expr} = -9e999 OR (${expr} = 0.0 AND atan2(${expr}, -1) < 0))`;
}

/** About how many bytes a value takes on its way. */
export function sizeOf(expr: string): string {
  return `CASE WHEN typeof(${expr}) IN ('text', 'blob') THEN octet_length(${expr}) ELSE 8 END`;
}

/** How one column is asked for, and what its cells mean. */
export class ColumnForm {
  readonly #expr: string;
  readonly #source: RowSource;
  readonly #holds: number;
  #textAsBytes = false;

  /** @param held what the column holds, see {@link holds} */
  constructor(expr: string, held: number, source: RowSource) {
    this.#expr = expr;
    this.#holds = held;
    this.#source = source;
  }

  /** Whether each cell needs a letter for its type. */
  get isTyped(): boolean {
    const held = this.#holds;
    if (this.#textAsBytes || held & holds.large) return true;
    if (held & holds.integer && held & holds.real) return true;
    if (held & holds.odd && !this.#source.carriesReals) return true;
    return this.#isHex && held !== holds.blob;
  }

  /** The letter of a cell's type, as SQL. */
  get letter(): string {
    return `substr(typeof(${this.#expr}), 1, 1)`;
  }

  /** The column, as SQL. */
  get sql(): string {
    const expr = this.#expr;
    if (!this.isTyped) return this.#isHex ? `iif(${expr} IS NULL, NULL, hex(${expr}))` : expr;
    const integer = `iif(${expr} BETWEEN -${SAFE} AND ${SAFE}, ${expr}, CAST(${expr} AS TEXT))`;
    const real = `CASE WHEN ${expr} IN (9e999, -9e999) THEN CAST(${expr} AS TEXT)
      WHEN ${expr} = 0.0 AND atan2(${expr}, -1) < 0 THEN '-0' ELSE ${expr} END`;
    const text = this.#textAsBytes ? `CAST(${expr} AS BLOB)` : expr;
    const blob = this.#isHex ? `iif(octet_length(${expr}) > ${LONG_BLOB}, ${expr}, hex(${expr}))` : expr;
    return `CASE typeof(${expr}) WHEN 'integer' THEN ${integer} WHEN 'real' THEN ${real}
      WHEN 'text' THEN ${text} WHEN 'blob' THEN ${blob} END`;
  }

  /** Whether BLOBs come as hex digits, shorter ones at least. */
  get #isHex(): boolean {
    return !this.#source.carriesBlobs && (this.#holds & holds.blob) !== 0;
  }

  /** Whether `cell` may not be what is stored; from then on, the column's text is asked for as bytes. */
  distrusts(cell: Cell): boolean {
    if (this.#textAsBytes || typeof cell !== "string" || !cell.includes(REPLACED)) return false;
    this.#textAsBytes = true;
    return true;
  }

  /** Gives a cell's value to `sink`. */
  give(cell: Cell, letter: string, sink: ValueSink): void {
    if (cell === null) sink.null();
    else if (this.isTyped) giveTyped(cell, letter, sink);
    else if (typeof cell === "number") {
      if (this.#holds & holds.real) sink.real(cell);
      else sink.integer(cell);
    } else if (typeof cell === "string" && !this.#isHex) sink.text(cell);
    else sink.blob(bytesOf(cell));
  }
}

function giveTyped(cell: Exclude<Cell, null>, letter: string, sink: ValueSink): void {
  if (letter === "i") sink.integer(typeof cell === "number" ? cell : BigInt(String(cell)));
  else if (letter === "r") sink.real(typeof cell === "number" ? cell : realOf(String(cell)));
  else if (letter === "b") sink.blob(bytesOf(cell));
  else if (typeof cell === "string") sink.text(cell);
  else sink.textBytes(bytesOf(cell));
}

/** SQLite writes `Inf` and `-Inf`, in some versions `9.0e+999`. */
function realOf(text: string): number {
  if (text === "-0") return -0;
  return text.startsWith("-") ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
}
