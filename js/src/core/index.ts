export {
  type BuiltObject,
  type BuiltOrder,
  type BuiltShape,
  type BuiltTerm,
  type ColumnKind,
  type PageBuilder,
  type PagesOut,
  type PreviousPages,
  pageBuilder,
  previousPages,
  RowBatch,
} from "./building.ts";
export {
  type Core,
  type CoreFolder,
  core,
  isPageSize,
  type KnownFolder,
  type Machine,
  sha256,
} from "./core.ts";
export { type Detected, detect } from "./detect.ts";
export { named, naming } from "./errors.ts";
export { free, freeing } from "./free.ts";
export { givenWasm, useWasm, type WasmFiles, type WasmSource } from "./given.ts";
export { unpacked } from "./load.ts";
export {
  type Comparison,
  comparisonOf,
  type DumpCore,
  dumpCore,
  type EngineCore,
  type EngineDatabase,
  type EnginePrepared,
  engineCore,
  type LocalityCore,
  localityCore,
  type PageStore,
  type Scratch,
  type Subset,
  subsetOf,
  useEngine,
} from "./modules.ts";
export { BATCH, packPool, packWith } from "./packing.ts";
export {
  currentPlatform,
  type DumpHelper,
  type DumpRequest,
  type Hasher,
  httpFetch,
  type PackPool,
  type PackRequest,
  type PackResult,
  type PageFiles,
  type PageRun,
  type Platform,
  type Restorer,
  usePlatform,
  uuid,
  type Wasm,
  type WasmName,
  type WrittenPart,
} from "./platform.ts";
export { restorer } from "./restoring.ts";
export {
  type Base,
  type Full,
  type ParsedStatement,
  parseStatement,
  type Statement,
  type TableName,
  type Targets,
  useStatements,
} from "./statement.ts";
