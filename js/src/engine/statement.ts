import { dispose } from "../core/dispose.ts";
import type { EngineDatabase, EnginePrepared as Prepared } from "../core/index.ts";
import { PagemarkError } from "../errors/index.ts";
import type { Handle } from "./handle.ts";
import { run } from "./room.ts";
import {
  encodeValues,
  type IntegerOptions,
  type SqlParameter,
  type SqlValue,
  ValueReader,
} from "./values.ts";

/** A row, by the names of its columns. Of columns of the same name the last one counts. */
export type Row = Record<string, SqlValue>;

/** Parameters of a statement: values in order, or one object with a value for each name. */
export type Parameters = SqlParameter[] | [Readonly<Record<string, SqlParameter>>];

/** What a statement that returns no rows did. */
export interface RunResult {
  /** Number of rows that an INSERT, UPDATE or DELETE changed. */
  changes: number;
  /** The rowid of the last INSERT; a BigInt if a number cannot hold it. */
  lastInsertRowid: number | bigint;
}

/** Most bytes and rows that are fetched at once, so that a long result takes little memory. */
const FETCH_BYTES = 64 << 10;
const FETCH_ROWS = 4096;
/** Length of the head before rows, in bytes (see `fetch` of the engine). */
const HEAD = 9;

/** A compiled statement. It ends with its database, or when it is disposed. */
export class Statement implements Disposable {
  /** The statement's text. */
  readonly sql: string;
  /** Whether the statement leaves the database as it is. */
  readonly readonly: boolean;
  readonly #handle: Handle;
  readonly #id: number;
  readonly #names: readonly string[];
  readonly #options: IntegerOptions;
  /** Grows with each execution, so that an iteration notices another one that began after it. */
  #execution = 0;
  #isDisposed = false;
  /** The names of its columns, as they were under the number beside them. */
  #columns: readonly string[] = [];
  #shape: number | undefined;

  /** @internal The first statement of a text. */
  static next(
    handle: Handle,
    sql: string,
    options: IntegerOptions,
  ): { statement: Statement; rest: string } | undefined {
    const prepared = handle.engine.prepare(sql, Date.now());
    if (!prepared) return undefined;
    const { rest } = prepared;
    return {
      statement: new Statement(handle, prepared, sql.slice(0, sql.length - rest.length), options),
      rest,
    };
  }

  /** @internal The only statement of a text. */
  static only(handle: Handle, sql: string, options: IntegerOptions): Statement {
    const next = Statement.next(handle, sql, options);
    if (!next) throw new PagemarkError("USAGE", "there is no statement in the text");
    const { statement, rest } = next;
    if (/\S/.test(rest) && hasStatement(handle.engine, rest)) {
      statement[dispose]();
      throw new PagemarkError("USAGE", "there is more than one statement in the text; exec() runs several");
    }
    return statement;
  }

  private constructor(handle: Handle, prepared: Prepared, sql: string, options: IntegerOptions) {
    this.#handle = handle;
    this.#id = prepared.id;
    this.#names = prepared.parameters;
    this.#options = options;
    this.readonly = prepared.readonly;
    this.sql = sql;
    prepared.free();
  }

  /** Runs it, without looking at rows. */
  run(...parameters: Parameters): RunResult {
    this.#execution++;
    const database = this.#database;
    const changes = run(database, this.#id, this.#values(parameters));
    const rowid = database.lastRowid;
    return { changes, lastInsertRowid: Number.isSafeInteger(rowid) ? rowid : database.lastInsertRowid };
  }

  /** The first row; `undefined` when there is none. */
  get(...parameters: Parameters): Row | undefined {
    const fetched = this.#query(parameters, 1);
    if (!fetched.done) this.#end();
    return fetched.rows === 0 ? undefined : reading(fetched)();
  }

  /** Every row. */
  all(...parameters: Parameters): Row[] {
    return this.#rows(parameters, reading);
  }

  /** Every row, as an array of its values. */
  values(...parameters: Parameters): SqlValue[][] {
    return this.#rows(parameters, readingValues);
  }

  /** One row after the other. Until the iteration has ended, the statement must not be run in another way. */
  iterate(...parameters: Parameters): Generator<Row, void, void> {
    return this.#iterate(parameters, reading);
  }

  /** As {@link iterate}, each row as an array of its values. */
  iterateValues(...parameters: Parameters): Generator<SqlValue[], void, void> {
    return this.#iterate(parameters, readingValues);
  }

  /** The names of its columns; none for a statement that returns no rows. */
  get columns(): string[] {
    return this.#database.columns(this.#id);
  }

  /**
   * Number of rows of tables and entries of indexes that all executions of the statement have read, and that they have
   * written.
   */
  get rowCounts(): { rowsRead: number; rowsWritten: number } {
    const [rowsRead = 0, rowsWritten = 0] = this.#database.rowCounts(this.#id);
    return { rowsRead, rowsWritten };
  }

  /** Ends the statement. */
  [dispose](): void {
    this.#isDisposed = true;
    if (!this.#handle.isClosed) this.#handle.engine.finalize(this.#id);
  }

  /** @internal The statement itself, if it is of this database: others have statements with the same numbers. */
  of(handle: Handle): this {
    if (handle === this.#handle) return this;
    throw new PagemarkError("USAGE", "the statement belongs to another database");
  }

  /** @internal Whether the statement may change the columns of others; also `true` for some that do not. */
  get changesSchema(): boolean {
    return !this.readonly && !/^\s*(INSERT|UPDATE|DELETE|REPLACE|WITH)\b/i.test(this.sql);
  }

  /** @internal For `batch`. */
  get id(): number {
    return this.#id;
  }

  /** @internal Decodes rows that `batch` or `fetch` gave. */
  decode(pieces: readonly Uint8Array[]): Row[] {
    const rows: Row[] = [];
    for (const piece of pieces) {
      const fetched = this.#head(piece);
      const read = reading(fetched);
      for (let row = 0; row < fetched.rows; row++) rows.push(read());
    }
    return rows;
  }

  /** @internal Begins an execution: encodes its parameters. */
  begin(parameters: Parameters): Uint8Array {
    this.#execution++;
    return this.#encode(parameters).slice();
  }

  #rows<R>(parameters: Parameters, reading: (fetched: Fetched) => () => R): R[] {
    const rows: R[] = [];
    let fetched = this.#query(parameters, FETCH_ROWS);
    for (;;) {
      const read = reading(fetched);
      for (let row = 0; row < fetched.rows; row++) rows.push(read());
      if (fetched.done) return rows;
      fetched = this.#fetch(FETCH_ROWS);
    }
  }

  *#iterate<R>(parameters: Parameters, reading: (fetched: Fetched) => () => R): Generator<R, void, void> {
    let fetched = this.#query(parameters, FETCH_ROWS);
    const execution = this.#execution;
    try {
      for (;;) {
        const read = reading(fetched);
        for (let row = 0; row < fetched.rows; row++) yield read();
        if (fetched.done) return;
        if (execution !== this.#execution) {
          throw new PagemarkError(
            "USAGE",
            "the statement was run again before its rows were read to the end",
          );
        }
        fetched = this.#fetch(FETCH_ROWS);
      }
    } finally {
      if (!fetched.done && execution === this.#execution && !this.#handle.isClosed) this.#end();
    }
  }

  get #database(): EngineDatabase {
    return this.#handle.idle;
  }

  /** Ends an execution whose further rows are not wanted. A statement that writes is run to its end first. */
  #end(): void {
    if (this.#isDisposed) return;
    if (this.readonly) this.#database.reset(this.#id);
    else while (!this.#fetch(FETCH_ROWS).done);
  }

  #query(parameters: Parameters, maxRows: number): Fetched {
    this.#execution++;
    return this.#head(
      this.#database.query(this.#id, this.#encode(parameters), maxRows, FETCH_BYTES, Date.now()),
    );
  }

