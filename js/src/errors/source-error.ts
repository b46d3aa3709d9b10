import { PagemarkError, type Place } from "./pagemark-error.ts";

/** A database could not be read or replaced: missing, busy, changed while it was read. `code` says which. */
export class SourceError extends PagemarkError {
  override readonly name = "SourceError" as const;

  constructor(code: `SOURCE_${string}`, message: string, at: Place = {}, options?: ErrorOptions) {
    super(code, message, at, options);
  }
}
