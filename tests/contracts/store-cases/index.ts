import type { Store } from "pagemark";
import { aborts } from "./aborts.ts";
import { keys } from "./keys.ts";
import { lists } from "./lists.ts";
import { puts } from "./puts.ts";
import { reads } from "./reads.ts";
import { uploads } from "./uploads.ts";

/** A sentence that is true of every store, and what shows it, given a store that is empty. */
export type Case = readonly [title: string, run: (store: Store) => Promise<void>];

/** In what stores may differ. */
export interface Traits {
  /** Keeps the time given with a put, to the millisecond. */
  keepsModified: boolean;
  /** Tells `A` from `a`, which the usual file systems of macOS and Windows do not. */
  caseSensitive: boolean;
  /** Has room for keys of 1,024 bytes and segments of 255, which a store below a prefix, or with names of its own for files, has not. */
  longKeys: boolean;
  /** Says that there is no object under what is a folder of others; s3s-fs says 500. */
  tellsFolders: boolean;
  /** Takes so long for each put that a list of thousands is for another test. */
  isSlow: boolean;
}

export function storeCases(traits: Partial<Traits> = {}): Case[] {
  const all: Traits = {
    keepsModified: true,
    caseSensitive: true,
    isSlow: false,
    longKeys: true,
    tellsFolders: true,
    ...traits,
  };
  return [...puts(all), ...reads, ...lists(all), ...keys(all), ...aborts, ...uploads];
}
