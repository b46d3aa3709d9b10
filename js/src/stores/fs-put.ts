import { createHash } from "node:crypto";
import {
  type FileHandle,
  link,
  lstat,
  mkdir,
  open,
  opendir,
  rename,
  rmdir,
  stat,
  unlink,
} from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { free } from "../core/free.ts";
import { ObjectExistsError } from "../errors/object-exists-error.ts";
import { StoreError } from "../errors/store-error.ts";
import { failed, systemCode } from "./fs-errors.ts";
import { type Folders, syncFolder } from "./fs-folders.ts";
import type { PutOptions } from "./store.ts";

/** Below the root, so on the file system of the objects. No key has such a segment. */
const TEMPORARY = ".pagemark/tmp";
const CLAIMS = ".pagemark/claims";

/** A backup holds all of a database: it is for its owner's eyes. */
const MODE = 0o600;

/** In bytes: so often the disk is set to work while more comes in, which leaves little for the end to wait for. */
const FLUSH = 16 * 1024 * 1024;

/** In milliseconds. */
const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

/** What file systems without hard links answer. */
const NO_LINKS = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"]);

/**
 * Writes an object beside its place, makes it durable, then gives it its name in one step that fails when the name
 * is taken. Killed anywhere, it leaves the whole object, or a file that is never listed and that {@link sweep} removes.
 *
 * `path` names the object in errors.
 */
export async function putFile(
  folders: Folders,
  key: string,
  path: string,
  chunks: AsyncIterable<Uint8Array>,
  options: PutOptions,
): Promise<void> {
  const inItsFolder = (use: (place: string) => Promise<void>) =>
    folders.within(dirname(key), (folder) => use(join(folder, basename(key)))).catch(failed("write", path));

  await inItsFolder((place) => mustBeFree(place, key)); // sooner than after a gigabyte
  const { temporary, handle } = await create(folders).catch(failed("write", path));
  try {
    await write(handle, path, chunks, options);
    options.signal?.throwIfAborted(); // for the last time: what comes now cannot be taken back
    await inItsFolder((place) => name(temporary, place, key, folders));
  } finally {
    await unlink(temporary).catch(() => {}); // a nuisance at most, and the sweep's
  }
}

/** Removes what dead processes left: what nobody has written to for a day. */
export async function sweep(folders: Folders): Promise<void> {
  await folders.within(TEMPORARY, async (folder) => {
    for await (const { name } of await opendir(folder)) {
      const path = join(folder, name);
      // When it was last touched. Its modification time may be that of an old backup.
      const { ctimeMs } = await stat(path);
      if (ctimeMs < Date.now() - DAY) await unlink(path);
    }
  });
}

async function create(folders: Folders) {
  return folders.within(TEMPORARY, async (folder) => {
    // "~" is in no key: a store of a folder above this one does not take the file for an object.
    const temporary = join(folder, `${crypto.randomUUID()}~`);
    return { temporary, handle: await open(temporary, "wx", MODE) };
  });
}

async function write(
  handle: FileHandle,
  path: string,
  chunks: AsyncIterable<Uint8Array>,
  { modified, ownsChunks }: PutOptions,
): Promise<void> {
  let unflushed = 0;
  let flushing: Promise<void> | undefined;
  let flushFailed: unknown;
  try {
    for await (const chunk of chunks) {
      await writeWhole(handle, chunk).catch(failed("write", path));
      unflushed += chunk.length;
      if (ownsChunks) free(chunk);
      if (unflushed < FLUSH || flushing !== undefined) continue;
      unflushed = 0;
      // The system reports a failed write to one flush only, so it must not be lost.
      flushing = handle.datasync().then(
        () => (flushing = undefined),
        (error) => (flushFailed = error),
      );
    }
    await flushing;
    if (flushFailed !== undefined) failed("write", path)(flushFailed);
    if (modified) await setTime(handle, modified).catch(failed("write", path));
    await handle.sync().catch(failed("write", path)); // not datasync: the time must last too
  } finally {
    await flushing;
    await handle.close().catch(failed("write", path));
  }
}

async function writeWhole(handle: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let at = 0; at < chunk.length; ) {
    const { bytesWritten } = await handle.write(chunk, at, chunk.length - at);
    at += bytesWritten;
  }
}

/** Half a microsecond more, as the way through seconds in floating point ends up to a microsecond short. */
async function setTime(handle: FileHandle, time: Date): Promise<void> {
  const seconds = (time.getTime() + 0.0005) / 1000;
  await handle.utimes(seconds, seconds);
}

/** Gives a finished file its name, unless that is taken. */
async function name(temporary: string, place: string, key: string, folders: Folders): Promise<void> {
  try {
    await link(temporary, place);
  } catch (error) {
    if (!NO_LINKS.has(systemCode(error) ?? "")) {
      await mustBeFree(place, key);
      throw error;
    }
    const claim = createHash("sha256").update(key).digest("hex");
    await folders.within(CLAIMS, (claims) => renameUnlessTaken(temporary, place, key, join(claims, claim)));
  }
  await syncFolder(dirname(place));
}

/**
 * For file systems without hard links, such as exFAT and some network mounts. Renaming would replace what is there;
 * making a folder is atomic and exclusive everywhere, so the one who makes the key's folder may look and rename.
 *
 * What remains: a crash in these few microseconds leaves the claim, which refuses the key for a minute; and two
 * processes that find such a claim outdated in the same instant may both go on, the later one replacing the object.
 */
async function renameUnlessTaken(
  temporary: string,
  place: string,
  key: string,
  claim: string,
): Promise<void> {
  await mkdir(claim).catch(async (error) => {
    if (systemCode(error) !== "EEXIST") throw error;
    if ((await stat(claim)).mtimeMs > Date.now() - MINUTE) throw new ObjectExistsError(key);
    await rmdir(claim);
    await mkdir(claim);
  });
  try {
    await mustBeFree(place, key);
    await rename(temporary, place);
  } finally {
    await rmdir(claim).catch(() => {});
  }
}

async function mustBeFree(place: string, key: string): Promise<void> {
  const found = await lstat(place).catch((error) => {
    if (systemCode(error) !== "ENOENT") throw error;
  });
  if (found?.isFile()) throw new ObjectExistsError(key);
  if (found) {
    const message = `${JSON.stringify(place)} is there and is no object; move it away, or use another name`;
    throw new StoreError("STORE_KEY", message, { name: place });
  }
}
