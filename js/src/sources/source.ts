import type { PageFiles } from "../core/index.ts";

export interface PinOptions {
  /** What {@link Moment.mark} was at the last backup; lets a source say which pages changed since. */
  since?: string | undefined;
  /** The state wanted, as {@link Moment.bookmark} named it; the newest unless given. A source without names has that only. */
  at?: string | undefined;
  signal?: AbortSignal | undefined;
}

export interface ReplaceOptions {
  /** No one else looks at the body's chunks again: a source may detach each once it is written, to free its memory. */
  ownsChunks?: boolean;
  signal?: AbortSignal | undefined;
}

/**
 * A database whose pages can be read.
 *
 * Every driver passes the suite in `tests/contracts/source.ts`.
 */
export interface PageSource {
  /** What the database is called unless the user names it: a file's name without its ending. */
  readonly name: string;

  /**
   * Holds one committed moment of the database. Release it soon: writers may have to wait or keep old pages.
   *
   * @throws SourceError
   * @throws DamageError when it is not a database
   */
  pin(options?: PinOptions): Promise<Moment>;

  /**
   * Puts the database in `body` in the place of this one, as the last step after all of `body` was read without an
   * error. A crash leaves the old or the new one, never a mixture. With `SOURCE_IN_USE`, and when `signal` aborts it, the
   * old one is still there.
   *
   * @throws SourceError
   */
  replace?(body: ReadableStream<Uint8Array>, options?: ReplaceOptions): Promise<void>;
}

/** What tells a database from others, in the source's own words. A backup keeps digests of it. */
export interface SourceIdentity {
  /** Where it lies: its real path. */
  place?: string;
  /** Names it wherever it is moved to. */
  file?: string;
  /** When it came into being there, in milliseconds since 1970. */
  bornMs?: number;
}

/** One committed moment of a database, held until it is released. */
export interface Moment {
  /** In bytes. */
  readonly pageSize: number;
  readonly pageCount: number;
  /** Whether it is the moment at which `pin` was called (`start`) or one shortly after (`end`). */
  readonly taken: "start" | "end";
  /** Names where the source stands, for {@link PinOptions.since} at the next backup. */
  readonly mark?: string;
  /** Pages that differ from the moment of `since`, ascending, each once; missing when the source cannot tell. */
  readonly changed?: Uint32Array;
  /** What tells the database from others of its name; missing where the source cannot tell. */
  readonly identity?: SourceIdentity;
  /** How many pages follow in the file behind its stated end, where they hold something; missing where none do. */
  readonly beyond?: number;
  /** The source's name for this state, under which it can be pinned again ({@link PinOptions.at}) while it is kept. */
  readonly bookmark?: string;
  /**
   * Database checksum over all pages, 16 hex digits. A source that knows it, and the one at the moment of `since`,
   * spares the backup reading the fingerprints of what did not change.
   */
  readonly checksum?: string;
  /** The same at the moment of `since`; there is one when there is `changed`. */
  readonly checksumBefore?: string;

  /** Where another thread of this process finds the pages until the moment is released, if it may read them. */
  readonly files?: PageFiles | undefined;

  /** What of a damaged file could not be read, a sentence each; complete when all was read. */
  readonly notes?: readonly string[];

  /** Fills `into`, which holds whole pages, with the pages from `first` on (counted from 1). */
  read(first: number, into: Uint8Array, signal?: AbortSignal): Promise<void>;

  /** Fills `into` with the pages of these numbers, one after the other: for a source that is faster so than one by one. */
  readThese?(pages: Uint32Array, into: Uint8Array, signal?: AbortSignal): Promise<void>;

  /** Lets go. Idempotent. When the moment did not hold (another process changed the file), this throws. */
  release(): Promise<void>;
}
