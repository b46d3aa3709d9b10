export { type At, Backups, type Downloaded, type Shown } from "./backups/backups.ts";
export { type Copied, copy } from "./backups/copy.ts";
export type { DownloadOptions } from "./backups/damaged-tables.ts";
export { Database, pagemark, type Restored } from "./backups/database.ts";
export type { Difference, TableDifference } from "./backups/diff.ts";
export type { LoadedTable } from "./backups/load-fingerprints.ts";
export { importInto, type Loaded, type LoadOptions } from "./backups/load-rows.ts";
export type { DumpToOptions, PreviewOptions, RestoreOptions } from "./backups/options.ts";
export type { CompareOptions, Preview, RowChanges, TableChange } from "./backups/preview.ts";
export type { KeptReason, Pruned, PruneOptions } from "./backups/prune.ts";
export type { Problem, Sample, Verification, VerifyOptions } from "./backups/verify.ts";
export {
  type BrowserStorage,
  browserStorage,
  type OpfsDatabase,
  opfsDatabases,
} from "./browser/databases.ts";
export { saveTo } from "./browser/save.ts";
export { type Backup, databasesIn, type StoredDatabase } from "./catalog/folder.ts";
export type { Reason } from "./catalog/retention.ts";
export type {} from "./core/globals.ts";
export { dumpSource } from "./dump/dump.ts";
export type { Dialect, DumpOptions } from "./dump/options.ts";
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
export { readTables, type Table } from "./moments/tables.ts";
export { type BackupOptions, backup } from "./run/backup.ts";
export {
  type BackupRunState,
  type BackupStep,
  BackupSteps,
  backupSteps,
  type StartOptions,
  type StepOptions,
} from "./run/backup-steps.ts";
export type { NewBackup } from "./run/made.ts";
export { stateFromBytes, stateToBytes } from "./run/steps-bytes.ts";
export type { PagemarkOptions } from "./run/subject.ts";
export type { D1ApiOptions } from "./sources/d1/api.ts";
export { type D1Binding, type D1Options, d1 } from "./sources/d1/d1.ts";
export { type D1ExportOptions, exportD1 } from "./sources/d1/export.ts";
export { d1Http } from "./sources/d1/http.ts";
export { type DurableObjectOptions, type DurableObjectSql, durableObject } from "./sources/durable-object.ts";
export {
  type FoundInIndexedDb,
  type IndexedDbOptions,
  indexedDb,
  indexedDbDatabases,
} from "./sources/indexed-db.ts";
export { memory } from "./sources/memory.ts";
export type { ListedDatabase } from "./sources/opfs/list.ts";
export { type OpfsOptions, opfs } from "./sources/opfs/opfs.ts";
export { picked } from "./sources/opfs/picked.ts";
export { sqliteWasm } from "./sources/opfs/sqlite-wasm.ts";
export type { SqliteWasm, SqliteWasmDatabase } from "./sources/opfs/sqlite-wasm-file.ts";
export { fromRows, untrack } from "./sources/row/pages.ts";
export type {
  Answers,
  Bound,
  Cell,
  CheckpointOptions,
  CheckpointStatus,
  HeldFiles,
  Moment,
  PageSource,
  PinOptions,
  Query,
  RenamedTable,
  ReplacedTable,
  ReplaceOptions,
  RowSource,
  RowTarget,
  Scratch,
  TableReplacement,
} from "./sources/source.ts";
export { type OpenImage, type SourceOperations, sourceFrom } from "./sources/source-from.ts";
export { encrypted } from "./stores/encrypted/encrypted.ts";
export { addKey, type EncryptionKeys, listKeys, removeKey, type StoreKey } from "./stores/encrypted/keys.ts";
export { type HttpOptions, http } from "./stores/http/http.ts";
export {
  type Audit,
  type AuditedStore,
  type AuditOptions,
  type AuditProblem,
  audit,
} from "./stores/localities/audit.ts";
export { type LocalitiesOptions, type LocalStore, localities } from "./stores/localities/localities.ts";
export { memoryStore } from "./stores/memory/memory.ts";
export { type OpfsStoreOptions, opfsStore, pickedFolder } from "./stores/opfs/opfs.ts";
export type { R2Binding } from "./stores/r2/bucket.ts";
export { r2 } from "./stores/r2/r2.ts";
export type { S3Credentials, S3Options } from "./stores/s3/options.ts";
export { s3 } from "./stores/s3/s3.ts";
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
export { type StoreOperations, storeFrom } from "./stores/store-from.ts";
export type { JobOptions, Progress } from "./streams/progress.ts";
