import type { PageFiles } from "../core/index.ts";
import { SourceError } from "../errors/index.ts";

/** How a moment of a source is held. */
export interface PinOptions {
  /** {@link Moment.mark} at the last backup, from which a source can tell which pages changed since. */
  since?: string | undefined;
  /** The wanted state, by its {@link Moment.bookmark}; the newest unless given. A source without bookmarks has only that. */
  at?: string | undefined;
  /** Room for a source that has to make its pages first. */
  scratch?: Scratch | undefined;
  /** Opens the last backup, for such a source: its pages may then stay what they were there. The caller releases it. */
  previous?: (() => Promise<Moment>) | undefined;
  signal?: AbortSignal | undefined;
}

/** Blocks of bytes that are put away for a while, by number. */
export interface Scratch {
  put(block: number, bytes: Uint8Array): Promise<void>;
  get(block: number, signal?: AbortSignal): Promise<Uint8Array>;
  /** Removes all of them. */
  drop(): Promise<void>;
}

/** How a source takes a restored database. */
export interface ReplaceOptions {
  /** The source owns the body's chunks: it may detach each once it is written, to free its memory. */
  ownsChunks?: boolean;
  /** The body was proved to be what a backup holds, which is put there as it is. Otherwise a source may refuse a damaged database. */
  isProved?: boolean;
  signal?: AbortSignal | undefined;
}

/** Tables and views that are to take the place of those of the same names. */
export interface TableReplacement {
  /** Their names. */
  tables: readonly string[];
  /** SQL that makes and fills them where none of them is, statement by statement, without a transaction of its own. */
  statements: AsyncIterable<string>;
  /** Called when the database is as the transaction will find it; again, with others kept out, if somebody wrote after all. */
  before: () => Promise<void>;
  signal?: AbortSignal | undefined;
}

/** How long files are held, and waited for. */
export interface CheckpointOptions {
  /** For how long they are held unless that is renewed, in milliseconds; ten minutes unless given. */
  leaseMs?: number | undefined;
  /** How long to wait for a writer, in milliseconds; 10,000 unless given. */
  busyTimeoutMs?: number | undefined;
  /** Whether the process goes on for it when it has nothing else to do; true unless given. */
  keepsProcess?: boolean | undefined;
  signal?: AbortSignal | undefined;
}

/** What is told of files that are held. */
export interface CheckpointStatus {
  /** The real path of the database. */
  path: string;
  /** `wal`: writers go on. `rollback`: they wait. */
  mode: "wal" | "rollback";
  /** What to copy, in this order; what is not there need not be. Not the `-shm` file, which SQLite makes anew. */
  files: string[];
  since: Date;
  /** When they are released by themselves. */
  until: Date;
}

/** Files that are held until they are released, or their lease ends. */
export interface HeldFiles {
  status(): CheckpointStatus;
  /** Resolves when they are held no more: `released`, or `expired`, and `lost` when something else ended the transaction. */
  readonly ended: Promise<"released" | "expired" | "lost">;
  /** @throws PagemarkError `CHECKPOINT_NONE` when they were held no more: what was copied since may be no database */
  release(): Promise<void>;
}

/** A table under another name. */
export interface RenamedTable {
  /** A database that has nothing else. */
  moment: Moment;
  /** Names of triggers that were left out. */
  triggers: string[];
  /** Lets go of it. */
  end(): Promise<void>;
}

/** A table or view that was made anew. */
export interface ReplacedTable {
  name: string;
  /** Missing for a view. */
  rows?: number;
  /** Whether the database had one of that name. */
  replaced: boolean;
}

/**
 * A database whose pages can be read.
 *
 * Every driver passes the suite in `tests/contracts/source.ts`.
 */
export interface PageSource {
  /** Name of the database unless the user gives one: a file's name without its ending. */
  readonly name: string;

  /**
   * Holds one committed moment of the database. Release it soon: writers may have to wait or keep old pages.
   *
   * @throws SourceError
   * @throws DamageError when it is not a database
   */
  pin(options?: PinOptions): Promise<Moment>;

  /**
   * Replaces the database by the one in `body`, in one last step after all of `body` was read without an error. A crash
   * leaves the old or the new database, never a mixture. After `SOURCE_IN_USE`, or when `signal` aborts, the old one is
   * still there.
   *
   * @throws SourceError
   */
  replace?(body: ReadableStream<Uint8Array>, options?: ReplaceOptions): Promise<void>;

  /**
   * Makes some tables anew, and leaves the others as they are, in one transaction while the database is in use.
   *
   * @throws SourceError `SOURCE_REFUSED`, with the reason, where the other tables forbid it; nothing was changed then
   */
  replaceTables?(replacement: TableReplacement): Promise<ReplacedTable[]>;

