import { free } from "../core/index.ts";
import type { Kept, Replaced } from "./page-versions.ts";

type Value = number | string | null | ArrayBuffer | Uint8Array;

/** The part of a Durable Object's `ctx.storage` (SQLite-backed) that the store needs. */
export interface DurableObjectStorageLike {
  readonly sql: {
    exec(sql: string, ...bindings: Value[]): { raw(): Iterable<unknown[]> };
    /** In bytes. */
    readonly databaseSize?: number;
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
  // Versions above the newest commit's TXID are staged by the Database that the row names.
  "CREATE TABLE pagemark_staging (id INTEGER PRIMARY KEY CHECK (id = 1), owner INTEGER NOT NULL)",
  `CREATE TABLE pagemark_scratch (owner INTEGER NOT NULL, file INTEGER NOT NULL, block INTEGER NOT NULL,
    bytes BLOB NOT NULL, PRIMARY KEY (owner, file, block)) WITHOUT ROWID`,
];

/** Pages that one statement takes: each has three parameters, and a statement at most 100. */
const PAGES_A_STATEMENT = 33;
const INTO_VERSIONS = "INTO pagemark_versions VALUES (?, ?, ?)";
const MORE_VERSIONS = ", (?, ?, ?)";
/** Page numbers that one statement goes through when a large commit ends the versions before it. */
const PAGES_ENDED_AT_A_TIME = 1 << 16;

/** Neither the pages nor what is beside them in the table's b-tree is read then, which is most of the database. */
const BY_TXID = "INDEXED BY pagemark_versions_by_txid";
/** SQL: whether the commit of TXID ?1, with ?2 pages, replaces the page of version `old` or is too short for it. */
const IS_ENDED = `(pgno > ?2
  OR EXISTS (SELECT 1 FROM pagemark_versions AS new ${BY_TXID} WHERE new.pgno = old.pgno AND new.txid = ?1))`;

/** Rows that go into one statement, as JSON: it takes 100 parameters, and 2,000,000 bytes in each. */
const ROWS_A_STATEMENT = 4096;

/** The tables of the store, and all SQL that runs on them. The caller begins transactions. */
export class DurableObjectTables {
  readonly #sql: DurableObjectStorageLike["sql"];
  #exist = false;

  constructor(sql: DurableObjectStorageLike["sql"]) {
    this.#sql = sql;
  }

  /** Whether the tables exist. Tables that were found stay; tables that were just created may be rolled back. */
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

  /** The newest commit's TXID, page count and page size. */
  newest(): [txid: number, pageCount: number, pageSize: number] | undefined {
    const sql = "SELECT txid, page_count, page_size FROM pagemark_commits ORDER BY txid DESC LIMIT 1";
    return this.#one(sql) as [number, number, number] | undefined;
  }

  addCommit(row: CommitRow): void {
    this.#rows("INSERT INTO pagemark_commits VALUES (?, ?, ?, ?, ?)", ...row);
  }

