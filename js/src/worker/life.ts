// How databases come and go.
import { PagemarkError, r2 } from "../entry/workerd.ts";
import { checkName } from "./arguments.ts";
import { deleteFiles, unknownDatabase } from "./database/deleted.ts";
import { backupName } from "./database/home.ts";
import type { Restored } from "./database/restores.ts";
import { databaseObject, type Env, registry } from "./env.ts";
import { type Jurisdiction, jurisdictionOf } from "./jurisdiction.ts";
import type { Registered } from "./registry.ts";

/** Where a database is to be. */
interface Whereabouts {
  /** It never leaves this. */
  jurisdiction?: Jurisdiction | null | undefined;
  location?: DurableObjectLocationHint | null | undefined;
}

/** Makes a database: first its name, then its object. */
export async function createDatabase(
  env: Env,
  name: string,
  { jurisdiction, location }: Whereabouts = {},
): Promise<Registered> {
  if (jurisdiction) checkJurisdiction(env, jurisdiction);
  const begun = await registry(env).begin(checkName(name), jurisdiction ?? undefined);
  const identity = location ? { ...begun, location } : begun;
  const object = databaseObject(env, identity.uuid, location ?? undefined);
  const { tables, size } = await object.create(identity);
  return { ...(await registry(env).enter(identity, tables, size)), ...(location && { location }) };
}

/** @throws PagemarkError `USAGE` where there is no such jurisdiction: before anything is entered anywhere */
function checkJurisdiction(env: Env, jurisdiction: Jurisdiction): void {
  try {
    env.DATABASES.jurisdiction(jurisdiction);
  } catch (error) {
    const message = `jurisdiction: there is no ${jurisdiction} where this Worker runs; workerd on your own machine has no jurisdictions`;
    throw new PagemarkError("USAGE", message, {}, { cause: error });
  }
}

/** Ends a database: first its object, so that one that is still listed can be deleted again. */
export async function deleteDatabase(env: Env, database: Registered): Promise<void> {
  const { uuid, name, createdAt } = database;
  const hasBackups = await databaseObject(env, uuid).destroy({ uuid, name, createdAt });
  await registry(env).remove(uuid, hasBackups);
  // An upload that found the database on the list, and was stored when the object had looked for uploads already.
  await deleteFiles(r2(env.BACKUPS), uuid).catch(() => {});
}

/** Makes a database of a backup of another one, which may have been deleted; the other one stays as it is. */
export async function restoreToNew(
  env: Env,
  uuid: string,
  at: string | undefined,
  name: string,
): Promise<Restored & { uuid: string; name: string }> {
  const source = await registry(env).findBackedUp(uuid);
  if (!source) throw unknownDatabase();
  const { id } = await databaseObject(env, source.uuid).findBackup(at);
  const made = await createDatabase(env, name, { jurisdiction: jurisdictionOf(source.uuid) });
  try {
    const restored = await databaseObject(env, made.uuid).adopt(backupName(source), id);
    return { ...restored, uuid: made.uuid, name: made.name };
  } catch (error) {
    // Nobody has asked for an empty one.
    await deleteDatabase(env, made).catch(() => {});
    throw error;
  }
}
