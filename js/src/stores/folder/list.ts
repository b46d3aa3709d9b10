import type { Dirent } from "node:fs";
import { lstat, opendir } from "node:fs/promises";
import { join } from "node:path";
import { compareKeys, isSegment } from "../checks.ts";
import type { StoredObject } from "../store.ts";
import { absentOr, failed, isAbsent } from "./errors.ts";

export interface Wanted {
  prefix: string;
  cursor: string | undefined;
  /** How many keys at most. */
  limit: number;
  signal: AbortSignal | undefined;
}

/** In bytes. */
const LONGEST_KEY = 1024;

/** Names of one folder that are kept at a time, however many it has. */
const MOST_NAMES = 1001;

/** Lists the wanted keys in ascending order, in `folder`: a key and a slash, or "" for all of `root`. */
export async function listKeys(root: string, folder: string, wanted: Wanted): Promise<string[]> {
  const keys: string[] = [];
  for await (const key of walk(root, folder, wanted)) {
    if (keys.push(key) === wanted.limit) break;
  }
  return keys;
}

/** Describes the file at `path`; `undefined` when it is gone, or is no file. */
export async function describe(path: string, key: string): Promise<StoredObject | undefined> {
  const found = await lstat(path).catch(absentOr("read", path));
  if (!found?.isFile()) return undefined;
  return { key, size: found.size, modified: new Date(Math.round(found.mtimeMs)) };
}

/**
 * Goes through a folder in the order of the keys: a folder stands where its name and a slash would, so that `a-b` and
 * `a.b` come before `a/b`. Opens only folders that may hold a wanted key, and each only when its turn has come.
 */
async function* walk(root: string, folder: string, wanted: Wanted): AsyncGenerator<string> {
  let after = "";
  for (;;) {
    const { names, more } = await firstNames(root, folder, after, wanted);
    for (const name of names) {
      if (name.endsWith("/")) yield* walk(root, name, wanted);
      else yield name;
    }
    const last = names.at(-1);
    if (!more || last === undefined) return;
    after = last;
  }
}

/** The first names in a folder, as keys, folders with a slash at the end; and whether there are more. */
async function firstNames(root: string, folder: string, after: string, wanted: Wanted) {
  const path = join(root, folder);
  let names: string[] = [];
  let more = false;
  let beyond: string | undefined; // as many names as are kept come before this one
  const cut = () => {
    names.sort(compareKeys);
    if (names.length <= MOST_NAMES) return;
    names = names.slice(0, MOST_NAMES);
    beyond = names.at(-1);
    more = true;
  };
  try {
    for await (const entry of await opendir(path, { bufferSize: 512 })) {
      wanted.signal?.throwIfAborted();
      const name = nameOf(folder, entry);
      if (name === undefined || name <= after || !mayHold(name, wanted)) continue;
      if (beyond !== undefined && name > beyond) more = true;
      else if (names.push(name) === 2 * MOST_NAMES) cut();
    }
  } catch (error) {
    if (!isAbsent(error)) failed("list", path)(error); // else it was removed since its name was read
  }
  cut();
  return { names, more };
}

/** The key of a folder's entry, if it may be one: symbolic links, sockets and the like are no objects. */
function nameOf(folder: string, entry: Dirent): string | undefined {
  if (!isSegment(entry.name) || folder.length + entry.name.length > LONGEST_KEY) return undefined;
  if (entry.isDirectory()) return `${folder}${entry.name}/`;
  return entry.isFile() ? folder + entry.name : undefined;
}

/** Whether `name` is a wanted key, or a folder that may hold one. */
function mayHold(name: string, { prefix, cursor }: Wanted): boolean {
  const isFolder = name.endsWith("/");
  const inPrefix = name.startsWith(prefix) || (isFolder && prefix.startsWith(name));
  const inRest = cursor === undefined || name > cursor || (isFolder && cursor.startsWith(name));
  return inPrefix && inRest;
}
