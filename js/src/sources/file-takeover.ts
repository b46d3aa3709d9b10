import { rename, stat, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { SourceError } from "../errors/index.ts";
import { syncFolder } from "../node/new-file.ts";
import { closeIdle } from "./file-handle.ts";
import { isBusy, isNoDatabase, resultCode, sqlite, whenFree } from "./file-sqlite.ts";
import { SIDECARS } from "./file-target.ts";
import { userOf } from "./file-users.ts";

/** How long to wait for others to let go of the database. */
const WAIT_MS = 2000;

/** What keeps others out of the old database until the new one has its name. */
export interface Taken {
  close(): void;
}

/**
 * Locks the database at `target` against everyone, and leaves it without a `-wal`, `-shm` or `-journal`: SQLite would
 * apply those to the file that is about to take its name.
 *
 * @throws SourceError `SOURCE_IN_USE`
 */
export async function takeOver(target: string, signal: AbortSignal | undefined): Promise<Taken> {
  for (;;) {
    const before = await identify(target);
    if (before === undefined) {
      await setAside(target);
      return { close() {} };
    }
    refuseIfOpen(target);
    const connection = await lock(target, signal);
    // Another restore may have been waiting for the same lock, or may have had it.
    if ((await identify(target)) === before) return connection ?? { close() {} };
    connection?.close();
  }
}

async function identify(path: string): Promise<string | undefined> {
  const found = await stat(path, { bigint: true }).catch(() => undefined);
  return found && `${found.dev}:${found.ino}`;
}

/** Nothing is returned for a file that is no database: there is nothing to lock. */
async function lock(target: string, signal: AbortSignal | undefined): Promise<DatabaseSync | undefined> {
  const { DatabaseSync } = sqlite() ?? {};
  if (!DatabaseSync) return refuseIfUnfinished(target);
  let connection: DatabaseSync | undefined;
  try {
    const opened = new DatabaseSync(target);
    connection = opened;
    await whenFree(target, WAIT_MS, signal, () => foldIn(opened));
  } catch (error) {
    connection?.close();
    if (isNoDatabase(error)) {
      await setAside(target);
      return undefined;
    }
    throw isBusy((error as Error).cause) ? inUse(target, "another process", error) : denied(target, error);
  }
  try {
    await removeSidecars(target);
  } catch (error) {
    connection.close();
    throw error;
  }
  return connection;
}

/**
 * Locks the database and brings all of it into its one file: a hot journal is rolled back, a WAL is checkpointed, which
 * endangers nothing where nobody else is.
 *
 * In exclusive locking mode SQLite keeps its journal open, and would delete whatever has the journal's name when the
 * connection is closed. That may then be another process's journal for the new database. In journal mode MEMORY it
 * forgets about the file.
 */
function foldIn(connection: DatabaseSync): void {
  connection.exec(
    "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = DELETE; PRAGMA journal_mode = MEMORY",
  );
  // It says so in its answer, not by an error, when the mode could not be changed.
  const { journal_mode: mode } = connection.prepare("PRAGMA journal_mode").get() ?? {};
  if (mode !== "memory") throw new Error(`the journal mode is still ${mode}`);
  connection.exec("BEGIN EXCLUSIVE");
}

/** What is left holds nothing: a journal that was emptied, a WAL index without a WAL. */
async function removeSidecars(target: string): Promise<void> {
  for (const ending of SIDECARS) await unlink(target + ending).catch(() => {});
  await setAside(target);
}

/** Moves sidecars that no database has dealt with out of the way: kept, under names that SQLite does not look for. */
async function setAside(target: string): Promise<void> {
  for (const ending of SIDECARS) {
    const sidecar = target + ending;
    if ((await identify(sidecar)) !== undefined) await rename(sidecar, `${sidecar}.stale-${Date.now()}`);
  }
  await syncFolder(dirname(target));
}

/** Without SQLite nobody can bring in what a WAL or a journal holds. */
async function refuseIfUnfinished(target: string): Promise<undefined> {
  for (const ending of SIDECARS) {
    const { size } = (await stat(target + ending).catch(() => undefined)) ?? { size: 0 };
    if (size === 0 || ending === "-shm") continue;
    const message = `${target + ending}: belongs to the database; open it once with SQLite and close it, then restore`;
    throw new SourceError("SOURCE_IN_USE", message, { name: target + ending });
  }
}

/**
 * Some programs have a database open without a lock.
 *
 * @throws SourceError `SOURCE_IN_USE`
 */
export function refuseIfOpen(target: string): void {
  // Our own descriptors may have outlived their use.
  closeIdle();
  for (const ending of ["", ...SIDECARS]) {
    const user = userOf(target + ending);
    if (user !== undefined) throw inUse(target + ending, user);
  }
}

function inUse(path: string, user: string, cause?: unknown): SourceError {
  const message = `${path}: is open in ${user}; stop that first, or write to another file; nothing was changed`;
  return new SourceError("SOURCE_IN_USE", message, { name: path }, { cause });
}

function denied(path: string, cause: unknown): unknown {
  if (resultCode(cause) === undefined) return cause;
  const message = `${path}: SQLite cannot lock it (${(cause as Error).message}); check who may write it and its folder`;
  return new SourceError("SOURCE_DENIED", message, { name: path }, { cause });
}
