// A folder at the other end of SSH. The package ssh2 speaks it, and is loaded when a store is first used.
import { StoreError } from "../../errors/store-error.ts";
import { compareKeys, isKey } from "../checks.ts";
import type { Store, StoredObject } from "../store.ts";
import { storeFrom } from "../store-from.ts";
import {
  type Sftp,
  type SftpAttributes,
  SftpConnection,
  type SftpOptions,
  type Status,
  sftpFailure,
} from "./connection.ts";

/** Where objects are written before they get their names. No key has such a segment. */
const TEMPORARY = ".pagemark/tmp";
/** Bytes read or written in a request: what every server takes. */
const CHUNK = 32 * 1024;
/** Requests that are under way at a time, without which each waits for the other end. */
const AHEAD = 16;
/** Unfinished files of more than this ago are a dead process's, in milliseconds. */
const DAY = 24 * 60 * 60 * 1000;

interface Found extends StoredObject {
  path: string;
}

/**
 * A store in a folder of a server that speaks SFTP, in Node. It needs the package `ssh2` beside this one. LTX files are named as Litestream
 * names them there. Folders are made as they are needed. An object is written beside its place and gets its name in one step,
 * which OpenSSH's server refuses where the name is taken.
 */
export function sftp(options: SftpOptions): Store {
  const connection = new SftpConnection(options);
  const { description } = connection;
  const root = options.path.replace(/\/+$/, "") || (options.path === "" ? "." : "");
  const pathOf = (key: string) => `${root}/${key}`;
  let swept: Promise<void> | undefined;
  /** Folders that were there. Somebody may remove them; then the rename fails, and they are made again. */
  const made = new Set<string>();
  const ready = async (server: Sftp, folder: string) => {
    if (made.has(folder)) return;
    await makeFolders(server, root, folder);
    made.add(folder);
  };

  return storeFrom<Found>({
    layout: "folder",
    description,
    async put(key, chunks, modified, signal) {
      const server = await connection.open(signal);
      const folder = pathOf(TEMPORARY);
      const below = key.split("/").slice(0, -1).join("/");
      await connection.run("write", key, () => ready(server, TEMPORARY));
      swept ??= sweep(server, folder).catch(() => {});
      await swept;
      const temporary = `${folder}/${crypto.randomUUID()}~`;
      let isNamed = false;
      try {
        await connection.run("write", key, () => write(server, temporary, chunks, modified));
        signal?.throwIfAborted(); // from here on the put cannot be undone
        isNamed = await connection.run("write", key, async () => {
          await ready(server, below);
          const named = await missing(name(server, temporary, pathOf(key)));
          if (named !== undefined) return named;
          await makeFolders(server, root, below);
          return name(server, temporary, pathOf(key));
        });
        return isNamed;
      } catch (error) {
        made.clear();
        throw error;
      } finally {
        if (!isNamed) await server.unlink(temporary).catch(() => {});
      }
    },
    async find(key, signal) {
      const server = await connection.open(signal);
      const path = pathOf(key);
      const found = await connection.run("read", key, () => missing(server.lstat(path)));
      if (found === undefined || !isFile(found)) return undefined;
      return { key, size: found.size, modified: new Date(found.mtime * 1000), path };
    },
    async *read({ key, path }, start, end, signal) {
      const server = await connection.open(signal);
      const handle = await connection.run("read", key, () => server.open(path, "r"));
      try {
        const waiting: Promise<Uint8Array>[] = [];
        let next = start;
        for (let at = start; at < end; ) {
          while (next < end && waiting.length < AHEAD) {
            const length = Math.min(CHUNK, end - next);
            const chunk = readFully(server, handle, next, length);
            chunk.catch(() => {});
            waiting.push(chunk);
            next += length;
          }
          const chunk = await connection.run("read", key, () => waiting.shift() as Promise<Uint8Array>);
          at += chunk.length;
          yield chunk;
        }
      } finally {
        await server.close(handle).catch(() => {});
      }
    },
    async list(prefix, after, limit, signal) {
      const server = await connection.open(signal);
      const wanted: Wanted = { prefix, after, limit, found: [] };
      await connection.run("list", prefix, () => walk(server, root, "", wanted));
      return wanted.found;
    },
    async delete(key, signal) {
      const server = await connection.open(signal);
      const path = pathOf(key);
      const found = await connection.run("delete", key, () => missing(server.lstat(path)));
      if (found !== undefined && isFile(found))
        await connection.run("delete", key, () => missing(server.unlink(path)));
    },
  });
}

