// What tells a database from any other. It stays in its jurisdiction, so the jurisdiction is a part of its UUID: whoever
// knows the UUID finds the object.

import { PagemarkError } from "../errors/index.ts";

/** What an object knows of itself, from when it was created. */
export interface Identity {
  uuid: string;
  name: string;
  /** RFC 3339. */
  createdAt: string;
  /** Near where it was wanted. */
  location?: string | undefined;
}

/** The name of a database's backups in the store: readable, and no other database's, also of one that had its name before. */
export function backupName({ name, uuid }: Pick<Identity, "name" | "uuid">): string {
  return `${name}-${uuid.slice(0, 8)}`;
}

/** Those that there are. */
export const JURISDICTIONS = ["eu", "fedramp"] as const;
export type Jurisdiction = (typeof JURISDICTIONS)[number];

/** Where the version of a UUID stands. */
const VERSION = 14;

/** A new UUID: a random one (version 4), or one of version 8, whose next digit says the jurisdiction, counted from 1. */
export function newUuid(jurisdiction: Jurisdiction | undefined): string {
  const uuid = crypto.randomUUID();
  if (jurisdiction === undefined) return uuid;
  const digit = (JURISDICTIONS.indexOf(jurisdiction) + 1).toString(16);
  return `${uuid.slice(0, VERSION)}8${digit}${uuid.slice(VERSION + 2)}`;
}

/** Where the objects of a database must stay; nothing when that may be anywhere. */
export function jurisdictionOf(uuid: string): Jurisdiction | undefined {
  if (uuid[VERSION] !== "8") return undefined;
  return JURISDICTIONS[Number.parseInt(uuid[VERSION + 1] ?? "", 16) - 1];
}

export function unknownDatabase(): PagemarkError {
  return new PagemarkError("DATABASE_UNKNOWN", "there is no such database; it may have been deleted");
}
