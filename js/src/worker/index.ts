export type {} from "../core/globals.ts";
export type { Backup, Verification } from "../entry/workerd.ts";
export type { KeptBackup } from "../vault/kept-backups.ts";
export type { BoundSession, BoundStatement, D1Answer } from "./bound.ts";
export type { BoundDatabase } from "./bound-database.ts";
export type { Env, OrphanedBackup } from "./databases.ts";
export { Entrypoint, Entrypoint as default, type Props } from "./entrypoint.ts";
export type { Job } from "./jobs/table.ts";
export { Database, type DatabaseInfo } from "./object/object.ts";
export type { QueryMeta } from "./object/queries.ts";
export type { Restored } from "./object/restores.ts";
export type {
  BackupProgress,
  CreateOptions,
  DownloadOptions,
  DumpOptions,
  Query,
  RestoreOptions,
} from "./options.ts";
export { Registry } from "./registry.ts";
