import { lstat, mkdir, realpath, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { systemCode } from "../../node/errno.ts";
import { syncFolder } from "../../node/new-file.ts";
import { failed, notAFolder } from "./errors.ts";

/** A backup holds a whole database, so only its owner may read it. A folder that exists keeps its mode. */
const MODE = 0o700;

/** Makes the folders of a store when an object needs them, each once, so that they outlive a crash. */
export class Folders {
  readonly #root: string;
  readonly #made = new Map<string, Promise<string>>();

  constructor(root: string) {
    this.#root = root;
  }

  /**
   * Calls `use` with the real path of `folder`, which is relative to the root; "." is the root. Calls it again when the
   * folder turns out to have been removed or replaced meanwhile.
   */
  async within<T>(folder: string, use: (path: string) => Promise<T>): Promise<T> {
    const path = await this.#make(folder);
    try {
      if ((await realpath(path)) === path) return await use(path);
    } catch (error) {
      if (systemCode(error) !== "ENOENT") throw error;
    }
    this.#made.clear();
    return use(await this.#make(folder));
  }

  #make(folder: string): Promise<string> {
    const known = this.#made.get(folder);
    if (known !== undefined) return known;
    const made = folder === "." ? makeRoot(this.#root) : this.#makeBelow(folder);
    this.#made.set(folder, made);
    made.catch(() => this.#made.delete(folder));
    return made;
  }

  async #makeBelow(folder: string): Promise<string> {
    const parent = await this.#make(dirname(folder));
    const path = join(parent, folder.slice(folder.lastIndexOf("/") + 1));
    await mkdir(path, MODE).catch(async (error) => {
      if (systemCode(error) !== "EEXIST") failed("write", path)(error);
      // Not stat: through a symbolic link we would write outside of the root.
      if (!(await lstat(path)).isDirectory()) throw notAFolder(path, error);
    });
    // Also when it existed: the process that made it may have died before doing this.
    await syncFolder(parent).catch(failed("write", parent));
    return path;
  }
}

/** Makes the root. Unlike the folders in it, the root may be a symbolic link. Returns its real path. */
async function makeRoot(root: string): Promise<string> {
  await makeAll(root);
  const path = await realpath(root).catch(failed("write", root));
  await syncFolder(dirname(path)).catch(failed("write", path)); // as below
  return path;
}

/** Makes folders one by one: when `mkdir` with `recursive` fails, it does not say why. */
async function makeAll(path: string): Promise<void> {
  if (await isFolder(path)) return;
  await makeAll(dirname(path));
  await mkdir(path, MODE).catch(async (error) => {
    if (systemCode(error) !== "EEXIST") failed("write", path)(error);
    if (!(await isFolder(path))) throw notAFolder(path, error); // a link that leads nowhere
  });
  await syncFolder(dirname(path)).catch(failed("write", path));
}

/** Whether a folder is there. Throws when something else is. */
async function isFolder(path: string): Promise<boolean> {
  const found = await stat(path).catch((error) => {
    if (systemCode(error) !== "ENOENT" || dirname(path) === path) failed("write", path)(error);
  });
  if (found && !found.isDirectory()) throw notAFolder(path);
  return found !== undefined;
}
