import { PagemarkError, type Place } from "./pagemark-error.ts";

/** Bytes are not what they must be: a database, WAL, journal, LTX file or record is damaged or was replaced. */
export class DamageError extends PagemarkError {
  override readonly name = "DamageError" as const;

  constructor(code: string, message: string, at: Place = {}, options?: ErrorOptions) {
    super(code, message, at, options);
  }
}
