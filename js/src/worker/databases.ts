/// <reference types="@cloudflare/workers-types" />
// How databases are found, come and go.
import { PagemarkError } from "../errors/index.ts";
import { checkName } from "../service/arguments.ts";
import { backupName, type Jurisdiction, jurisdictionOf, unknownDatabase } from "../service/identity.ts";
import type { Registered, Restored, ServedDatabase, Service, Whereabouts } from "../service/service.ts";
import { hostOf } from "../service/statement-host.ts";
import { r2 } from "../stores/r2/r2.ts";
import type { Store, StoreUploads } from "../stores/store.ts";
import { filesIn } from "./jobs/output.ts";
import { deleteFiles } from "./object/deleted.ts";
import type { Database } from "./object/object.ts";
import { registry } from "./registry.ts";
import { nextOf } from "./schedules.ts";
import { faultsOf, type ObjectEnv } from "./settings.ts";

/** What the Worker is bound to, and its settings: see `wrangler.toml`. */
export interface Env extends ObjectEnv {
  /** A Durable Object for each database, by its UUID. */
  DATABASES: DurableObjectNamespace<Database>;
}

/** The object of a database that the registry knows; a new one is made near `locationHint`, as far as that is possible. */
export function databaseObject(
  { DATABASES }: Pick<Env, "DATABASES">,
  uuid: string,
  locationHint?: DurableObjectLocationHint,
): DurableObjectStub<Database> {
  const jurisdiction = jurisdictionOf(uuid);
  const objects = jurisdiction ? DATABASES.jurisdiction(jurisdiction) : DATABASES;
  return objects.get(objects.idFromName(uuid), locationHint && { locationHint });
}

const services = new WeakMap<Env, Service>();

/** The Worker's databases, as its HTTP interface and its entrypoint use them. */
export function serviceOf(env: Env): Service {
  const known = services.get(env);
  if (known) return known;
  // biome-ignore lint/suspicious/noConsole: this is a Worker's log
  for (const fault of faultsOf(env)) console.error(fault);
  const store: Store & { uploads?: StoreUploads } = r2(env.BACKUPS);
  const databases: Service["databases"] = {
    find: (idOrName) => registry(env).find(idOrName),
    findBackedUp: (idOrName) => registry(env).findBackedUp(idOrName),
    list: (options) => registry(env).list(options),
    listDeleted: (options) => registry(env).listDeleted(options),
    create: (name, whereabouts) => createDatabase(env, name, whereabouts),
    delete: (database) => deleteDatabase(env, database),
    restoreToNew: (uuid, at, name) => restoreToNew(env, uuid, at, name),
    open: (uuid) => databaseObject(env, uuid) as ServedDatabase,
    on: (idOrName, lookUp, action) =>
      onDatabase(env, idOrName, lookUp, (object) => action(object as ServedDatabase)),
    secret: async () => registry(env).secret(),
  };
  const service: Service = {
    access: {
      token: env.PAGEMARK_TOKEN,
      readToken: env.PAGEMARK_READ_TOKEN,
      email: env.PAGEMARK_EMAIL,
      accountId: env.PAGEMARK_ACCOUNT_ID,
    },
    databases,
    statements: {
      ...hostOf({ databases }),
      schedules: {
        list: async () => registry(env).schedules(),
        save: async (all, before) => registry(env).saveSchedules(all, before),
        next: nextOf,
      },
    },
    files: filesIn(env.BACKUPS),
    objects: store as Required<typeof store>,
  };
  services.set(env, service);
  return service;
}

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
