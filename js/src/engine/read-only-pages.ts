import type { PageStore, Scratch } from "../core/index.ts";
import { PagemarkError } from "../errors/index.ts";

/** Offset of the versions for writing and reading; 2 means WAL mode, which the engine does not have. */
const JOURNAL_MODES = 18;
/** The checksum of the only state, which nobody compares: such a store is only read. */
const NO_CHECKSUM = "8000000000000000";

/** The pages of a database that does not change. */
export interface FixedPages {
  /** Name of the database, for errors. */
  readonly name: string;
  /** In bytes. */
  readonly pageSize: number;
  readonly pageCount: number;
  /** Page `pgno`, which must stay as it is until the next is read. */
  read(pgno: number): Uint8Array;
}

/** A store of the engine over pages that do not change. Writes are refused. */
export interface ReadOnlyPages extends PageStore {
  /** Why a page could not be read, which SQLite does not tell. */
  readonly failure: { error: unknown } | undefined;
}

/**
 * Its one state has no checksum, so bookmarks of it prove nothing.
 *
 * @param scratch for what is only there for the work, such as sorting; without it that stays in memory
 */
export function readOnlyPages(pages: FixedPages, scratch?: Scratch): ReadOnlyPages {
  const { name, pageSize, pageCount } = pages;
  let failure: ReadOnlyPages["failure"];
  return {
    open: () => ({
      lineage: "0000000000000001",
      commits: [{ txid: 1, timeMs: 0, pageSize, pageCount, checksum: NO_CHECKSUM }],
      keep: { from: 1, pins: [] },
    }),
    read(pgno) {
      try {
        const page = pages.read(pgno);
        if (pgno === 1) page.fill(1, JOURNAL_MODES, JOURNAL_MODES + 2);
        return page;
      } catch (error) {
        failure ??= { error };
        throw error;
      }
    },
    commit() {
      throw new PagemarkError("SOURCE_READ_ONLY", `${name} is only read; write to the database itself`);
    },
    get failure() {
      return failure;
    },
    ...(scratch && { scratch }),
    retain() {},
    changed: () => [],
  };
}