  /**
   * The database in `body`, which has one table and what belongs to it, with that table called `to`. Its indexes have that name
   * before theirs, so that both tables can be in one database; its triggers are left out.
   *
   * @throws SourceError `SOURCE_REFUSED`
   */
  renameTable?(body: ReadableStream<Uint8Array>, from: string, to: string): Promise<RenamedTable>;

  /**
   * Holds the files of the database, so that a copy of them by other means is the database as it is now. Missing where there are none.
   *
   * @throws SourceError
   */
  checkpoint?(options?: CheckpointOptions): Promise<HeldFiles>;

  /** Follows the database's commits; nothing where that cannot be done now, as nobody has it open in WAL mode. */
  follow?(): Promise<Follower | undefined>;

  /** A text that differs once the database has changed; `undefined` while there is none. Costs a few system calls. */
  stamp?(): string | undefined;

  /**
   * When the database was changed last, in milliseconds since 1970, or later; never earlier. `undefined` while there is none.
   * Missing where the source cannot tell.
   */
  changedMs?(): number | undefined;
}

/** Frames of a WAL, to be taken up to the last commit among them. */
export interface WalFrames {
  /** The first 32 bytes of the WAL. */
  header: Uint8Array;
  /** What was taken before. */
  mark: string;
  /** What follows the mark. */
  bytes: Uint8Array;
}

/** Takes frames for good, which may be overwritten once it has returned, though not settled; returns the mark behind them, or nothing when there is no commit among them. */
export type TakeFrames = (frames: WalFrames) => Promise<string | undefined>;

/** `lost`: what was committed since cannot be told any more; a backup can, by comparing. */
export type Polled = "idle" | "news" | "lost";

/** Follows the commits of a database. */
export interface Follower {
  /** Says where to begin: the {@link Moment.mark} of a moment that was pinned after the follower was opened. */
  begin(mark: string | undefined): void;
  /** Hands over what was committed since the last call. Costs a few system calls where that is nothing. */
  poll(take: TakeFrames): Promise<Polled>;
  close(): Promise<void>;
}

/** Tells a database from others, in the source's own words. A backup keeps digests of these. */
export interface SourceIdentity {
  /** Where the database lies: its real path. */
  place?: string;
  /** A name that it keeps when it is moved. */
  file?: string;
  /** When it was made there, in milliseconds since 1970. */
  bornMs?: number;
}

/** One committed moment of a database, held until it is released. */
export interface Moment {
  /** In bytes. */
  readonly pageSize: number;
  readonly pageCount: number;
  /**
   * `start`: the moment at which `pin` was called. `end`: a later one, when all had been copied. `tracked`: such a one, too,
   * of a database that tells which rows changed.
   */
  readonly taken: "start" | "end" | "tracked";
  /** Names where the source stands, for {@link PinOptions.since} at the next backup. */
  readonly mark?: string;
  /** Pages that differ from the moment of `since`, ascending, each once; missing when the source cannot tell. */
  readonly changed?: Uint32Array;
  /** Tells the database from others of its name; missing where the source cannot tell. */
  readonly identity?: SourceIdentity;
  /** Number of pages behind the file's stated end, if they hold something. */
  readonly beyond?: number;
  /** The source's name for this state; as long as the state is kept, {@link PinOptions.at} pins it again. */
  readonly bookmark?: string;
  /**
   * Database checksum over all pages, 16 hex digits. A source that knows it, and the one at the moment of `since`,
   * spares the backup reading the fingerprints of what did not change.
   */
  readonly checksum?: string;
  /** {@link Moment.checksum} at the moment of `since`; present when `changed` is. */
  readonly checksumBefore?: string;

  /** Where another thread of this process may read the pages until the moment is released. */
  readonly files?: PageFiles | undefined;

  /** What could not be read of a damaged file, a sentence each; complete when all was read. */
  readonly notes?: readonly string[];

  /** Fills `into`, which holds whole pages, with the pages from `first` on (counted from 1). */
  read(first: number, into: Uint8Array, signal?: AbortSignal): Promise<void>;

  /** Fills `into` with the pages of these numbers, one after the other; for sources that are faster at that than at single reads. */
  readThese?(pages: Uint32Array, into: Uint8Array, signal?: AbortSignal): Promise<void>;

  /** Lets go. Idempotent. Throws when the moment did not hold: another process changed the file. */
  release(): Promise<void>;
}

/** The table that is in a database, of one row, as long as only a part of what is loaded into it is there. */
export const HALF_LOADED = "pagemark_half_loaded";

