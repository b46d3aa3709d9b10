import type { Replaced } from "./page-versions.ts";

type Value = number | string | null | ArrayBuffer | Uint8Array;

/** Of a Durable Object's `ctx.storage` (SQLite-backed), what the store needs. */
export interface DurableObjectStorageLike {
  readonly sql: {
    exec(sql: string, ...bindings: Value[]): { raw(): Iterable<unknown[]> };
  };
  transactionSync<T>(action: () => T): T;
}

/** A commit, as `pagemark_commits` has it: TXID, time, page size, page count, checksum. */
export type CommitRow = [txid: number, timeMs: number, pageSize: number, pageCount: number, checksum: string];

/** The one row of `pagemark_meta`. */
export interface Meta {
  lineage: string;
  from: number;
  /** Ascending. */
  pins: number[];
  /** What `pagemark_replaced` has up to this place has been looked at: the pins hold it. */
  sweptAt: number;
  sweptPgno: number;
}

const FORMAT = 1;
/** A version by its page and TXID; without a rowid a page is written once, and found by one seek. */
const TABLES = [
  `CREATE TABLE pagemark_meta (id INTEGER PRIMARY KEY CHECK (id = 1), format INTEGER NOT NULL, lineage TEXT NOT NULL,
    keep_from INTEGER NOT NULL, pins TEXT NOT NULL, swept_at INTEGER NOT NULL, swept_pgno INTEGER NOT NULL)`,
  `CREATE TABLE pagemark_commits (txid INTEGER PRIMARY KEY, time_ms INTEGER NOT NULL, page_size INTEGER NOT NULL,
    page_count INTEGER NOT NULL, checksum TEXT NOT NULL)`,
  `CREATE TABLE pagemark_versions (pgno INTEGER NOT NULL, txid INTEGER NOT NULL, page BLOB NOT NULL,
    PRIMARY KEY (pgno, txid)) WITHOUT ROWID`,
  "CREATE INDEX pagemark_versions_by_txid ON pagemark_versions (txid, pgno)",
  `CREATE TABLE pagemark_replaced (replaced_at INTEGER NOT NULL, pgno INTEGER NOT NULL, txid INTEGER NOT NULL,
    PRIMARY KEY (replaced_at, pgno)) WITHOUT ROWID`,
];

/** Rows that go into one statement, as JSON: it takes 100 parameters, and 2,000,000 bytes in each. */
const ROWS_A_STATEMENT = 4096;

/** The tables of the store, and all the SQL that is run on them. Transactions are for the caller to begin. */
export class DurableObjectTables {
  readonly #sql: DurableObjectStorageLike["sql"];
  #exist = false;

  constructor(sql: DurableObjectStorageLike["sql"]) {
    this.#sql = sql;
  }

  /** Whether they are there. What was seen in the storage stays there; what was just created may be rolled back. */
  exist(): boolean {
    this.#exist ||= this.#one("SELECT 1 FROM sqlite_master WHERE name = 'pagemark_meta'") !== undefined;
    return this.#exist;
  }

  create(): void {
    for (const table of TABLES) this.#rows(table);
  }

