export type {} from "../core/globals.ts";
export type { Backup, Verification } from "../entry/workerd.ts";
export type { Job } from "../service/jobs/table.ts";
export type {
  BackupProgress,
  CreateOptions,
  DownloadOptions,
  DumpOptions,
  Query,
  RestoreOptions,
} from "../service/options.ts";
export type { D1Answer, DatabaseInfo, OrphanedBackup, QueryMeta, Restored } from "../service/service.ts";
export type { KeptBackup } from "../vault/kept-backups.ts";
export type { BoundSession, BoundStatement } from "./bound.ts";
export type { BoundDatabase } from "./bound-database.ts";
export type { Env } from "./databases.ts";
export { Entrypoint, Entrypoint as default, type Props } from "./entrypoint.ts";
export { Database } from "./object/object.ts";
export { Registry } from "./registry.ts";
