// Values as D1 takes and gives them.
import { d1Error } from "./errors.ts";
import type { Meta, WireResult, WireValue } from "./wire.ts";

/** How values come back that JSON, and so D1, has no form for. */
export interface D1Options {
  /** A BLOB as an array of numbers, as D1 gives it, unless `"bytes"`: a Uint8Array. */
  blobs?: "numbers" | "bytes" | undefined;
  /**
   * An INTEGER beyond 2^53 as the number that is nearest, as D1 gives it; `meta.rounded_integers` says how many were
   * rounded. With `"bigint"` these are BigInts.
   */
  integers?: "number" | "bigint" | undefined;
}

/** What D1 keeps of a value that is bound: numbers, texts, null, and bytes as an array of numbers. */
export type Param = null | number | bigint | string | readonly number[];

/** @throws an error of D1's form for what SQLite has no type for */
export function bound(value: unknown): Param {
  if (typeof value === "number" || typeof value === "string" || typeof value === "bigint") return value;
  if (typeof value === "boolean") return value ? 1 : 0;
  if (value === null) return null;
  if (Array.isArray(value) && Array.from(value).every(isByte)) return value;
  if (value instanceof ArrayBuffer) return Array.from(new Uint8Array(value));
  if (ArrayBuffer.isView(value)) {
    return Array.from(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
  }
  throw d1Error("D1_TYPE_ERROR", `Type '${typeof value}' not supported for value '${value}'`, {
    code: "USAGE",
  });
}

/** As the Worker takes it. */
export function sent(param: Param): WireValue {
  return Array.isArray(param) ? Uint8Array.from(param) : (param as WireValue);
}

/** Whether D1 takes a value of an array for a byte; it drops the fraction. What an array has no value for is none. */
function isByte(value: unknown): boolean {
  return typeof value === "number" && value >= 0 && value < 256;
}

/** A result as D1 gives it; integers that were rounded are counted. */
export function received({ columns, rows, meta }: WireResult, options: D1Options) {
  let rounded = 0;
  const form = (value: WireValue): unknown => {
    if (typeof value === "bigint" && options.integers !== "bigint") {
      rounded++;
      return Number(value);
    }
    if (value instanceof Uint8Array && options.blobs !== "bytes") return Array.from(value);
    // JSON has no infinity.
    return typeof value === "number" && !Number.isFinite(value) ? null : value;
  };
  const formed = rows.map((row) => row.map(form));
  const lastRowId = form(meta.last_row_id);
  return {
    columns,
    rows: formed,
    meta: {
      ...meta,
      last_row_id: lastRowId as number,
      ...(rounded > 0 && { rounded_integers: rounded }),
    } as D1Meta,
  };
}

/** What D1 says of a query. Of what is only here, `messages` and `rounded_integers`, nothing is said when there is nothing to say. */
export interface D1Meta extends Omit<Meta, "last_row_id"> {
  last_row_id: number;
  /** How many INTEGERs of the result no number is exact for. */
  rounded_integers?: number;
  [other: string]: unknown;
}

/** What a query gave, as arrays. */
export interface Rows {
  columns: string[];
  rows: unknown[][];
  meta: D1Meta;
}
