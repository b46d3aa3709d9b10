// A folder of databases, as `pagemark serve` has them, by the names of their files; and the schedules that statements made of them:
// a file beside them, which `pagemark run --data` goes by.
import { existsSync, readFileSync } from "node:fs";
import { rename } from "node:fs/promises";
import { dirname, join } from "node:path";
import { PagemarkError } from "../errors/index.ts";
import { systemCode } from "../node/errno.ts";
import { NewFile, syncFolder } from "../node/new-file.ts";
import { processTag } from "../node/process-tag.ts";
import { DatabaseFolder } from "../serve/folder.ts";
import { file } from "../sources/file.ts";
import { fileError } from "../sources/file-errors.ts";
import type { Checkpoints } from "../vault/checkpoints.ts";
import type { SavedSchedule, Schedules } from "../vault/statement-host.ts";
import type { DatabaseFinder } from "../vault/vault.ts";
import { Agenda } from "./agenda.ts";
import { type Answer, ask, exists, startHolder } from "./checkpoint-holder.ts";
import { type Full, type Planned, weekdayOf } from "./config.ts";
import { note } from "./output.ts";

/** The file, in the folder of the databases. */
const FILE = "pagemark.schedules.json";
/** URLs of stores, which may have keys in them, are its owner's business. */
const MODE = 0o600;

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

/** The schedules of the databases in a folder. */
export function fileSchedules(folder: string): Schedules {
  const path = join(folder, FILE);
  return {
    list: async () => read(path),
    save: (all) => write(path, `${JSON.stringify({ version: 1, schedules: all }, undefined, 2)}\n`),
    next: (schedule) =>
      new Agenda(planOf(schedule, { name: schedule.name, path: "", store: "" })).next(Date.now()),
  };
}

/** What the schedules of a folder say, database by database; those that are paused say nothing. `usual` is the store of those that name none. */
export async function schedulesIn(folder: string, usual: string | undefined): Promise<Planned[]> {
  const databases = await databaseFilesIn(folder);
  return read(join(folder, FILE)).flatMap((schedule) => {
    const { name: title, databases: names, place, isPaused } = schedule;
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
      return planOf(schedule, { name, path, store });
    });
  });
}

/** What a schedule says of one database. */
function planOf(
  { recurring, full, timezone, revisionHistory }: SavedSchedule,
  database: Pick<Planned, "name" | "path" | "store">,
): Planned {
  return {
    ...database,
    schedule: recurring,
    timezone: timezone ?? undefined,
    full: full.kind === "recurring" ? fullOf(full.times) : full.kind,
    maxAgeMs: undefined,
    keep: undefined,
    execBefore: undefined,
    execAfter: undefined,
    heartbeat: undefined,
    revisionHistory,
  };
}

/** The paths of the databases in a folder, by name. */
async function databaseFilesIn(path: string): Promise<Map<string, string>> {
  const all = await new DatabaseFolder(path, note).all();
  return new Map(all.map((each) => [each.name, each.path]));
}

function fullOf(times: string): Full {
  return weekdayOf(times) ?? { schedule: times };
}

function read(path: string): SavedSchedule[] {
  try {
    const { version, schedules } = JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;
    if (version === 1 && Array.isArray(schedules)) return schedules;
    throw new SyntaxError("it is not what this version of Pagemark writes");
  } catch (error) {
    if (systemCode(error) === "ENOENT") return [];
    if (!(error instanceof SyntaxError)) throw fileError(error, path);
    const message = `${path} cannot be read: ${error.message}; mend it, or delete it and create the schedules anew`;
    throw new PagemarkError("USAGE", message, { name: path }, { cause: error });
  }
}

/** Writes the whole file, or leaves the old one. */
async function write(path: string, text: string): Promise<void> {
  let file: NewFile | undefined;
  try {
    file = await NewFile.create(`${path}.${processTag()}`, MODE);
    await file.write(Buffer.from(text));
    await file.finish();
    await rename(file.path, path);
    file.isNamed();
    await syncFolder(dirname(path));
  } catch (error) {
    throw fileError(error, path, "write");
  } finally {
    await file?.end();
  }
}
