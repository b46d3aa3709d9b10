// Backups of databases that were deleted.
import type { KeptBackup } from "./database/kept-backups.ts";
import { databaseObject, type Env, registry } from "./env.ts";
import { type Deleted, everyDatabase } from "./registry.ts";

/** A backup of a database that was deleted. */
export interface OrphanedBackup extends KeptBackup {
  database: Deleted;
}

/** All of them, newest first of each database; of the database that was deleted last first. */
export async function* orphanedBackups(env: Env): AsyncGenerator<OrphanedBackup, void, void> {
  const list = registry(env);
  for await (const database of everyDatabase((options) => list.listDeleted(options))) {
    yield* await orphanedBackupsOf(env, database);
  }
}

export async function orphanedBackupsOf(env: Env, database: Deleted): Promise<OrphanedBackup[]> {
  const backups = await databaseObject(env, database.uuid).backups();
  return backups.map((backup) => ({ ...backup, database }));
}
