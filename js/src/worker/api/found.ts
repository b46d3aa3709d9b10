import { type Env, registry } from "../env.ts";
import type { Deleted, Registered } from "../registry.ts";
import { ApiError } from "./envelope.ts";

/** The database that an id or a name in a path means. */
export async function found(env: Env, idOrName: string): Promise<Registered> {
  const database = await registry(env).find(idOrName);
  if (database) return database;
  throw notFound(idOrName);
}

/** The database that an id in a path means, whose backups there may be; also one that was deleted. */
export async function foundBackedUp(env: Env, id: string): Promise<Registered | Deleted> {
  const database = await registry(env).findBackedUp(id);
  if (database) return database;
  throw notFound(id);
}

function notFound(idOrName: string): ApiError {
  return new ApiError(404, 7404, `The database ${idOrName.slice(0, 100)} could not be found`);
}
