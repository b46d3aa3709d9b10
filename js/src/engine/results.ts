// Types of what a database answers.

/** A committed state. */
export interface State {
  bookmark: string;
  /** 16 hex digits. */
  txid: string;
  at: Date;
  pageSize: number;
  pageCount: number;
}

/** What `check()` found. */
export interface Check {
  /** Whether no problem was found. Something may not have been checked: see `unchecked`. */
  ok: boolean;
  /** Problems of tables, indexes and pages, in SQLite's words. */
  integrity: string[];
  /** Rows whose foreign key refers to no row; at most 100 of each table. */
  foreignKeys: { table: string; rowid: bigint | undefined; parent: string; key: number }[];
  /** Every table and index, in the order of the schema; none when the schema cannot be read. */
  objects: CheckedObject[];
  /** What could not be checked and what that takes, a sentence each. */
  unchecked: string[];
}

/** The result of a check for a table or an index. */
export interface CheckedObject {
  type: "table" | "index";
  name: string;
  /** The table that an index is on; a table's own name. */
  table: string;
  /**
   * `unchecked`: its pages are sound, but checking their content takes something that this SQLite does not have, such as a
   * collation.
   */
  state: "sound" | "damaged" | "unchecked";
  /** What is wrong with it, or what checking it needs. */
  details: string[];
}

/** What an import of SQL did. */
export interface Imported {
  /** Number of statements that were run. */
  statements: number;
  /** Number of rows that they inserted, updated or deleted. */
  changes: number;
  /** The rowid of the last row that was inserted; a BigInt if a number cannot hold it. */
  lastInsertRowid: number | bigint;
  /** What a D1 export has lost, a sentence each. */
  warnings: string[];
}

/** A state that stays readable. */
export interface Hold extends AsyncDisposable {
  readonly bookmark: string;
  /** Prolongs the lease. @throws PagemarkError `PIN_UNKNOWN` when it ran out */
  renew(): void;
  /** Lets go. Returns whether the state was still held. */
  release(): boolean;
}

/** A moment: a bookmark, a TXID, a time, or an age such as `-1m`. */
export type StateAt = string | Date;
