// For a page: the work is done in a worker, and nothing of it is loaded here.
export {
  BackgroundDatabase,
  type BackgroundJob,
  type BackgroundOptions,
  type FileOptions,
  inBackground,
} from "../browser/client.ts";
export type { FileFormat } from "../browser/save.ts";
export { SharedDatabase, type SharedDatabaseOptions, sharedDatabase } from "../browser/shared-client.ts";
