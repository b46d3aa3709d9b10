/**
 * Where the pages of one moment lie in files that this process has open: what another thread of it needs to read them.
 * Descriptors stay open until the moment is released.
 */
export interface PageFiles {
  /** In bytes. */
  pageSize: number;
  pageCount: number;
  /** Descriptor of the database. */
  main: number;
  /** How many pages lie in it. */
  mainPages: number;
  /** Descriptor of the file in which some pages lie instead, the WAL or the journal. */
  side?: number;
  /** Which, ascending, and where: page number, byte offset, page number, … */
  beside: Float64Array;
}
