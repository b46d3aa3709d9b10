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
  /** Whether nothing was found. */
  ok: boolean;
  /** What `PRAGMA integrity_check` says. */
  integrity: string[];
  /** Rows whose foreign key refers to none; at most 100. */
  foreignKeys: { table: string; rowid: bigint | undefined; parent: string; key: number }[];
}

export interface Imported {
  /** How many statements were run. */
  statements: number;
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
