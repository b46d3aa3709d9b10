import { PagemarkError } from "./pagemark-error.ts";

/** An object that a backup needs is not in the store. */
export class ObjectMissingError extends PagemarkError {
  override readonly name = "ObjectMissingError" as const;

  constructor(key: string) {
    super(
      "OBJECT_MISSING",
      `the store lacks ${JSON.stringify(key)}: it was deleted or moved; put it back, or restore another backup`,
      {
        name: key,
      },
    );
  }
}
