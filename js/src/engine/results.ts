// What a database answers.

/** A committed state. */
export interface State {
  bookmark: string;
  /** 16 hex digits. */
  txid: string;
  at: Date;
  pageSize: number;
  pageCount: number;
}

export interface Check {
  /** Whether nothing was found. There may be what could not be looked at: see `unchecked`. */
  ok: boolean;
  /** What SQLite says of tables, indexes and pages. */
  integrity: string[];
  /** Rows whose foreign key refers to none; at most 100 of each table. */
  foreignKeys: { table: string; rowid: bigint | undefined; parent: string; key: number }[];
  /** Every table and index, in the order of the schema; none when the schema cannot be read. */
  objects: CheckedObject[];
  /** What could not be looked at and what it takes, a sentence each. */
  unchecked: string[];
}

/** A table or an index, and what a check says of it. */
export interface CheckedObject {
  type: "table" | "index";
  name: string;
  /** The table that an index is on; a table's own name. */
  table: string;
  /**
   * Of an `unchecked` one the pages were looked at and are sound, where it has some. What they hold needs something that
   * this SQLite does not have, such as a collation.
   */
  state: "sound" | "damaged" | "unchecked";
  /** What is wrong with it, or what it needs. */
  details: string[];
}

export interface Imported {
  /** How many statements were run. */
  statements: number;
  /** How many rows they inserted, updated or deleted. */
  changes: number;
  /** The rowid of the last row that was inserted; a BigInt if a number cannot hold it. */
  lastInsertRowid: number | bigint;
}

/** A state that stays readable. */
export interface Hold extends AsyncDisposable {
  readonly bookmark: string;
  /** Prolongs the lease. @throws PagemarkError `PIN_UNKNOWN` when it ran out */
  renew(): void;
  /** Lets go; whether it was still held. */
  release(): boolean;
}

/** A moment: a bookmark, a TXID, a time, or an age such as `-1m`. */
export type StateAt = string | Date;
