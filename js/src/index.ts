export {
  ConflictError,
  DamageError,
  ObjectExistsError,
  ObjectMissingError,
  PagemarkError,
  type Place,
  SourceError,
  StoreError,
} from "./errors/index.ts";
export type { BackupOptions, NewBackup } from "./jobs/backup.ts";
export type { BackupStep, StartOptions } from "./jobs/backup-run.ts";
export type { BackupRunState } from "./jobs/backup-run-state.ts";
export { BackupSteps, backupSteps } from "./jobs/backup-steps.ts";
export type { DownloadOptions } from "./jobs/damaged-tables.ts";
export {
  type At,
  Backups,
  Database,
  type Restored,
  type RestoreOptions,
  type Shown,
} from "./jobs/database.ts";
export { databasesIn, type StoredDatabase } from "./jobs/databases.ts";
export type { Dialect, DumpOptions } from "./jobs/dump.ts";
export { dumpSource } from "./jobs/dump-source.ts";
export { pagemark } from "./jobs/pagemark.ts";
export type { CompareOptions, Preview, RowChanges, TableChange } from "./jobs/preview.ts";
export type { JobOptions, Progress } from "./jobs/progress.ts";
export type { Backup } from "./jobs/record.ts";
export type { StepOptions } from "./jobs/run-pages.ts";
export type { PagemarkOptions } from "./jobs/subject.ts";
export { readTables, type Table } from "./jobs/tables.ts";
export type { Problem, Verification, VerifyOptions } from "./jobs/verify.ts";
export { memory } from "./sources/memory.ts";
export type { Moment, PageSource, PinOptions, ReplaceOptions } from "./sources/source.ts";
export { memoryStore } from "./stores/memory.ts";
export { r2 } from "./stores/r2.ts";
export type { R2Binding } from "./stores/r2-bucket.ts";
export type {
  GetOptions,
  ListOptions,
  ListPage,
  PutOptions,
  Store,
  StoredObject,
  StoreUploads,
  UploadState,
} from "./stores/store.ts";
