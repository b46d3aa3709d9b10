export type { Checkpoints } from "./checkpoints.ts";
export { runStatement, type StatementOptions, type StatementResult } from "./run-statement.ts";
export type {
  BackupMade,
  BackupRequest,
  CheckpointFacts,
  RestoreDone,
  RestoreRequest,
  Row,
  SavedSchedule,
  Schedules,
  StatementDatabase,
  StatementHost,
  Value,
} from "./statement-host.ts";
export { type DatabaseFinder, openVault, Vault, type VaultOptions } from "./vault.ts";
