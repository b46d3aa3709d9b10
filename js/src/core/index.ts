export {
  type BuiltObject,
  type BuiltShape,
  type ColumnKind,
  type PageBuilder,
  type PagesOut,
  type PreviousPages,
  pageBuilder,
  previousPages,
  RowBatch,
} from "./building.ts";
export { type Core, type CoreFolder, core, type KnownFolder, type Machine, sha256 } from "./core.ts";
export { type Detected, detect } from "./detect.ts";
export { type DumpCore, dumpCore } from "./dump.ts";
export {
  type EngineCore,
  type EngineDatabase,
  type EnginePrepared,
  engineCore,
  type PageStore,
  type Scratch,
  useEngine,
} from "./engine.ts";
export { named, naming } from "./errors.ts";
export { free, freeing } from "./free.ts";
export { BATCH, packPool, packWith } from "./packing.ts";
export { isPageSize } from "./page-size.ts";
export {
  currentPlatform,
  type DumpHelper,
  type DumpRequest,
  type Hasher,
  type PackPool,
  type PackRequest,
  type PackResult,
  type PageFiles,
  type PageRun,
  type Platform,
  type Restorer,
  usePlatform,
  type WrittenPart,
} from "./platform.ts";
export { restorer } from "./restoring.ts";
