// The wasm modules beside the core's, each started when it is first used: whoever only backs up loads none of them.
import * as dumpGlue from "../pkg/dump/pagemark.js";
import * as engineGlue from "../pkg/engine/pagemark.js";
import * as localityGlue from "../pkg/locality/pagemark.js";
import * as subsetGlue from "../pkg/subset/pagemark.js";
import { starting } from "./core.ts";
import { currentPlatform, type Wasm } from "./platform.ts";

/** The exports of the wasm that makes SQL. */
export type DumpCore = typeof dumpGlue;

const startDump = /* @__PURE__ */ starting("dump", dumpGlue, () => currentPlatform().dumpWasm());

/** The wasm that makes SQL, started at the first call. */
export function dumpCore(): Promise<DumpCore> {
  return startDump();
}

/** The exports of the wasm that chooses among stores. */
export type LocalityCore = typeof localityGlue;

const startLocality = /* @__PURE__ */ starting("locality", localityGlue, () =>
  currentPlatform().localityWasm(),
);

/** The wasm that chooses among stores, started at the first call. */
export function localityCore(): Promise<LocalityCore> {
  return startLocality();
}

/** Takes tables out of a database; see the core's `subset`. */
export type Subset = subsetGlue.Subset;

const startSubset = /* @__PURE__ */ starting("subset", subsetGlue, () => currentPlatform().subsetWasm());

/** Compares two databases; see the core's `compare`. */
export type Comparison = subsetGlue.Comparison;

/** The database as it is now, by its first page if there is one, with the one backed up; `budget` in bytes. */
export async function comparisonOf(
  ...databases: ConstructorParameters<typeof subsetGlue.Comparison>
): Promise<Comparison> {
  const { Comparison } = await startSubset();
  return new Comparison(...databases);
}

/** Takes these tables, with what belongs to them, and these views out of the database of `pageCount` pages whose first page is `first`. */
export async function subsetOf(
  first: Uint8Array,
  pageCount: number,
  tables: readonly string[],
): Promise<Subset> {
  const { Subset } = await startSubset();
  return new Subset(first, pageCount, [...tables]);
}

/** The exports of the wasm with SQLite in it. */
export type EngineCore = typeof engineGlue;
export type {
  Database as EngineDatabase,
  PageStore,
  Prepared as EnginePrepared,
  Scratch,
} from "../pkg/engine/pagemark.js";

let find: (() => Promise<Wasm>) | undefined;

/** Says where that wasm is. Set once, by the runtime's file in `entry/`. */
export function useEngine(wasm: () => Promise<Wasm>): void {
  find ??= wasm;
}

const startEngine = /* @__PURE__ */ starting("engine", engineGlue, findEngine, ({ setUtcOffset }) =>
  setUtcOffset((seconds: number) => -60 * new Date(seconds * 1000).getTimezoneOffset()),
);

/** The wasm with SQLite in it, started at the first call. */
export function engineCore(): Promise<EngineCore> {
  return startEngine();
}

async function findEngine(): Promise<Wasm> {
  if (find) return find();
  throw new Error("the engine was imported past its entry points: import it as 'pagemark/engine'");
}
