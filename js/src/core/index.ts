export { type Core, core, currentPlatform, type Platform, usePlatform } from "./core.ts";
export { type DumpCore, dumpCore } from "./dump.ts";
export type { DumpHelper, DumpRequest, WrittenPart } from "./dump-helper.ts";
export {
  type EngineCore,
  type EngineDatabase,
  type EnginePrepared,
  engineCore,
  type PageStore,
  type Scratch,
  useEngine,
} from "./engine.ts";
export { translateCoreError, translating } from "./errors.ts";
export { free } from "./free.ts";
export {
  BATCH,
  type PackPool,
  type PackRequest,
  type PackResult,
  type PageRun,
  packPool,
  packWith,
} from "./packing.ts";
export type { PageFiles } from "./page-files.ts";
export { type Restorer, restorer } from "./restoring.ts";
export { type Hasher, sha256 } from "./sha256.ts";
