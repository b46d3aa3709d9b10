import type { EngineCore, PageStore } from "../core/index.ts";
import type { PinOptions } from "../sources/source.ts";
import { checkSizes } from "./input.ts";
import type { StateAt } from "./results.ts";
import type { IntegerOptions } from "./values.ts";

/** Which state to pin. */
export type EnginePinOptions = Omit<PinOptions, "at"> & { at?: StateAt | undefined };

/** How a live database is opened: its name, where its pages are kept, and how much history. */
export interface OpenOptions extends IntegerOptions {
  /** Name of the database in backups and messages. A second open database of this name is refused. */
  name?: string;
  /** Where pages are kept; in memory unless given. Of one with a method `close` that is called with the database's. */
  store?: PageStore | Promise<PageStore>;
  /** Page size of a database that holds nothing yet, in bytes; 4096 unless given. */
  pageSize?: number;
  /** Size of SQLite's page cache, in bytes; 16 MiB unless given, or 8 MiB over a store with `scratch`. */
  cacheSize?: number;
  /**
   * Bytes, roughly, that memory holds of transactions, loads and temporary files, beside the cache. A store with `scratch`
   * takes what is beyond. 8 MiB unless given.
   */
  spillAfter?: number;
  /** Whether foreign keys are enforced; true unless given. */
  foreignKeys?: boolean;
  /**
   * How far back states stay readable without a hold; unless given, only the newest one is. `commits` keeps every one of so
   * many. `ageMs` keeps for that time every state of the last hour, then the newest of each minute, after thirty days of
   * each hour. If the store has a limit, history takes at most half of what the newest state leaves of it.
   */
  history?: { commits?: number; ageMs?: number };
  /** Limits the pages of a database in memory, in bytes. */
  memoryLimit?: number;
}

/** Cache over a store that takes large transactions, so that memory stays small. */
const SPILLING_CACHE_SIZE = 8 << 20;

/** The same once the store is there. */
export type Opening = Omit<OpenOptions, "store"> & { store?: PageStore };

/** Options as the engine takes them. @throws PagemarkError `USAGE` for an invalid size */
export function settingsOf(core: EngineCore, options: Opening): InstanceType<EngineCore["OpenOptions"]> {
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
