// The schedules that statements made of the databases in a folder: a file beside them, which `pagemark sql`, `pagemark serve` and
// `pagemark run --data` share.
import { readFileSync } from "node:fs";
import { rename } from "node:fs/promises";
import { dirname, join } from "node:path";
import { PagemarkError } from "../errors/index.ts";
import { systemCode } from "../node/errno.ts";
import { NewFile, syncFolder } from "../node/new-file.ts";
import { processTag } from "../node/process-tag.ts";
import { fileError } from "../sources/file/errors.ts";
import { sqlite, whenFree } from "../sources/file/sqlite.ts";
import { Agenda, planOf } from "../vault/agenda.ts";
import type { SavedSchedule, Schedules } from "../vault/statement-host.ts";

/** The file, in the folder of the databases. */
const FILE = "pagemark.schedules.json";
/** URLs of stores, which may have keys in them, are its owner's business. */
const MODE = 0o600;
/** For how long another process that saves is waited for, in milliseconds. */
const BUSY_MS = 10_000;

/** The schedules of the databases in a folder. */
export function fileSchedules(folder: string): Schedules {
  const path = join(folder, FILE);
  return {
    list: async () => read(path),
    save: (all, before) =>
      alone(path, async () => {
        if (textOf(read(path)) !== textOf(before)) return false;
        await write(path, textOf(all));
        return true;
      }),
    next: (schedule) => new Agenda(planOf(schedule)).next(Date.now()),
  };
}

/** Runs `work` while no other process does that for the same file: a lock of SQLite ends with the process that has it. */
async function alone<T>(path: string, work: () => Promise<T>): Promise<T> {
  const { DatabaseSync } = sqlite() ?? {};
  if (!DatabaseSync) return work();
  const lock = new DatabaseSync(`${path}.lock`);
  try {
    await whenFree(path, BUSY_MS, undefined, () => lock.exec("BEGIN EXCLUSIVE"));
    return await work();
  } finally {
    lock.close();
  }
}

function textOf(schedules: readonly SavedSchedule[]): string {
  return `${JSON.stringify({ version: 1, schedules }, undefined, 2)}\n`;
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
