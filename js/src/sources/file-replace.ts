import {
  chmod,
  chown,
  type FileHandle,
  open,
  readdir,
  readlink,
  realpath,
  rename,
  stat,
  unlink,
} from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { SourceError } from "../errors/index.ts";
import { fileError } from "./file-errors.ts";
import { closeIdle } from "./file-handle.ts";
import { closeQuietly, isNoDatabase, sqlite, whenFree } from "./file-sqlite.ts";
import type { ReplaceOptions } from "./source.ts";

/** How long to wait for others to let go of the database. */
const TIMEOUT_MS = 2000;
const SIDECARS = ["-wal", "-shm", "-journal"];

/**
 * Writes the database in `body` beside `path`, and gives it its name in one step once all of it is on the disk. Old
 * sidecars are out of the way before: SQLite would apply them to the new file. Killed anywhere, what is there is the
 * old database or the new.
 */
export async function replaceFile(
  path: string,
  body: ReadableStream<Uint8Array>,
  { signal, ownsChunks = false }: ReplaceOptions = {},
): Promise<void> {
  const target = await realpath(path).catch(() => resolve(path));
  const temporary = join(dirname(target), `.${basename(target)}.pagemark-${crypto.randomUUID().slice(0, 8)}`);
  try {
    await writeBeside(temporary, body, ownsChunks, signal);
    const old = await stat(target).catch(() => undefined);
    if (old) {
      await chmod(temporary, old.mode);
      // Only root may give a file away; others keep their own.
      await chown(temporary, old.uid, old.gid).catch(() => {});
    }
    signal?.throwIfAborted();
    const taken = old && (await takeOver(target, signal));
    try {
      await setSidecarsAside(target);
      await rename(temporary, target);
      await syncFolder(dirname(target));
    } finally {
      closeQuietly(taken);
    }
  } catch (error) {
    await body.cancel(error).catch(() => {});
    await unlink(temporary).catch(() => {});
    throw (error as { syscall?: string }).syscall ? fileError(path, error) : error;
  }
}

async function writeBeside(
  path: string,
  body: ReadableStream<Uint8Array>,
  ownsChunks: boolean,
  signal: AbortSignal | undefined,
): Promise<void> {
  const file = await open(path, "wx", 0o600);
  const reader = body.getReader();
  try {
    // One chunk is written while the next is made.
    let writing: Promise<void> = Promise.resolve();
    for (;;) {
      signal?.throwIfAborted();
      const { done, value } = await reader.read();
      await writing;
      if (done) break;
      writing = writeWhole(file, value, ownsChunks);
      // Thrown at the next turn.
      writing.catch(() => {});
    }
    await file.sync();
  } finally {
    reader.releaseLock();
    await file.close();
  }
}

async function writeWhole(file: FileHandle, chunk: Uint8Array, ownsChunks: boolean): Promise<void> {
  for (let at = 0; at < chunk.length; ) {
    const { bytesWritten } = await file.write(chunk, at, chunk.length - at);
    at += bytesWritten;
  }
  if (ownsChunks) (chunk.buffer as ArrayBuffer).transfer(0);
}

/**
 * Locks the old database against everyone and brings it into its one file, so that no sidecar belongs to it any more.
 * The lock is held until the connection that is returned is closed; there is none for a file that is no database.
 */
async function takeOver(target: string, signal: AbortSignal | undefined): Promise<DatabaseSync | undefined> {
  // Our own descriptors may have outlived their use.
  closeIdle();
  await refuseIfOpen(target);
  const { DatabaseSync } = (await sqlite()) ?? {};
  if (!DatabaseSync) return undefined;
  const db = new DatabaseSync(target);
  try {
    await whenFree(target, TIMEOUT_MS, signal, () => {
      // With nobody else there, a checkpoint endangers nothing. It also finishes a hot journal.
      db.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE");
    });
    return db;
  } catch (error) {
    closeQuietly(db);
    if (isNoDatabase(error)) return undefined;
    throw error instanceof SourceError && error.code === "SOURCE_BUSY"
      ? inUse(target, undefined, error)
      : error;
  }
}

/** Linux tells which processes have a file open, also those that hold no lock at the moment. */
async function refuseIfOpen(target: string): Promise<void> {
  for (const pid of await readdir("/proc").catch(() => [])) {
    if (!/^\d+$/.test(pid)) continue;
    for (const fd of await readdir(`/proc/${pid}/fd`).catch(() => [])) {
      const link = await readlink(`/proc/${pid}/fd/${fd}`).catch(() => "");
      if (link === target || SIDECARS.some((ending) => link === target + ending))
        throw inUse(target, Number(pid));
    }
  }
}

function inUse(target: string, pid: number | undefined, cause?: unknown): SourceError {
  const who = pid === undefined ? "another process" : pid === process.pid ? "this process" : `process ${pid}`;
  const message = `${target} is open in ${who}; stop that first, or restore to another file`;
  return new SourceError("SOURCE_IN_USE", message, { name: target }, cause === undefined ? {} : { cause });
}

/** Sidecars without a database that could have dealt with them: kept, under names that SQLite does not look for. */
async function setSidecarsAside(target: string): Promise<void> {
  for (const ending of SIDECARS) {
    const sidecar = target + ending;
    if (await stat(sidecar).catch(() => undefined)) await rename(sidecar, `${sidecar}.stale-${Date.now()}`);
  }
  await syncFolder(dirname(target));
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  // Some systems cannot, and need not.
  await handle.sync().catch(() => {});
  await handle.close();
}
