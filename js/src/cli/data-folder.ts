// A folder of databases, as `pagemark serve` has them, by the names of their files; and the schedules that statements made of them:
// a file beside them, which `pagemark run --data` goes by.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { PagemarkError } from "../errors/index.ts";
import { DatabaseFolder } from "../serve/folder.ts";
import { fileSchedules } from "../serve/schedules.ts";
import { file } from "../sources/file/file.ts";
import { planOf } from "../vault/agenda.ts";
import type { Checkpoints } from "../vault/checkpoints.ts";
import type { DatabaseFinder } from "../vault/vault.ts";
import { type Answer, ask, exists, startHolder } from "./checkpoint-holder.ts";
import type { Planned } from "./config.ts";
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

/** So that a client that died does not let a log grow for ever, in milliseconds. */
const LEASE_MS = 15 * 60_000;

/** Checkpoints of the databases in a folder. Each is held by a process of its own, as `pagemark checkpoint` has it: this one may end. */
export function heldCheckpoints(folder: string): Checkpoints {
  const pathOf = async (name: string) => (await databaseFilesIn(folder)).get(name) ?? join(folder, name);
  const factsOf = ({ since, until, files }: Held) => {
    return { createdAt: since, expiresAt: until, files: files.join(", ") };
  };
  return {
    async create(name) {
      const path = await pathOf(name);
      if (await ask(path, "status")) throw exists(path);
      return factsOf(await startHolder(path, LEASE_MS));
    },
    async release(name) {
      const { status } = (await ask(await pathOf(name), "release")) ?? {};
      if (status) return factsOf(status);
      const message = `${name}: there is no checkpoint; it may have expired`;
      throw new PagemarkError("CHECKPOINT_NONE", message, { name });
    },
    async status(name) {
      const { status } = (await ask(await pathOf(name), "status")) ?? {};
      return status && factsOf(status);
    },
  };
}

type Held = NonNullable<Answer["status"]>;

/** What the schedules of a folder say, database by database; those that are paused say nothing. `usual` is the store of those that name none. */
export async function schedulesIn(folder: string, usual: string | undefined): Promise<Planned[]> {
  const databases = await databaseFilesIn(folder);
  const schedules = await fileSchedules(folder).list();
  return schedules.flatMap((schedule) => {
    const { name: title, databases: names, place, isPaused, revisionHistory } = schedule;
    // As `store` in a configuration names several: with spaces between them.
    const store = place?.join(" ") ?? usual;
    if (isPaused) return [];
    if (store === undefined) {
      throw new PagemarkError("USAGE", `schedule ${title}: say by --to where its backups go`, {
        name: title,
      });
    }
    return (names ?? [...databases.keys()]).map((name) => {
      const path = databases.get(name) ?? join(folder, `${name}.db`);
      const plan = { ...planOf(schedule), name, path, store, revisionHistory };
      return { ...plan, keep: undefined, execBefore: undefined, execAfter: undefined, heartbeat: undefined };
    });
  });
}

/** The paths of the databases in a folder, by name. */
async function databaseFilesIn(path: string): Promise<Map<string, string>> {
  const all = await new DatabaseFolder(path, note).all();
  return new Map(all.map((each) => [each.name, each.path]));
}
