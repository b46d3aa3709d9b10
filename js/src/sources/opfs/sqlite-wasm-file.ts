// The file of an open connection of `@sqlite.org/sqlite-wasm`: what SQLite writes to it passes by here first.
import { turn } from "../../streams/progress.ts";
import type { OpenImage } from "../source-from.ts";
import { changed } from "./errors.ts";

/** What is used of an open database of `@sqlite.org/sqlite-wasm` (`oo1.DB` and its kin). */
export interface SqliteWasmDatabase {
  readonly filename: string;
  dbVfsName(): string | undefined;
  exec(sql: string): unknown;
  selectValue(sql: string): unknown;
  selectValues(sql: string, bind?: readonly number[]): unknown[];
  close(): unknown;
}

/** What is used of the library, as its `sqlite3InitModule()` gives it. */
export interface SqliteWasm {
  oo1: { DB: new (options: { filename: string; vfs: string; flags: string }) => SqliteWasmDatabase };
  // biome-ignore lint/suspicious/noExplicitAny: the library's own types want its own class there
  capi: { sqlite3_get_autocommit(database: any): number };
}

/** The methods of a file, as C has them: each a place in the table of functions. */
interface Methods {
  readonly pointer: number;
  readonly $iVersion: number;
  $xClose: number;
  readonly $xRead: number;
  $xWrite: number;
  $xTruncate: number;
  readonly $xFileSize: number;
  dispose(): void;
}

/** What is used beyond that: versions which have it not are read as any other database is. */
interface Internals {
  capi: {
    SQLITE_FCNTL_FILE_POINTER: number;
    sqlite3_file_control(database: unknown, schema: string, operation: number, result: number): number;
    sqlite3_txn_state(database: unknown, schema: string): number;
    sqlite3_file: new (pointer: number) => { $pMethods: number; dispose(): void };
    sqlite3_io_methods: (new (pointer?: number) => Methods) & { structInfo: { sizeof: number } };
  };
  wasm: {
    alloc(bytes: number): number;
    dealloc(pointer: number): void;
    functionEntry(place: number): (...args: (number | bigint)[]) => number;
    heap8u(): Uint8Array;
    installFunction(signature: string, call: (...args: never[]) => number): number;
    uninstallFunction(place: number): void;
    peekPtr(pointer: number): number;
  };
}

const HEADER = 100;
/** Read at a time, in bytes. */
const BUFFER = 256 << 10;
/** What is kept of pages that were overwritten while a moment was held, in bytes: then it is given up. */
const MOST_KEPT = 32 << 20;
/** Others in this thread have their turn after so long. In milliseconds. */
const TURN_MS = 10;
/** SQLITE_TXN_NONE, SQLITE_TXN_WRITE. */
const [NONE, WRITE] = [0, 2];

/** One moment of the file, while the database is written. */
interface Held {
  /** In bytes. */
  size: number;
  /** Pages as they were, of those that were written since; by their offset. */
  kept: Map<number, Uint8Array>;
  bytes: number;
  isLost: boolean;
}

/**
 * The database file of a connection whose pool this worker alone may write to. From when it is made on, until the
 * connection is closed, it tells which pages were written, and reads one moment while SQLite writes on: a page's old
 * content is kept when it is overwritten first. Nobody waits, and nothing is copied.
 *
 * What another connection to the same pool writes does not pass by here. It shows in the header: each of its commits
 * raises the change counter, and no other connection may write while one of ours holds an exclusive lock.
 */
export class SqliteWasmFile {
  static readonly #known = new WeakMap<SqliteWasmDatabase, SqliteWasmFile>();
  readonly #database: SqliteWasmDatabase;
  readonly #library: Internals;
  readonly #pointer: number;
  readonly #methods: Methods;
  readonly #buffer: number;
  readonly #held = new Set<Held>();
  /** Header of the last page 1 that was seen. */
  #header = new Uint8Array();
  #pageSize = 0;
  /** Names this object, and what it knows: another one after something was written that it did not see. */
  #id = crypto.randomUUID();
  /** How many marks were given. */
  #marks = 0;
  /** By page: how many marks had been given when it was written last, and one more. */
  #written = new Uint32Array();
  #isClosed = false;
  #turnAt = 0;