  /** The TXIDs of the commits from `first` on and before `end`, and of the one before these. */
  commitsBetween(first: number, end: number): number[] {
    const sql = `SELECT txid FROM pagemark_commits WHERE txid < ?2 AND txid >=
      coalesce((SELECT max(txid) FROM pagemark_commits WHERE txid < ?1), 0) ORDER BY txid`;
    return (this.#rows(sql, first, end) as [number][]).map(([txid]) => txid);
  }

  dropCommits(txids: readonly number[]): void {
    this.#each("DELETE FROM pagemark_commits WHERE txid IN (SELECT value FROM json_each(?))", txids);
  }

  page(pgno: number, txid: number): Uint8Array | undefined {
    const sql = "SELECT page FROM pagemark_versions WHERE pgno = ? AND txid <= ? ORDER BY txid DESC LIMIT 1";
    return bytesOf(this.#one(sql, pgno, txid)?.[0]);
  }

  /** Adds versions; with `replacing`, existing ones are replaced. Frees the pages, which were made for this. */
  addPages(txid: number, pgnos: Uint32Array, pages: readonly Uint8Array[], how?: "replacing"): void {
    for (let first = 0; first < pgnos.length; first += PAGES_A_STATEMENT) {
      const count = Math.min(PAGES_A_STATEMENT, pgnos.length - first);
      const sql = `${how ? "REPLACE" : "INSERT"} ${INTO_VERSIONS}${MORE_VERSIONS.repeat(count - 1)}`;
      const row = (at: number): Value[] => [pgnos[at] ?? 0, txid, pages[at] ?? new Uint8Array()];
      this.#rows(sql, ...Array.from({ length: count }, (_, index) => row(first + index)).flat());
    }
    for (const page of pages) free(page);
  }

  /** The TXIDs of the pages' newest committed versions, where they have one. */
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
  replaced(
    { sweptAt, sweptPgno }: Pick<Meta, "sweptAt" | "sweptPgno">,
    upto: number,
    limit: number,
  ): Replaced[] {
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
    const changed: number[] = [];
    // There may be very many: none of the rows is kept.
    for (const [pgno] of this.#sql.exec(sql, after, upto).raw()) changed.push(pgno as number);
    return changed;
  }

  /** Which Database has staged versions above the newest commit's. */
  stagedBy(): number | undefined {
    return this.#one("SELECT owner FROM pagemark_staging")?.[0] as number | undefined;
  }

  setStagedBy(owner: number): void {
    this.#rows("REPLACE INTO pagemark_staging VALUES (1, ?)", owner);
  }

  /** Forgets what is staged beside the commit of `txid`: it is committed, or gone. */
  endStaging(): void {
    this.#rows("DELETE FROM pagemark_staging");
  }

  /** Drops the versions after `txid`, of pages after `pgno`. */
  dropVersionsAfter(txid: number, pgno = 0): void {
    this.#rows("DELETE FROM pagemark_versions WHERE txid > ? AND pgno > ?", txid, pgno);
  }

  /**
   * Ends, for a commit of `txid` whose versions are all there, those that it replaces or, beyond its `pageCount`, shrinks
   * away, of a database of `before` pages: notes those that `kept` needs, and drops the others. None of them is read.
   */
  endVersions(txid: number, pageCount: number, before: number, { from, pins }: Kept): void {
    const isEveryNeeded = txid > from;
    // All pins are before `from`: the last one needs what was there by then.
    const lastPin = isEveryNeeded ? txid : (pins.at(-1) ?? 0);
    for (let first = 1; first <= before; first += PAGES_ENDED_AT_A_TIME) {
      const last = Math.min(before, first + PAGES_ENDED_AT_A_TIME - 1);
      const args = [txid, pageCount, first, last, lastPin];
      this.#rows(
        `INSERT INTO pagemark_replaced SELECT ?1, pgno, max(txid) AS ended FROM pagemark_versions AS old ${BY_TXID}
          WHERE pgno BETWEEN ?3 AND ?4 AND txid < ?1 AND ${IS_ENDED} GROUP BY pgno HAVING ended <= ?5`,
        ...args,
      );
      if (isEveryNeeded) continue;
      this.#rows(
        `DELETE FROM pagemark_versions AS old
          WHERE pgno BETWEEN ?3 AND ?4 AND txid < ?1 AND txid > ?5 AND ${IS_ENDED}`,
        ...args,
      );
    }
  }

  /** Whether anything uncommitted is stored. */
  hasScratch(): boolean {
    const sql = "SELECT EXISTS (SELECT 1 FROM pagemark_staging) OR EXISTS (SELECT 1 FROM pagemark_scratch)";
    return this.#one(sql)?.[0] === 1;
  }

  dropScratch(): void {
    this.#rows("DELETE FROM pagemark_scratch");
  }

  block(owner: number, file: number, block: number): Uint8Array | undefined {
    const sql = "SELECT bytes FROM pagemark_scratch WHERE owner = ? AND file = ? AND block = ?";
    return bytesOf(this.#one(sql, owner, file, block)?.[0]);
  }

  setBlock(owner: number, file: number, block: number, bytes: Uint8Array): void {
    this.#rows("REPLACE INTO pagemark_scratch VALUES (?, ?, ?, ?)", owner, file, block, bytes);
  }

  dropFile(owner: number, file: number): void {
    this.#rows("DELETE FROM pagemark_scratch WHERE owner = ? AND file = ?", owner, file);
  }

  #one(sql: string, ...bindings: Value[]): unknown[] | undefined {
    return this.#rows(sql, ...bindings)[0];
  }

  /** Reads a statement to its end: only then it has done all its work, and can be used again. */
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

function bytesOf(blob: unknown): Uint8Array | undefined {
  if (blob instanceof ArrayBuffer) return new Uint8Array(blob);
  return blob instanceof Uint8Array ? blob : undefined;
}
