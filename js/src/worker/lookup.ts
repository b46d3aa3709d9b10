import type { PagemarkError } from "../entry/workerd.ts";
import type { Database } from "./database/object.ts";
import { databaseObject, type Env } from "./env.ts";

/** The UUIDs of databases by the names and UUIDs that this isolate looked up. */
const known = new Map<string, string>();
const MOST_KNOWN = 1000;

/**
 * Asks the object of a database, which `lookUp` finds unless it is known: the registry is one object for all databases, and
 * far away from most. An object says when its database is gone; then `lookUp` says which one has the name now.
 */
export async function onDatabase<T>(
  env: Env,
  idOrName: string,
  lookUp: () => Promise<string>,
  action: (object: DurableObjectStub<Database>) => Promise<T>,
): Promise<T> {
  const before = known.get(idOrName);
  if (before !== undefined) {
    try {
      return await action(databaseObject(env, before));
    } catch (error) {
      if ((error as PagemarkError).code !== "DATABASE_UNKNOWN") throw error;
      known.delete(idOrName);
    }
  }
  const uuid = await lookUp();
  if (known.size >= MOST_KNOWN) known.clear();
  known.set(idOrName, uuid);
  return action(databaseObject(env, uuid));
}
