import { PagemarkError } from "./pagemark-error.ts";

/** Another backup of the same database was recorded first. This one was given up; nothing of it is listed. */
export class ConflictError extends PagemarkError {
  override readonly name = "ConflictError" as const;

  constructor(database: string) {
    super("CONFLICT", `another backup of ${JSON.stringify(database)} finished first; run this one again`);
  }
}
