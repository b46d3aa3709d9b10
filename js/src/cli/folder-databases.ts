// The databases in a folder, by the names of their files.
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { extname, join } from "node:path";
import { PagemarkError } from "../errors/index.ts";
import { file } from "../sources/file.ts";
import { fileError } from "../sources/file-errors.ts";
import type { PageSource } from "../sources/source.ts";
import type { DatabaseFinder } from "../vault/vault.ts";
import { fileName, nameOf } from "./places.ts";

/** What the names of databases end with. */
const ENDINGS = new Set([".db", ".sqlite", ".sqlite3"]);

/** The databases in a folder: a file's name without its ending is its database's. */
export function folderDatabases(folder: string): Required<DatabaseFinder> {
  const all = () => databaseFilesIn(folder);
  return {
    names: async () => [...(await all()).keys()],
    async find(name): Promise<PageSource | undefined> {
      const path = (await all()).get(name);
      return path === undefined ? undefined : file(path);
    },
    async create(name): Promise<PageSource> {
      const path = join(folder, `${await fileName(name)}.db`);
      if ((await all()).has(name) || existsSync(path)) {
        const message = `there is a database ${name} already: ${path}`;
        throw new PagemarkError("DATABASE_EXISTS", message, { name });
      }
      return file(path);
    },
  };
}

/** Paths by name, in the order of the names. @throws PagemarkError `USAGE` when two files have one name */
export async function databaseFilesIn(folder: string): Promise<Map<string, string>> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error) => {
    throw fileError(error, folder);
  });
  const found = new Map<string, string>();
  const names = entries.filter((entry) => !entry.isDirectory()).map((entry) => entry.name);
  for (const each of names.sort()) {
    if (!ENDINGS.has(extname(each).toLowerCase()) || each.startsWith(".")) continue;
    const [name, path] = [nameOf(each), join(folder, each)];
    const other = found.get(name);
    if (other !== undefined) {
      const message = `${other} and ${path} would be one database ${name}: move one of them to a folder of its own`;
      throw new PagemarkError("USAGE", message, { name });
    }
    found.set(name, path);
  }
  return found;
}
