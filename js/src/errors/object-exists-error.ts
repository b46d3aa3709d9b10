import { PagemarkError } from "./pagemark-error.ts";

/** A put found an object under its key. Objects are never overwritten. */
export class ObjectExistsError extends PagemarkError {
  override readonly name = "ObjectExistsError" as const;

  constructor(key: string) {
    super("OBJECT_EXISTS", `the store already holds ${JSON.stringify(key)}`, { name: key });
  }
}
