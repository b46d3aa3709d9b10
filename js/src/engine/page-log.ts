// What a database in files of its own looks like: records, one after the other, in one of two files.
//
// | bytes | field |
// | --- | --- |
// | 4 | `PMLR` |
// | 4 | length of the body, little-endian, as all of it |
// | 8 | the first bytes of the body's SHA-256 |
// | 4 | length of the head |
// | … | the head: JSON, padded with spaces so that the numbers begin at a multiple of 8 |
// | … | numbers, 8 bytes each |
//
// A log begins with a record of all that is there. When it has become long, all that is there goes to the other file, under
// the next generation; whichever is whole and has the higher one counts.

import type { Hasher } from "../core/index.ts";
import { DamageError } from "../errors/index.ts";
import type { SyncHandle } from "../opfs/folders.ts";

const MAGIC = 0x524c4d50;
/** Before the body, in bytes. */
const FRONT = 16;
const DIGEST = 8;
const SPACE = 32;

/** A record: what it says, and many numbers. */
export interface LogRecord {
  head: { kind: string; [more: string]: unknown };
  numbers: Float64Array;
}

/** Two files, of which one has the log. */
export class PageLog {
  readonly #files: readonly [SyncHandle, SyncHandle];
  readonly #hasher: Hasher;
  #current = 0;
  #generation = 0;
  /** As far as whole records go, in bytes. */
  #end = 0;
  /** Length of the record that the log begins with, in bytes. */
  #first = 0;
  /** A file that may have more than it should, of a record that failed, and how long it should be. */
  #uncut: { file: SyncHandle; end: number } | undefined;

  constructor(files: readonly [SyncHandle, SyncHandle], hasher: Hasher) {
    this.#files = files;
    this.#hasher = hasher;
  }

  /** How much longer it is than when it was begun, in bytes. */
  get grown(): number {
    return this.#end - this.#first;
  }

  /** Length of the record that it begins with, in bytes. */
  get first(): number {
    return this.#first;
  }

  /** Every whole record of the log that counts; none when there is none. What follows the last one is cut off. */
  open(): LogRecord[] {
    const logs = this.#files.map((file) => this.#read(file));
    const generations = logs.map(({ records }) => Number(records[0]?.head.generation ?? 0));
    const [one = 0, other = 0] = generations;
    if (one === 0 && other === 0) return [];
    this.#current = other > one ? 1 : 0;
    this.#generation = Math.max(one, other);
    const { records, ends } = logs[this.#current] ?? { records: [], ends: [] };
    [this.#first = 0] = ends;
    this.#end = ends.at(-1) ?? 0;
    const file = this.#file;
    if (file.getSize() > this.#end) file.truncate(this.#end);
    // What was read may not last yet, and room is used again because of it.
    file.flush();
    return records;
  }

  /**
   * Takes away what is left of a record that failed. Must have succeeded before anything is written to a place that the
   * record may name: a record that is whole after all would come back to life.
   */
  cut(): void {
    if (!this.#uncut) return;
    const { file, end } = this.#uncut;
    file.truncate(end);
    file.flush();
    this.#uncut = undefined;
  }

  /** Adds a record; it lasts once `flush` was called. After an error the log is as it was before. */
  append(record: LogRecord, { flush }: { flush: boolean }): void {
    this.cut();
    const bytes = this.#encode(record);
    this.#whole(this.#file, this.#end, () => {
      writeAll(this.#file, bytes, this.#end);
      if (flush) this.#file.flush();
    });
    this.#end += bytes.length;
  }

  /** Begins anew in the other file, with all that is there. After an error the log is as it was before. */
  restart({ head, numbers }: LogRecord): void {
    this.cut();
    const next = this.#current === 0 ? 1 : 0;
    const file = this.#files[next] as SyncHandle;
    const bytes = this.#encode({ head: { ...head, generation: this.#generation + 1 }, numbers });
    // As long as that fails, an older log is there, which does not count.
    file.truncate(0);
    this.#whole(file, 0, () => {
      writeAll(file, bytes, 0);
      file.flush();
    });
    this.#current = next;
    this.#generation += 1;
    this.#first = bytes.length;
    this.#end = bytes.length;
  }

  close(): void {
    for (const file of this.#files) file.close();
  }

  get #file(): SyncHandle {
    return this.#files[this.#current] as SyncHandle;
  }

  /** Adds to a file, of which nothing behind `end` stays when that fails: where that fails, too, the next call tries again. */
  #whole(file: SyncHandle, end: number, add: () => void): void {
    this.#uncut = { file, end };
    try {
      add();
      this.#uncut = undefined;
    } catch (error) {
      try {
        this.cut();
      } catch {}
      throw error;
    }
  }

  #encode({ head, numbers }: LogRecord): Uint8Array<ArrayBuffer> {
    const json = new TextEncoder().encode(JSON.stringify(head));
    const start = FRONT + 4;
    const numbersAt = Math.ceil((start + json.length) / 8) * 8;
    const bytes = new Uint8Array(numbersAt + numbers.byteLength).fill(SPACE, start, numbersAt);
    const view = new DataView(bytes.buffer);
    view.setUint32(FRONT, numbersAt - start, true);
    bytes.set(json, start);
    bytes.set(new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength), numbersAt);
    view.setUint32(0, MAGIC, true);
    view.setUint32(4, bytes.length - FRONT, true);
    bytes.set(this.#digest(bytes.subarray(FRONT)), 8);
    return bytes;
  }

  /** The whole records of a file, and where each ends. */
  #read(file: SyncHandle): { records: LogRecord[]; ends: number[] } {
    const bytes = new Uint8Array(file.getSize());
    readAll(file, bytes, 0);
    const view = new DataView(bytes.buffer);
    const records: LogRecord[] = [];
    const ends: number[] = [];
    for (let at = 0; at + FRONT + 4 <= bytes.length; ) {
      const length = view.getUint32(at + 4, true);
      const end = at + FRONT + length;
      if (view.getUint32(at, true) !== MAGIC || end > bytes.length) break;
      const body = bytes.subarray(at + FRONT, end);
      const digest = this.#digest(body);
      if (digest.some((byte, index) => byte !== bytes[at + 8 + index])) break;
      records.push(decode(body));
      ends.push(end);
      at = end;
    }
    return { records, ends };
  }

  #digest(body: Uint8Array): Uint8Array {
    this.#hasher.update(body);
    const hex = this.#hasher.digest();
    return Uint8Array.from({ length: DIGEST }, (_, at) => Number.parseInt(hex.slice(2 * at, 2 * at + 2), 16));
  }
}

function decode(body: Uint8Array): LogRecord {
  const length = new DataView(body.buffer, body.byteOffset).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(body.subarray(4, 4 + length)));
  return { head, numbers: new Float64Array(body.slice(4 + length).buffer) };
}

/** @throws DamageError when the file is shorter */
export function readAll(file: SyncHandle, into: Uint8Array, at: number): void {
  for (let done = 0; done < into.length; ) {
    const read = file.read(into.subarray(done), { at: at + done });
    if (read === 0) throw new DamageError("STORE_DAMAGED", "a file of the database has become shorter");
    done += read;
  }
}

/** Writes all of `bytes`: a full disk may take some. */
export function writeAll(file: SyncHandle, bytes: Uint8Array, at: number): void {
  for (let done = 0; done < bytes.length; ) {
    const written = file.write(bytes.subarray(done), { at: at + done });
    if (written === 0) throw new DOMException("the origin's room is used up", "QuotaExceededError");
    done += written;
  }
}
