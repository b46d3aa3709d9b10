import { constants } from "node:fs";
import { open, realpath, stat, unlink } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { ObjectMissingError } from "../../errors/object-missing-error.ts";
import { checkOptions, checkText } from "../../errors/options.ts";
import { StoreError } from "../../errors/store-error.ts";
import { type Body, consume } from "../../streams/body.ts";
import { byteRange, checkKey, checkRange, checkTime, isSegment, pageLimit } from "../checks.ts";
import { guarded } from "../guarded.ts";
import type { GetOptions, ListOptions, ListPage, PutOptions, Store } from "../store.ts";
import { absentOr, failed, notAFolder } from "./errors.ts";
import { describe, listKeys } from "./list.ts";
import { putFile, sweep } from "./put.ts";
import { streamFile } from "./read.ts";
import { Folders } from "./tree.ts";

/** Does not follow a link in the object's place, and does not wait for what is no file, such as a pipe. */
const OPEN = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

/**
 * A store in a folder, one file an object, in Node, Deno and Bun. The folder, and the folders in it, are made when the
 * first object is put; what is made is private to the user (modes 700 and 600).
 *
 * A relative path counts from the present working directory; `~` is a name like any other. The folder itself may be a
 * symbolic link. Links inside it are not followed: what they lead to is not listed, missing when read, and refused when
 * written.
 *
 * Files whose names are no keys are ignored.
 */
export function folder(path: string): Store {
  checkText(path, "path");
  if (path === "" || path.includes("\0")) {
    const message = `${JSON.stringify(path)} cannot name a folder; give its path, "." for the current one`;
    throw new StoreError("STORE_NOT_A_FOLDER", message, { name: path });
  }
  return guarded(new FolderStore(resolve(path)));
}

/** @deprecated Use {@link folder}; `fs` is the name of a module of Node. */
export const fs = folder;

class FolderStore implements Store {
  readonly layout = "folder";
  readonly fillsBuffers = true;
  readonly description: string;
  readonly #root: string;
  readonly #folders: Folders;
  #swept: Promise<void> | undefined;
  /** Folders that are being looked at: whoever asks meanwhile gets the same answer. */
  readonly #looking = new Map<string, Promise<string | undefined>>();

  constructor(root: string) {
    this.#root = root;
    this.#folders = new Folders(root);
    this.description = `the folder ${root}`;
  }

  async put(key: string, body: Body, options: PutOptions = {}) {
    await consume(body, checkOptions(options).signal, async (chunks) => {
      checkKey(key);
      checkTime(options);
      this.#swept ??= sweep(this.#folders).catch(() => {}); // if its failure matters, the put fails, too
      await this.#swept;
      await putFile(this.#folders, key, join(this.#root, key), chunks, options);
    });
  }

  async get(key: string, options: GetOptions = {}) {
    checkKey(key);
    checkRange(options);
    options.signal?.throwIfAborted();
    const path = await this.#find(key);
    const handle = path && (await open(path, OPEN).catch(absentOr("read", path)));
    if (!handle) throw new ObjectMissingError(key);
    try {
      const found = await handle.stat().catch(failed("read", path));
      if (!found.isFile()) throw new ObjectMissingError(key);
      options.signal?.throwIfAborted();
      return streamFile(handle, path, byteRange(found.size, options), options.signal);
    } catch (error) {
      await handle.close().catch(() => {}); // what went wrong first says more
      throw error;
    }
  }

  async head(key: string, options: { signal?: AbortSignal | undefined } = {}) {
    checkKey(key);
    options.signal?.throwIfAborted();
    const path = await this.#find(key);
    return path === undefined ? undefined : describe(path, key);
  }

  async list(prefix: string, options: ListOptions = {}): Promise<ListPage> {
    const limit = pageLimit(prefix, options);
    const { cursor, signal } = options;
    signal?.throwIfAborted();
    const folders = prefix.split("/").slice(0, -1); // what is left of the prefix begins a name
    if (!folders.every(isSegment)) return { objects: [] };
    const root = await this.#rootOf(folders.join("/"));
    if (root === undefined) return { objects: [] };
    const start = folders.map((folder) => `${folder}/`).join("");
    // One more key than asked for tells whether there are more.
    const keys = await listKeys(root, start, { prefix, cursor, limit: limit + 1, signal });
    const page = keys.slice(0, limit);
    const found = await Promise.all(page.map((key) => describe(join(root, key), key)));
    const objects = found.filter((object) => object !== undefined);
    const last = page.at(-1);
    return keys.length > limit && last !== undefined ? { objects, cursor: last } : { objects };
  }

  async delete(key: string, options: { signal?: AbortSignal | undefined } = {}) {
    if (await this.head(key, options)) {
      const path = join(this.#root, key);
      await unlink(path).catch(absentOr("delete", path));
    }
  }

  /** The path at which an object may be; `undefined` when there cannot be one. */
  async #find(key: string): Promise<string | undefined> {
    const root = await this.#rootOf(dirname(key));
    return root === undefined ? undefined : join(root, key);
  }

  /** The real path of the root, if `folder` is in it without a link on the way. */
  #rootOf(folder: string): Promise<string | undefined> {
    const looking =
      this.#looking.get(folder) ?? this.#look(folder).finally(() => this.#looking.delete(folder));
    this.#looking.set(folder, looking);
    return looking;
  }

  async #look(folder: string): Promise<string | undefined> {
    const root = await realpath(this.#root).catch(absentOr("read", this.#root));
    if (root === undefined) return undefined;
    const found = await stat(root).catch(absentOr("read", root));
    if (found && !found.isDirectory()) throw notAFolder(this.#root);
    const path = join(root, folder);
    return (await realpath(path).catch(absentOr("read", path))) === path ? root : undefined;
  }
}
