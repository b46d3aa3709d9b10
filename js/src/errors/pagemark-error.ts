/** Where in the input a failure was found. */
export interface Place {
  /** Byte offset from the start of the file, the object or the SQL. */
  offset?: number;
  /** Page number, counted from 1. */
  page?: number;
  /** TXID, as 16 hex digits. */
  txid?: string;
  /** Rowid of a table's row, as decimal digits. */
  row?: string;
  /** Where a word of a statement begins, in UTF-16 code units (as in JavaScript's strings) from the start. */
  position?: number;
  /** Line of the SQL, counted from 1. */
  line?: number;
  /** Path of the file or key of the object. */
  name?: string;
}

/**
 * Every error Pagemark raises on purpose. Match on `code`, never on text; the message says what happened and what to do.
 *
 * Codes are listed in `docs/errors.md`. Errors of the core carry the code that Rust gives them.
 */
export class PagemarkError extends Error {
  override readonly name: string = "PagemarkError";
  readonly code: string;
  readonly at: Place;

  constructor(code: string, message: string, at: Place = {}, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.at = at;
  }
}
