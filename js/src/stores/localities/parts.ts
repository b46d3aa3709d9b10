// What the files of localities.ts know of each other.
import { type Core, core, type LocalityCore, localityCore } from "../../core/index.ts";
import type { Store } from "../store.ts";

/** Which of several stores is written to, and which are read. */
export interface LocalitiesOptions {
  /**
   * Where the writer is: tiers from the largest place to the smallest, such as `region=eu,az=1`. A backup goes to the store of the
   * smallest place that fits, else to the default. Without it a database's backups go where its newest one is.
   */
  writer?: string | undefined;
  /** Reads backups from this store only, named by its locality or by the value alone; of the default store, ids. */
  only?: string | undefined;
}

/** What was decided on the stores, once their localities are known to be right. */
export interface Decided {
  core: Core;
  rules: LocalityCore;
  decisions: InstanceType<LocalityCore["Localities"]>;
  localities: readonly string[];
  /** Where in the list the default store is. */
  home: number;
  /** Where in the list the store is that is written to; missing when each database's own is. */
  target: number | undefined;
  /** Where in the list the store is that alone is read. */
  only: number | undefined;
}

/** @throws PagemarkError `LOCALITY_…` when the localities are not right */
export async function decide(
  names: () => Promise<readonly string[]>,
  { writer, only }: LocalitiesOptions,
): Promise<Decided> {
  const [wasm, rules, localities] = [await core(), await localityCore(), await names()];
  const decisions = new rules.Localities([...localities]);
  return {
    core: wasm,
    rules,
    decisions,
    localities,
    home: decisions.defaultStore,
    target: writer === undefined ? undefined : decisions.fitting(writer),
    only: only === undefined ? undefined : decisions.named(only),
  };
}

export type Signal = { signal?: AbortSignal | undefined };

/** The store made of several, as those see it who look into its parts. */
export interface Parts {
  readonly stores: readonly Store[];
  readonly layout: Store["layout"];
  decided(): Promise<Decided>;
  /** The keys of a database's records and where they are, newest first. */
  newest(folder: string, options?: Signal): Promise<{ key: string; at: number }[]>;
  /** What the keys of a database's accounts begin with, by the first of its records that can be read. */
  prefixOf(records: readonly string[], first?: string): Promise<string | undefined>;
}