  /** The file of `database`; `undefined` where the library, or this version of it, does not show it. */
  static of(database: SqliteWasmDatabase, sqlite3: SqliteWasm): SqliteWasmFile | undefined {
    const known = SqliteWasmFile.#known.get(database);
    if (known && !known.#isClosed) return known;
    const library = sqlite3 as unknown as Internals;
    try {
      const pointer = pointerOf(database, library);
      const file = pointer === undefined ? undefined : new SqliteWasmFile(database, library, pointer);
      if (file) SqliteWasmFile.#known.set(database, file);
      return file;
    } catch {
      return undefined;
    }
  }

  private constructor(database: SqliteWasmDatabase, library: Internals, pointer: number) {
    this.#database = database;
    this.#library = library;
    this.#pointer = pointer;
    const { wasm, capi } = library;
    const file = new capi.sqlite3_file(pointer);
    const own = new capi.sqlite3_io_methods(file.$pMethods);
    this.#methods = own;
    this.#buffer = wasm.alloc(BUFFER);
    const watching = new capi.sqlite3_io_methods();
    const { sizeof } = capi.sqlite3_io_methods.structInfo;
    wasm.heap8u().copyWithin(watching.pointer, own.pointer, own.pointer + sizeof);
    const [write, truncate, close] = [own.$xWrite, own.$xTruncate, own.$xClose].map((place) =>
      wasm.functionEntry(place),
    );
    if (!write || !truncate || !close) throw new TypeError("a file without methods");
    watching.$xWrite = wasm.installFunction(
      "i(ppij)",
      (file: number, from: number, n: number, at: bigint) => {
        this.#seeing(() => this.#beforeWrite(from, n, Number(at)));
        return write(file, from, n, at);
      },
    );
    watching.$xTruncate = wasm.installFunction("i(pj)", (file: number, size: bigint) => {
      this.#seeing(() => this.#beforeTruncate(Number(size)));
      return truncate(file, size);
    });
    watching.$xClose = wasm.installFunction("i(p)", (pointer: number) => {
      this.#isClosed = true;
      for (const held of this.#held) held.isLost = true;
      const handle = new capi.sqlite3_file(pointer);
      handle.$pMethods = own.pointer;
      handle.dispose();
      const installed = [watching.$xWrite, watching.$xTruncate, watching.$xClose];
      // One of them is still on the stack.
      setTimeout(() => {
        for (const place of installed) wasm.uninstallFunction(place);
        wasm.dealloc(this.#buffer);
        watching.dispose();
        own.dispose();
      });
      return close(pointer);
    });
    file.$pMethods = watching.pointer;
    file.dispose();
    this.#reading(() => this.#seeHeader(this.#headerNow()));
  }

  /** Names the state as it is now, for {@link SqliteWasmFile.changedSince}. */
  mark(): string {
    this.#marks += 1;
    return `${this.#id}:${this.#marks}`;
  }

  /** The first bytes of the database, as they were seen last. */
  get header(): Uint8Array {
    return this.#header;
  }

  /** Pages that were written since that mark was given, ascending; `undefined` for marks of others. */
  changedSince(mark: string): Uint32Array | undefined {
    const [id, number] = mark.split(":");
    if (id !== this.#id || this.#isClosed) return undefined;
    const since = Number(number);
    const pages: number[] = [];
    for (const [index, at] of this.#written.entries()) if (at > since) pages.push(index + 1);
    return Uint32Array.from(pages);
  }

  /**
   * Holds the state as it is now, at once. Gives nothing while a statement is writing, nor in WAL mode, in which the file does
   * not hold all of it.
   *
   * @throws an error of the library when another connection is writing
   */
  hold(name: string): OpenImage | undefined {
    if (this.#isClosed || this.#transaction() === WRITE) return undefined;
    const size = this.#reading(() => {
      const header = this.#headerNow();
      if (!areEqual(header, this.#header)) this.#forget(header);
      return header[18] === 1 ? this.#size() : undefined;
    });
    if (size === undefined || this.#pageSize === 0) return undefined;
    const held: Held = { size, kept: new Map(), bytes: 0, isLost: false };
    this.#held.add(held);
    return {
      size,
      taken: "start",
      read: (offset, into) => this.#read(name, held, offset, into),
      close: async () => {
        this.#held.delete(held);
        if (held.isLost) throw changed(name);
      },
    };
  }

  async #read(name: string, held: Held, offset: number, into: Uint8Array): Promise<number> {
    if (performance.now() - this.#turnAt > TURN_MS) {
      await turn();
      this.#turnAt = performance.now();
    }
    if (held.isLost) throw changed(name);
    const wanted = into.subarray(0, Math.max(0, Math.min(into.length, held.size - offset)));
    try {
      this.#reading(() => {
        if (!areEqual(this.#headerNow(), this.#header)) throw changed(name);
        // What the file has lost since is among what was kept.
        const there = wanted.subarray(0, Math.max(0, this.#size() - offset));
        for (let at = 0; at < there.length; at += BUFFER) {
          this.#bytes(offset + at, there.subarray(at, at + BUFFER));
        }
      });
    } catch (error) {
      held.isLost = true;
      throw changed(name, error);
    }
    for (let at = offset - (offset % this.#pageSize); at < offset + wanted.length; at += this.#pageSize) {
      const page = held.kept.get(at);
      const from = Math.max(0, offset - at);
      if (page) wanted.set(page.subarray(from, offset + wanted.length - at), at + from - offset);
    }
    return wanted.length;
  }

  /** Runs `read` while the connection holds a lock that keeps other connections from writing. */
  #reading<T>(read: () => T): T {
    if (this.#transaction() !== NONE) return read();
    this.#database.exec("BEGIN");
    try {
      this.#database.selectValue("SELECT count(*) FROM sqlite_schema");
      return read();
    } finally {
      this.#database.exec("COMMIT");
    }
  }

  #transaction(): number {
    return this.#library.capi.sqlite3_txn_state(this.#database, "main");
  }

  #beforeWrite(from: number, length: number, offset: number): void {
    const before = offset === 0 ? this.#headerNow() : undefined;
    if (before && !areEqual(before, this.#header)) this.#forget(before);
    const isPage = length === this.#pageSize && offset % length === 0;
    if (isPage) this.#keep(offset, offset + length);
    if (offset === 0) this.#seeHeader(this.#library.wasm.heap8u().slice(from, from + HEADER));
    // What lies between the file's end and a page that is written behind it becomes zeros.
    if (isPage) this.#note(Math.min(offset, this.#size()), offset + length);
    else this.#forget(this.#header); // of another page size, or a part of a page
  }

  #beforeTruncate(size: number): void {
    this.#keep(size, Number.POSITIVE_INFINITY);
    if (this.#pageSize > 0) this.#note(size, this.#size());
  }

  /** Runs `see` before SQLite writes, which must go on whatever comes of it. */
  #seeing(see: () => void): void {
    try {
      see();
    } catch {
      this.#forget(new Uint8Array());
    }
  }

  /** Notes the pages from `start` up to `end` as written, in bytes. */
  #note(start: number, end: number): void {
    const [first, last] = [Math.floor(start / this.#pageSize), Math.ceil(end / this.#pageSize)];
    if (last > this.#written.length) {
      const longer = new Uint32Array(Math.max(1024, 2 * last));
      longer.set(this.#written);
      this.#written = longer;
    }
    this.#written.fill(this.#marks + 1, first, last);
  }

  /** Keeps what lies there, where a moment needs it that has not kept it. */
  #keep(start: number, end: number): void {
    for (const held of this.#held) {
      for (let at = start; at < Math.min(end, held.size) && !held.isLost; at += this.#pageSize) {
        if (held.kept.has(at)) continue;
        const page = new Uint8Array(this.#pageSize);
        this.#bytes(at, page);
        held.kept.set(at, page);
        held.bytes += page.length;
        held.isLost = held.bytes > MOST_KEPT;
      }
    }
  }

  /** Something was written that did not pass by here: no mark holds any more, and no moment. */
  #forget(header: Uint8Array<ArrayBuffer>): void {
    this.#id = crypto.randomUUID();
    this.#written = new Uint32Array();
    for (const held of this.#held) held.isLost = true;
    this.#seeHeader(header);
  }

  #seeHeader(header: Uint8Array<ArrayBuffer>): void {
    this.#header = header;
    const size = header.length < HEADER ? 0 : new DataView(header.buffer).getUint16(16);
    this.#pageSize = size === 1 ? 65_536 : size;
  }

  /** Shorter, or empty, in a database that nothing was written to. */
  #headerNow(): Uint8Array<ArrayBuffer> {
    const header = new Uint8Array(Math.min(HEADER, this.#size()));
    this.#bytes(0, header);
    return header;
  }

  #size(): number {
    const { wasm } = this.#library;
    wasm.functionEntry(this.#methods.$xFileSize)(this.#pointer, this.#buffer);
    return Number(new DataView(wasm.heap8u().buffer).getBigInt64(this.#buffer, true));
  }

  #bytes(offset: number, into: Uint8Array): void {
    const { wasm } = this.#library;
    const read = wasm.functionEntry(this.#methods.$xRead);
    const code = read(this.#pointer, this.#buffer, into.length, BigInt(offset));
    if (code !== 0) throw new Error(`SQLite could not read its file (${code})`);
    into.set(wasm.heap8u().subarray(this.#buffer, this.#buffer + into.length));
  }
}

/** Where the open file is, in the library's memory. */
function pointerOf(database: SqliteWasmDatabase, { capi, wasm }: Internals): number | undefined {
  const result = wasm.alloc(8);
  try {
    const code = capi.sqlite3_file_control(database, "main", capi.SQLITE_FCNTL_FILE_POINTER, result);
    return code === 0 ? wasm.peekPtr(result) || undefined : undefined;
  } finally {
    wasm.dealloc(result);
  }
}

function areEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}
