import { type Env, registry } from "../env.ts";
import type { Registered } from "../registry.ts";
import { ApiError } from "./envelope.ts";

/** The database that an id or a name in a path means. */
export async function found(env: Env, idOrName: string): Promise<Registered> {
  const database = await registry(env).find(idOrName);
  if (database) return database;
  throw new ApiError(404, 7404, `The database ${idOrName.slice(0, 100)} could not be found`);
}