/** The table that tells which rows changed, where a database is tracked; and what its triggers' names begin with. */
export const CHANGES = "pagemark_changes";
export const TRIGGERS = "pagemark_tracks_";
/** A condition of sqlite_schema that is true of neither, for objects called `m`. */
export const NOT_TRACKING = `m.tbl_name <> '${CHANGES}' AND NOT (m.type = 'trigger' AND substr(m.name, 1, ${TRIGGERS.length}) = '${TRIGGERS}')`;

/** A value as a database that answers SQL gives it: not what is stored, where a JavaScript value cannot say it. */
export type Cell = null | number | string | ArrayBuffer | Uint8Array | readonly number[];

/** A value that every such database takes as a parameter. */
export type Bound = number | string | Uint8Array<ArrayBuffer>;

/** A query to a source of rows, with what is bound to it. */
export interface Query {
  /** One statement, with parameters named `?1`, `?2` … */
  sql: string;
  values?: readonly Bound[];
}

/** What a source of rows answers to queries that were asked at one moment. */
export interface Answers {
  /** Each query's rows, as arrays. */
  rows: Cell[][][];
  /** What the database takes, in bytes. */
  size: number;
  /** By how much this call raises `total_changes()` itself, once it is answered. */
  ownChanges?: number;
  /** How much of `total_changes()` is no change, of whomever. */
  noChanges?: number;
}

/**
 * A database that answers SQL and gives no pages: D1, the storage of a Durable Object.
 *
 * Every driver passes the suite in `tests/contracts/row-source.ts`.
 */
export interface RowSource {
  /** What the database is called unless the user names it. */
  readonly name: string;
  /** Whether BLOBs come as bytes. Otherwise they come as lists of numbers, and shorter ones are asked for as hex digits. */
  readonly carriesBlobs: boolean;
  /** Whether infinite reals, and the sign of zero, come through. */
  readonly carriesReals: boolean;
  /**
   * Whether triggers tell which rows changed: a table of ours, `pagemark_changes`, and three to five triggers on each table,
   * made at the next backup. See `docs/d1.md`, and `untrack`.
   */
  readonly tracking?: boolean;
  /** How much to ask for at once, in bytes. */
  readonly answerBytes: number;
  /** Whether it answers at once, in the thread of those who write. */
  readonly isHere?: boolean;
  /** Lets others in this thread have their turn. */
  pause?(): Promise<void>;

  /**
   * Runs the queries as one transaction: what they answer is of one moment. Where changes are tracked, some of them write.
   *
   * @throws SourceError
   */
  ask(queries: readonly Query[], signal?: AbortSignal): Promise<Answers>;

  /**
   * Runs statements as one transaction; missing where the database can only be read. When it fails, whether they were run
   * may be unknown.
   *
   * @throws SourceError `SOURCE_REFUSED` when the database did not take a statement, and none of them was run
   */
  write?(statements: readonly string[], signal?: AbortSignal): Promise<void>;
}

/** A database that takes SQL, too. */
export interface RowTarget extends RowSource {
  write: NonNullable<RowSource["write"]>;
  /** For tables that are referred to and are not there: of what {@link PageSource}s that read rows have. */
  standIns?(): StandIns;
}

/** Finds parent tables that are missing, by the statements that make the others. */
export interface StandIns {
  /** Whether rows begin with the statement, before which all tables are made. */
  note(statement: string): boolean;
  /** Statements that make them, empty, and that remove them. @param there names of tables that are there, in lower case */
  statements(there: ReadonlySet<string>): { make: string[]; remove: string[] };
}

/** What {@link checkRead} must know of a moment. */
export interface Readable extends Pick<Moment, "pageSize" | "pageCount"> {
  /** The source's name, for errors. */
  name: string;
  isReleased: boolean;
}

/**
 * Refuses what no {@link Moment.read} may do. Every driver's begins with it.
 *
 * @throws SourceError `SOURCE_RELEASED`, or `SOURCE_RANGE` when `into` is not filled by whole pages from `first` on
 */
export function checkRead(moment: Readable, first: number, into: Uint8Array): void {
  const { name, pageSize, pageCount, isReleased } = moment;
  const at = { name, page: first };
  if (isReleased) throw new SourceError("SOURCE_RELEASED", `${name}: the moment was already released`, at);
  const count = into.length / pageSize;
  const isWhole = Number.isInteger(first) && Number.isInteger(count);
  if (isWhole && first >= 1 && first + count - 1 <= pageCount) return;
  const message = `${into.length} bytes from page ${first} are not whole pages of the ${pageCount} there are`;
  throw new SourceError("SOURCE_RANGE", message, at);
}
