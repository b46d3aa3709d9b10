// The databases in a folder, as `pagemark serve` has them: by the names of their files.
import { existsSync } from "node:fs";
import { PagemarkError } from "../errors/index.ts";
import { DatabaseFolder } from "../serve/folder.ts";
import { file } from "../sources/file.ts";
import type { DatabaseFinder } from "../vault/vault.ts";
import { note } from "./output.ts";

/** The databases in a folder; what a restore makes there is a new file. */
export function folderDatabases(path: string): Required<DatabaseFinder> {
  const folder = new DatabaseFolder(path, note);
  return {
    names: async () => (await folder.all()).map(({ name }) => name),
    async find(name) {
      const found = await folder.find(name);
      return found && file(found.path);
    },
    async create(name) {
      const made = folder.newPath(name);
      // A file that is no database, or one that is empty.
      if (!existsSync(made)) return file(made);
      throw new PagemarkError("DATABASE_EXISTS", `${made} exists; move it away, or choose another name`, {
        name,
      });
    },
  };
}

/** The paths of the databases in a folder, by name. */
export async function databaseFilesIn(path: string): Promise<Map<string, string>> {
  const all = await new DatabaseFolder(path, note).all();
  return new Map(all.map((each) => [each.name, each.path]));
}