async function write(
  server: Sftp,
  path: string,
  chunks: AsyncIterable<Uint8Array>,
  modified: Date,
): Promise<void> {
  const handle = await server.open(path, "wx", { mode: 0o600 });
  try {
    const waiting: Promise<void>[] = [];
    let at = 0;
    for await (const chunk of chunks) {
      for (let from = 0; from < chunk.length; from += CHUNK) {
        // Copy it: a chunk is the maker's again once this asks for the next.
        const piece = chunk.slice(from, from + CHUNK);
        if (waiting.length >= AHEAD) await waiting.shift();
        const written = server.write(handle, piece, at);
        written.catch(() => {});
        waiting.push(written);
        at += piece.length;
      }
    }
    await Promise.all(waiting);
    await server.setTimes(handle, modified);
    await server.fsync(handle);
  } finally {
    await server.close(handle).catch(() => {});
  }
}

/** Gives a file its name; says whether that was free. */
async function name(server: Sftp, from: string, to: string): Promise<boolean> {
  try {
    await server.rename(from, to);
    return true;
  } catch (error) {
    // The protocol has no code for a name that is taken.
    if ((await missing(server.lstat(to))) !== undefined) return false;
    throw error;
  }
}

async function makeFolders(server: Sftp, root: string, below: string): Promise<void> {
  const folder = below === "" ? root : `${root}/${below}`;
  if (folder === "" || folder === "." || (await missing(server.lstat(folder))) !== undefined) return;
  const parts = folder.split("/");
  for (let n = 1; n <= parts.length; n++) {
    const path = parts.slice(0, n).join("/");
    if (path === "" || path === "." || (await missing(server.lstat(path))) !== undefined) continue;
    // Another process may have made it meanwhile.
    await server.mkdir(path).catch(async (error) => {
      if ((await missing(server.lstat(path))) === undefined) throw error;
    });
  }
}

interface Wanted {
  prefix: string;
  after: string;
  limit: number;
  /** In the order of their keys. */
  found: StoredObject[];
}

/** Adds the objects below a folder that are wanted. Folders are read in the order of the keys in them, and no more than it takes. */
async function walk(server: Sftp, root: string, folder: string, wanted: Wanted): Promise<void> {
  const { prefix, after, limit, found } = wanted;
  const entries = (await missing(server.readdir(`${root}/${folder}`))) ?? [];
  const keys = entries
    .filter(({ filename }) => filename !== "." && filename !== ".." && isKey(folder + filename))
    .map(({ filename, attrs }) => ({ key: folder + filename + (isFolder(attrs) ? "/" : ""), attrs }));
  for (const { key, attrs } of keys.sort((a, b) => compareKeys(a.key, b.key))) {
    if (found.length >= limit) return;
    if (isFile(attrs)) {
      if (key.startsWith(prefix) && compareKeys(key, after) > 0)
        found.push({ key, size: attrs.size, modified: new Date(attrs.mtime * 1000) });
    } else if (isFolder(attrs)) {
      // Nothing in it comes after that key.
      if (compareKeys(key, after.slice(0, key.length)) < 0) continue;
      if (key.startsWith(prefix) || prefix.startsWith(key)) await walk(server, root, key, wanted);
    }
  }
}

async function readFully(
  server: Sftp,
  handle: unknown,
  position: number,
  length: number,
): Promise<Uint8Array> {
  const whole = new Uint8Array(length);
  for (let at = 0; at < length; ) {
    const count = await server.read(handle, whole.subarray(at), position + at);
    if (count === 0)
      throw new StoreError("STORE_IO", "an object became shorter while it was read; verify the backups", {});
    at += count;
  }
  return whole;
}

async function sweep(server: Sftp, folder: string): Promise<void> {
  for (const { filename, attrs } of await server.readdir(folder)) {
    if (filename.endsWith("~") && attrs.mtime * 1000 < Date.now() - DAY)
      await server.unlink(`${folder}/${filename}`);
  }
}

/** What a call gives; `undefined` where there is no such file. */
async function missing<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if (sftpFailure(error) === ("missing" satisfies Status)) return undefined;
    throw error;
  }
}

const isFile = ({ mode }: SftpAttributes) => (mode & 0o170000) === 0o100000;
const isFolder = ({ mode }: SftpAttributes) => (mode & 0o170000) === 0o040000;
