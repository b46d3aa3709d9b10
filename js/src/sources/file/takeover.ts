import { rename, stat, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { SourceError } from "../../errors/index.ts";
import { syncFolder } from "../../node/new-file.ts";
import { closeIdle } from "./handle.ts";
import { isBusy, isNoDatabase, resultCode, sqlite, whenFree } from "./sqlite.ts";
import { SIDECARS } from "./target.ts";
import { userOf } from "./users.ts";

/** Time to wait for other processes to let go of the database. */
const WAIT_MS = 2000;

/** Keeps other processes out of the old database until the new one has its name. */
export interface Taken {
  close(): void;
}

/**
 * Locks the database at `target` against all others, and leaves it without a `-wal`, `-shm` or `-journal`: SQLite would
 * apply those to the new file.
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
    // Another restore may have waited for the lock, too, and have replaced the file.
    if ((await identify(target)) === before) return connection ?? { close() {} };
    connection?.close();
  }
}

async function identify(path: string): Promise<string | undefined> {
  const found = await stat(path, { bigint: true }).catch(() => undefined);
  return found && `${found.dev}:${found.ino}`;
}

/** Opens the database to lock it; `undefined` for a file that is no database. */
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
 * Locks the database and brings all of it into its main file: a hot journal is rolled back, a WAL is checkpointed, which
 * is safe when nobody else uses the database.
 *
 * In exclusive locking mode SQLite keeps its journal open, and would delete whatever has the journal's name when the
 * connection is closed. That may then be another process's journal for the new database. In journal mode MEMORY it
 * forgets about the file.
 */
function foldIn(connection: DatabaseSync): void {
  connection.exec(
    "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = DELETE; PRAGMA journal_mode = MEMORY",
  );
  // A mode that could not be changed is told by the answer, not by an error.
  const { journal_mode: mode } = connection.prepare("PRAGMA journal_mode").get() ?? {};
  if (mode !== "memory") throw new Error(`the journal mode is still ${mode}`);
  connection.exec("BEGIN EXCLUSIVE");
}

/** Removes sidecars that hold nothing: an emptied journal, a WAL index without a WAL. */
async function removeSidecars(target: string): Promise<void> {
  for (const ending of SIDECARS) await unlink(target + ending).catch(() => {});
  await setAside(target);
}

/** Moves sidecars without a database out of the way: they are kept under names that SQLite does not look for. */
async function setAside(target: string): Promise<void> {
  for (const ending of SIDECARS) {
    const sidecar = target + ending;
    if ((await identify(sidecar)) !== undefined) await rename(sidecar, `${sidecar}.stale-${Date.now()}`);
  }
  await syncFolder(dirname(target));
}

/** Refuses sidecars that hold something, where there is no SQLite to bring it into the database. */
async function refuseIfUnfinished(target: string): Promise<undefined> {
  for (const ending of SIDECARS) {
    const { size } = (await stat(target + ending).catch(() => undefined)) ?? { size: 0 };
    if (size === 0 || ending === "-shm") continue;
    const message = `${target + ending}: belongs to the database; open it once with SQLite and close it, then restore`;
    throw new SourceError("SOURCE_IN_USE", message, { name: target + ending });
  }
}

/**
 * Refuses a database that another process has open without a lock.
 *
 * @throws SourceError `SOURCE_IN_USE`
 */
export function refuseIfOpen(target: string): void {
  // Descriptors of this process may have outlived their use.
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
