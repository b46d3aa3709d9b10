import { createHash } from "node:crypto";
import { link, lstat, mkdir, readdir, rename, rmdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { free } from "../../core/free.ts";
import { ObjectExistsError } from "../../errors/object-exists-error.ts";
import { StoreError } from "../../errors/store-error.ts";
import { systemCode } from "../../node/errno.ts";
import { NewFile, syncFolder } from "../../node/new-file.ts";
import { processTag } from "../../node/process-tag.ts";
import { sweepFolder } from "../../node/sweep.ts";
import type { PutOptions } from "../store.ts";
import { failed } from "./errors.ts";
import type { Folders } from "./tree.ts";

/** Folders for temporary files, on the file system of the objects. No key has such a segment. */
const TEMPORARY = ".pagemark/tmp";
const CLAIMS = ".pagemark/claims";

/** A backup holds a whole database, so only its owner may read it. */
const MODE = 0o600;

/** Ending of temporary files. "~" is in no key, so a store in a folder above this one does not take the file for an object. */
const ENDING = "~";

/** In milliseconds. */
const MINUTE = 60_000;
const DAY = 1440 * MINUTE;

/** Error codes of file systems without hard links. */
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

  await inItsFolder((place) => mustBeFree(place, key)); // before the body is written
  const file = await create(folders).catch(failed("write", path));
  try {
    for await (const chunk of chunks) {
      await file.write(chunk).catch(failed("write", path));
      if (options.ownsChunks) free(chunk);
    }
    await file.finish(options.modified).catch(failed("write", path));
    options.signal?.throwIfAborted(); // from here on the put cannot be undone
    await inItsFolder((place) => name(file.path, place, key, folders));
  } finally {
    await file.end();
  }
}

/** Removes what processes that have ended left. It goes by the change time: the modification time may be an old backup's. */
export async function sweep(folders: Folders): Promise<void> {
  const tagOf = (name: string) => (name.endsWith(ENDING) ? name.slice(0, -ENDING.length) : undefined);
  await folders.within(TEMPORARY, (folder) => sweepFolder(folder, { tagOf, touched: "ctimeMs" }));
  await folders.within(".", (root) => sweepClaims(join(root, CLAIMS)));
}

/** Removes old claims: the claim of a key that is never put again would stay for ever. */
async function sweepClaims(folder: string): Promise<void> {
  const look = (path: string) => lstat(path).catch(() => undefined);
  if (!(await look(folder))?.isDirectory()) return;
  for (const name of await readdir(folder).catch(() => [])) {
    const claim = join(folder, name);
    const found = await look(claim);
    if (found?.isDirectory() && found.mtimeMs < Date.now() - DAY) await rmdir(claim).catch(() => {});
  }
}

function create(folders: Folders): Promise<NewFile> {
  return folders.within(TEMPORARY, (folder) => NewFile.create(join(folder, processTag() + ENDING), MODE));
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
 * Names the file on file systems without hard links, such as exFAT and some network mounts. Renaming would replace an
 * existing file; making a folder is atomic and exclusive everywhere, so whichever process makes the key's folder may look and rename.
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
