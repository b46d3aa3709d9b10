import { PagemarkError, type Place } from "./pagemark-error.ts";

/** SQLite refused or failed a statement. The message is SQLite's own. */
export class SqlError extends PagemarkError {
  override readonly name = "SqlError" as const;
  /** SQLite's extended result code, such as 2067 for a UNIQUE constraint. */
  readonly sqlite: number | undefined;

  constructor(code: string, message: string, sqlite: number | undefined, at: Place, options?: ErrorOptions) {
    super(code, message, at, options);
    this.sqlite = sqlite;
  }
}