  meta(): Meta | undefined {
    const row = this.#one(
      "SELECT format, lineage, keep_from, pins, swept_at, swept_pgno FROM pagemark_meta WHERE id = 1",
    );
    if (!row) return undefined;
    const [format, lineage, from, pins, sweptAt, sweptPgno] = row as [
      number,
      string,
      number,
      string,
      number,
      number,
    ];
    if (format !== FORMAT) {
      throw new Error(
        `the storage holds pages in format ${format}, written by a newer version of this package`,
      );
    }
    return { lineage, from, pins: JSON.parse(pins) as number[], sweptAt, sweptPgno };
  }

  setMeta({ lineage, from, pins, sweptAt, sweptPgno }: Meta): void {
    this.#rows(
      "INSERT OR REPLACE INTO pagemark_meta VALUES (1, ?, ?, ?, ?, ?, ?)",
      FORMAT,
      lineage,
      from,
      JSON.stringify(pins),
      sweptAt,
      sweptPgno,
    );
  }

  commits(): CommitRow[] {
    return this.#rows(
      "SELECT txid, time_ms, page_size, page_count, checksum FROM pagemark_commits ORDER BY txid",
    ) as CommitRow[];
  }

  /** The newest commit's TXID and page count. */
  newest(): [txid: number, pageCount: number] | undefined {
    return this.#one("SELECT txid, page_count FROM pagemark_commits ORDER BY txid DESC LIMIT 1") as
      | [number, number]
      | undefined;
  }

  addCommit(row: CommitRow): void {
    this.#rows("INSERT INTO pagemark_commits VALUES (?, ?, ?, ?, ?)", ...row);
  }

  /** The TXIDs of the oldest commits, all before `txid`. */
  oldestCommits(txid: number, limit: number): number[] {
    const sql = "SELECT txid FROM pagemark_commits WHERE txid < ? ORDER BY txid LIMIT ?";
    return (this.#rows(sql, txid, limit) as [number][]).map(([txid]) => txid);
  }

  dropCommits(txids: readonly number[]): void {
    this.#each("DELETE FROM pagemark_commits WHERE txid IN (SELECT value FROM json_each(?))", txids);
  }

  page(pgno: number, txid: number): Uint8Array | undefined {
    const sql = "SELECT page FROM pagemark_versions WHERE pgno = ? AND txid <= ? ORDER BY txid DESC LIMIT 1";
    const page = this.#one(sql, pgno, txid)?.[0];
    if (page instanceof ArrayBuffer) return new Uint8Array(page);
    return page instanceof Uint8Array ? page : undefined;
  }

  addPage(pgno: number, txid: number, page: Uint8Array): void {
    this.#rows("INSERT INTO pagemark_versions VALUES (?, ?, ?)", pgno, txid, page);
  }

  /** The TXIDs of the pages' newest versions; of pages that have none, nothing. */
  newestVersions(pgnos: readonly number[]): [pgno: number, txid: number][] {
    const sql = `SELECT value, (SELECT txid FROM pagemark_versions WHERE pgno = value ORDER BY txid DESC LIMIT 1)
      FROM json_each(?)`;
    const rows = this.#each(sql, pgnos) as [number, number | null][];
    return rows.filter((row): row is [number, number] => row[1] !== null);
  }

  dropVersions(versions: readonly Replaced[]): void {
    this.#each(
      `DELETE FROM pagemark_versions WHERE (pgno, txid) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?))`,
      versions.map(({ pgno, txid }) => [pgno, txid]),
    );
  }

  addReplaced(versions: readonly Replaced[]): void {
    this.#each(
      "INSERT INTO pagemark_replaced SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?)",
      versions.map(({ replacedAt, pgno, txid }) => [replacedAt, pgno, txid]),
    );
  }

  /** What was replaced at `upto` or before, and comes after the place that `meta` says. */
  replaced({ sweptAt, sweptPgno }: Meta, upto: number, limit: number): Replaced[] {
    const sql = `SELECT replaced_at, pgno, txid FROM pagemark_replaced
      WHERE (replaced_at, pgno) > (?, ?) AND replaced_at <= ? ORDER BY replaced_at, pgno LIMIT ?`;
    const rows = this.#rows(sql, sweptAt, sweptPgno, upto, limit) as [number, number, number][];
    return rows.map(([replacedAt, pgno, txid]) => ({ replacedAt, pgno, txid }));
  }

  dropReplaced(versions: readonly Replaced[]): void {
    this.#each(
      `DELETE FROM pagemark_replaced
        WHERE (replaced_at, pgno) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?))`,
      versions.map(({ replacedAt, pgno }) => [replacedAt, pgno]),
    );
  }

  changed(after: number, upto: number): number[] {
    const sql = "SELECT DISTINCT pgno FROM pagemark_versions WHERE txid > ? AND txid <= ? ORDER BY pgno";
    return (this.#rows(sql, after, upto) as [number][]).map(([pgno]) => pgno);
  }

  #one(sql: string, ...bindings: Value[]): unknown[] | undefined {
    return this.#rows(sql, ...bindings)[0];
  }

  /** Reads a statement to its end: only then it has done all its work, and is there to be used again. */
  #rows(sql: string, ...bindings: Value[]): unknown[][] {
    return [...this.#sql.exec(sql, ...bindings).raw()];
  }

  /** Runs a statement whose parameter is a JSON array, for as many items as fit at a time. */
  #each(sql: string, items: readonly unknown[]): unknown[][] {
    const rows: unknown[][] = [];
    for (let at = 0; at < items.length; at += ROWS_A_STATEMENT) {
      rows.push(...this.#rows(sql, JSON.stringify(items.slice(at, at + ROWS_A_STATEMENT))));
    }
    return rows;
  }
}
