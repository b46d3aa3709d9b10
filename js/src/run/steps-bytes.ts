import { DamageError } from "../errors/index.ts";
import type { BackupRunState } from "./backup-steps.ts";

/** What JSON cannot say: where among the bytes an array is, an integer of 64 bits, an odd number, a time. */
type Said = { bytes: [from: number, to: number] } | { integer: string } | { real: string } | { time: number };

/**
 * The state of a backup in steps as bytes, for places that keep no plain data, such as a bucket: {@link stateFromBytes}
 * gives it back. A few megabytes for a large database.
 */
export function stateToBytes(state: BackupRunState): Uint8Array<ArrayBuffer> {
  const arrays: Uint8Array[] = [];
  let length = 0;
  const said = (value: unknown): unknown => {
    if (value instanceof Uint8Array) {
      arrays.push(value);
      length += value.length;
      return { bytes: [length - value.length, length] } satisfies Said;
    }
    if (typeof value === "bigint") return { integer: String(value) } satisfies Said;
    if (value instanceof Date) return { time: value.getTime() } satisfies Said;
    if (typeof value === "number" && (!Number.isFinite(value) || Object.is(value, -0)))
      return { real: Object.is(value, -0) ? "-0" : String(value) } satisfies Said;
    if (Array.isArray(value)) return value.map(said);
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, said(each)]));
  };
  const json = new TextEncoder().encode(JSON.stringify(said(state)));
  const bytes = new Uint8Array(4 + json.length + length);
  new DataView(bytes.buffer).setUint32(0, json.length);
  bytes.set(json, 4);
  let at = 4 + json.length;
  for (const array of arrays) {
    bytes.set(array, at);
    at += array.length;
  }
  return bytes;
}

/** @throws DamageError `SAVED_STATE` when it is not what {@link stateToBytes} gave */
export function stateFromBytes(bytes: Uint8Array): BackupRunState {
  try {
    const size = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(0);
    const start = 4 + size;
    if (start > bytes.length) throw new RangeError("it is cut off");
    const meant = (_: string, value: unknown): unknown => {
      if (typeof value !== "object" || value === null) return value;
      const keys = Object.keys(value);
      const said = value as Partial<Record<string, never>>;
      if (keys.length !== 1) return value;
      if (said.bytes) {
        const [from, to] = said.bytes as [number, number];
        if (start + to > bytes.length) throw new RangeError("it is cut off");
        return bytes.slice(start + from, start + to);
      }
      if (said.integer !== undefined) return BigInt(said.integer);
      if (said.real !== undefined) return Number(said.real);
      return said.time === undefined ? value : new Date(said.time);
    };
    return JSON.parse(new TextDecoder().decode(bytes.subarray(4, start)), meant);
  } catch (error) {
    const message = `what was saved of the backup under way is damaged: ${(error as Error).message}; begin anew`;
    throw new DamageError("SAVED_STATE", message, {}, { cause: error });
  }
}