  #fetch(maxRows: number): Fetched {
    return this.#head(this.#database.fetch(this.#id, maxRows, FETCH_BYTES, Date.now()));
  }

  #head(bytes: Uint8Array): Fetched {
    const head = new DataView(bytes.buffer, bytes.byteOffset, HEAD);
    const shape = head.getUint32(5, true);
    if (shape !== this.#shape) {
      this.#columns = this.#database.columns(this.#id);
      this.#shape = shape;
    }
    const reader = new ValueReader(bytes.subarray(HEAD), this.#options);
    return { rows: head.getUint32(0, true), done: head.getUint8(4) === 1, columns: this.#columns, reader };
  }

  #encode(parameters: Parameters): Uint8Array {
    return encodeValues(this.#values(parameters));
  }

  /** The values of its parameters in their order. */
  #values(parameters: Parameters): SqlParameter[] {
    const [named] = parameters;
    if (parameters.length !== 1 || !isNamed(named)) return parameters as SqlParameter[];
    return this.#names.map((name) => namedValue(named, name));
  }
}

interface Fetched {
  rows: number;
  done: boolean;
  columns: readonly string[];
  reader: ValueReader;
}

function reading({ columns, reader }: Fetched): () => Row {
  if (columns.includes("__proto__")) {
    return () => Object.fromEntries(columns.map((column) => [column, reader.next()]));
  }
  return () => {
    const row: Row = {};
    for (const column of columns) row[column] = reader.next();
    return row;
  };
}

function readingValues({ columns, reader }: Fetched): () => SqlValue[] {
  return () => columns.map(() => reader.next());
}

function hasStatement(database: EngineDatabase, sql: string): boolean {
  try {
    const prepared = database.prepare(sql, Date.now());
    if (prepared) {
      database.finalize(prepared.id);
      prepared.free();
    }
    return prepared !== undefined;
  } catch {
    // The text is neither a statement that SQLite understands nor empty.
    return true;
  }
}

/** Whether `value` is an object of values by name, and no array, date, bytes, or such. */
function isNamed(value: unknown): value is Readonly<Record<string, SqlParameter>> {
  return Object.prototype.toString.call(value) === "[object Object]";
}

/** The value of `:name`, `@name` or `$name`, given with its prefix or without. */
function namedValue(named: Readonly<Record<string, SqlParameter>>, name: string): SqlParameter {
  const bare = name.slice(1);
  if (Object.hasOwn(named, name)) return named[name];
  if (name !== "" && Object.hasOwn(named, bare)) return named[bare];
  throw new PagemarkError("USAGE", `the statement's parameter ${name || "?"} was given no value`);
}

/** Runs statements in one transaction with one call of the engine, and gives the rows of each. */
export function runBatch(
  handle: Handle,
  engine: EngineDatabase,
  bound: readonly (readonly [Statement, ...Parameters])[],
): Row[][] {
  const values = bound.map(([statement, ...parameters]) =>
    statement.of(handle).begin(parameters as Parameters),
  );
  const ids = Uint32Array.from(bound, ([statement]) => statement.id);
  const lengths = Uint32Array.from(values, ({ length }) => length);
  const all = new Uint8Array(lengths.reduce((sum, length) => sum + length, 0));
  let at = 0;
  for (const each of values) {
    all.set(each, at);
    at += each.length;
  }
  const results = engine.batch(ids, lengths, all, Date.now()) as Uint8Array[][];
  return bound.map(([statement], index) => statement.decode(results[index] ?? []));
}
