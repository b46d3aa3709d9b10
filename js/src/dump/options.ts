import { PagemarkError } from "../errors/index.ts";
import type { JobOptions } from "../streams/progress.ts";

/**
 * Where SQL is meant to go.
 *
 * - `sqlite`: any `sqlite3` of the last five years. Nothing is lost.
 * - `d1`: D1 and Durable Objects.
 * - `sqlite3-cli-3.40`, `sqlite3-cli-3.54`: byte for byte what that version of the sqlite3 shell prints for `.dump`,
 *   with all that it loses; `sqlite3-cli` is the newer one.
 */
export type Dialect = (typeof DIALECTS)[number];

export const DIALECTS = ["sqlite", "d1", "sqlite3-cli", "sqlite3-cli-3.40", "sqlite3-cli-3.54"] as const;

/** What of a database is written as SQL, and for which reader. */
export interface DumpOptions extends JobOptions {
  /** `sqlite` unless given. */
  dialect?: Dialect | undefined;
  /** Only these tables, with their indexes, triggers and sequences, and these views; everything when it is empty. */
  tables?: string[] | undefined;
  /** No rows. With `noSchema` too, what is left are the statements around them. */
  noData?: boolean | undefined;
  /** Begins with `DROP … IF EXISTS` for whatever it makes, so that it can be loaded over what is there. */
  drop?: boolean | undefined;
  /** Only rows. */
  noSchema?: boolean | undefined;
  /**
   * Gives what is left of a damaged database, and warns of what was left out: rows of pages that nothing points to go into
   * the table that they are of, or into `lost_and_found`. Reads everything three times. See `damagedFile` for files whose
   * header is damaged.
   */
  salvage?: boolean | undefined;
  /** With `salvage`: looks for lost rows in free pages, too. What they hold was deleted, mostly. */
  freePages?: boolean | undefined;
  /** Called once for each thing that the SQL does not carry, before the stream ends. */
  onWarning?: ((message: string) => void) | undefined;
}

/** What the package itself asks for besides. */
export interface DumpDetails extends DumpOptions {
  /**
   * For the dialect `d1`: SQL that is cut into transactions. Rows refer to those that come later only where nothing helps
   * against that.
   */
  inBatches?: boolean;
}

/**
 * The options with the dialect that is meant.
 *
 * @throws PagemarkError `USAGE`
 */
export function checked(options: DumpDetails): DumpDetails & { dialect: Dialect } {
  const { dialect = "sqlite" } = options;
  if (!DIALECTS.includes(dialect)) {
    throw new PagemarkError("USAGE", `${dialect} is no dialect; there are ${DIALECTS.join(", ")}`);
  }
  if (options.drop && options.noSchema) {
    throw new PagemarkError(
      "USAGE",
      "drop makes tables anew, for which noSchema leaves nothing: leave one of them out",
    );
  }
  return { ...options, dialect: dialect === "sqlite3-cli" ? "sqlite3-cli-3.54" : dialect };
}
