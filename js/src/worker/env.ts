/// <reference types="@cloudflare/workers-types" />
import type { Database } from "./database/object.ts";
import { jurisdictionOf } from "./jurisdiction.ts";
import type { Registry } from "./registry.ts";

/** What the Worker is bound to, and its settings: see `wrangler.toml`. */
export interface Env {
  /** A Durable Object for each database, by its UUID. */
  DATABASES: DurableObjectNamespace<Database>;
  /** One object that knows all of them. */
  REGISTRY: DurableObjectNamespace<Registry>;
  /** Where backups go. */
  BACKUPS: R2Bucket;

  /** Who has it may do everything. Without this and the next one nobody has access over HTTP. */
  PAGEMARK_TOKEN?: string;
  /** Who has it may read. */
  PAGEMARK_READ_TOKEN?: string;
  /** With it, only this `X-Auth-Email` may come with an `X-Auth-Key`. */
  PAGEMARK_EMAIL?: string;
  /** With it, other accounts in the path are refused. */
  PAGEMARK_ACCOUNT_ID?: string;
  /** When backups are made by themselves: `hourly` unless given, `daily`, or `off`. */
  PAGEMARK_SCHEDULE?: string;
  /** For how many hours those are kept; 24 unless given. */
  PAGEMARK_KEEP_HOURS?: string;
  /** For how many hours commits can be gone back to: each for one hour, then one a minute; 24 unless given. */
  PAGEMARK_HISTORY_HOURS?: string;
  /** What that may take of a database's object, in MB; unless given, and at most, half of what the database leaves of 10 GB. */
  PAGEMARK_HISTORY_MB?: string;
  /** How many of SQLite's instructions a request may take; 300 million unless given, ten seconds at most. */
  PAGEMARK_QUERY_STEPS?: string;
  /** `1`: requests may do no more than D1 allows. */
  PAGEMARK_D1_LIMITS?: string;
}

/** The one registry. */
export function registry(env: Env): DurableObjectStub<Registry> {
  return env.REGISTRY.get(env.REGISTRY.idFromName("registry"));
}

/** The object of a database that the registry knows; where a new one is to be, as near as can be. */
export function databaseObject(
  env: Env,
  uuid: string,
  locationHint?: DurableObjectLocationHint,
): DurableObjectStub<Database> {
  const jurisdiction = jurisdictionOf(uuid);
  const objects = jurisdiction ? env.DATABASES.jurisdiction(jurisdiction) : env.DATABASES;
  return objects.get(objects.idFromName(uuid), locationHint && { locationHint });
}

/** A setting that is a number; `usual` when it is not given, or no number. */
export function setting(text: string | undefined, usual: number): number {
  const value = text === undefined || text.trim() === "" ? usual : Number(text);
  return Number.isFinite(value) && value >= 0 ? value : usual;
}
