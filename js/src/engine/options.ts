import type { EngineCore, PageStore } from "../core/index.ts";
import type { PinOptions } from "../sources/source.ts";
import { checkSizes } from "./input.ts";
import type { StateAt } from "./results.ts";
import type { IntegerOptions } from "./values.ts";

/** Which state to pin. */
export type EnginePinOptions = Omit<PinOptions, "at"> & { at?: StateAt | undefined };

export interface OpenOptions extends IntegerOptions {
  /** Refuses a second open database of this name; backups and messages are under it. */
  name?: string;
  /** Where its pages are kept; memory unless given. */
  store?: PageStore;
  /** Page size of a database that holds nothing yet, in bytes; 4096 unless given. */
  pageSize?: number;
  /** Size of SQLite's page cache, in bytes; 16 MiB unless given, or 8 MiB over a store with `scratch`. */
  cacheSize?: number;
  /**
   * What memory holds beside the cache of transactions, loads and temporary files, in bytes, roughly; the store takes
   * what is beyond, if it has `scratch`. 8 MiB unless given.
   */
  spillAfter?: number;
  /** Whether foreign keys are enforced; true unless given. */
  foreignKeys?: boolean;
  /**
   * How far back states stay readable without a hold; none but the newest unless given. Of `commits` each one does, and of
   * those within `ageMs` each one for an hour, then the newest of each minute, and after thirty days of each hour. Where
   * the store has a limit, history is to take half of what the newest state leaves of it.
   */
  history?: { commits?: number; ageMs?: number };
  /** What the pages of a database in memory may take, in bytes. */
  memoryLimit?: number;
}

/** Where a large transaction does not stay in memory, a large cache would. */
const SPILLING_CACHE_SIZE = 8 << 20;

/** The same as the engine takes it. @throws PagemarkError `USAGE` for a size that is none */
export function settingsOf(core: EngineCore, options: OpenOptions): InstanceType<EngineCore["OpenOptions"]> {
  const { name, store, pageSize, spillAfter, foreignKeys = true, history = {}, memoryLimit } = options;
  const cacheSize = options.cacheSize ?? (store?.scratch && SPILLING_CACHE_SIZE);
  checkSizes({
    pageSize,
    cacheSize,
    spillAfter,
    memoryLimit,
    commits: history.commits,
    ageMs: history.ageMs,
  });
  const settings = new core.OpenOptions();
  if (name !== undefined) settings.name = name;
  if (pageSize !== undefined) settings.pageSize = pageSize;
  if (cacheSize !== undefined) settings.cacheKib = Math.min(Math.ceil(cacheSize / 1024), 2 ** 31 - 1);
  if (spillAfter !== undefined) settings.spillAfter = spillAfter;
  if (memoryLimit !== undefined) settings.memoryLimit = memoryLimit;
  settings.foreignKeys = foreignKeys;
  // Infinity means: as many as there can be.
  settings.historyCommits = Math.min(history.commits ?? 0, 2 ** 32 - 1);
  settings.historyMs = history.ageMs ?? 0;
  return settings;
}
