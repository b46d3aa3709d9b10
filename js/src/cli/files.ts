// Several files, and patterns for their names.
import { readdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { PagemarkError } from "../errors/index.ts";
import { nameOf } from "./places.ts";

/** What lies beside a database, and what is no database by its name. */
const BESIDE = /-(wal|shm|journal)$/;

/** Whether a path has `*` or `?` in its last part. */
export function isPattern(path: string): boolean {
  return /[*?]/.test(basename(path));
}

/** The files that paths and patterns mean, each once, in order. A pattern is for names in one folder: `data/*.db`. */
export async function databaseFiles(paths: readonly string[]): Promise<string[]> {
  const found = new Set<string>();
  for (const path of paths) {
    if (!isPattern(path)) found.add(path);
    else for (const name of await fitting(dirname(path), basename(path))) found.add(name);
  }
  return [...found];
}

async function fitting(folder: string, pattern: string): Promise<string[]> {
  const escaped = pattern.replace(/[.+^${}()|[\]\\]/g, "\\$&");
  const fits = new RegExp(`^${escaped.replaceAll("*", ".*").replaceAll("?", ".")}$`);
  const entries = await readdir(folder, { withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory() && fits.test(entry.name) && !BESIDE.test(entry.name))
    .filter((entry) => !entry.name.startsWith(".") || pattern.startsWith("."))
    .map((entry) => join(folder, entry.name))
    .sort();
}

/** Refuses files that would have one name in one store. `advice` is what to do about it. */
export function checkNames(
  files: readonly { path: string; name?: string; store?: string }[],
  advice: string,
): void {
  const paths = new Map<string, string>();
  for (const { path, name = nameOf(path), store } of files) {
    const place = JSON.stringify([name, store]);
    const other = paths.get(place);
    if (other !== undefined) {
      const message = `${path} and ${other} would have one name in the store, ${name}: ${advice}`;
      throw new PagemarkError("USAGE", message);
    }
    paths.set(place, path);
  }
}
