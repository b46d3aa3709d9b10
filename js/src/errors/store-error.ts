import { PagemarkError, type Place } from "./pagemark-error.ts";

/** A store could not do what was asked: full, read-only, unreachable. `code` says which. */
export class StoreError extends PagemarkError {
  override readonly name = "StoreError" as const;

  constructor(code: `STORE_${string}`, message: string, at: Place, options?: ErrorOptions) {
    super(code, message, at, options);
  }
}
