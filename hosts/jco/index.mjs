// A host of Pagemark's component: a folder as the store, and a database file that nobody writes to meanwhile.
import { getRandomValues, randomUUID } from "node:crypto";
import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  realpathSync,
  rmSync,
  statSync,
  utimesSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { instantiate } from "./generated/pagemark.js";

/** Compiled once. */
const modules = new Map();

function compiled(name) {
  const module =
    modules.get(name) ??
    new WebAssembly.Module(readFileSync(new URL(`./generated/${name}`, import.meta.url)));
  modules.set(name, module);
  return module;
}

/**
 * The component's jobs (wit/pagemark.wit). They throw what the component says, as `error.payload`: `{ tag, val }` of a
 * variant `error`.
 *
 * @param {{ folder: string, database?: string, write?: (bytes: Uint8Array) => void,
 *   onProgress?: (phase: string, done: bigint, total: bigint) => boolean | undefined }} lent
 */
export function jobs({ folder, database, write, onProgress }) {
  class Upload {
    #place;
    #temporary;
    #fd;
    #modified;

    static begin(key, modifiedMs) {
      const upload = new Upload();
      upload.#place = join(folder, key);
      if (existsSync(upload.#place)) throw { tag: "exists" };
      mkdirSync(join(folder, ".pagemark/tmp"), { recursive: true });
      upload.#temporary = join(folder, `.pagemark/tmp/${randomUUID()}~`);
      upload.#fd = openSync(upload.#temporary, "wx", 0o600);
      upload.#modified = Number(modifiedMs) / 1000;
      return upload;
    }

    append(bytes) {
      guarded(() => {
        for (let at = 0; at < bytes.length; ) at += writeSync(this.#fd, bytes, at);
      });
    }

    finish() {
      guarded(() => {
        fsyncSync(this.#fd);
        utimesSync(this.#temporary, this.#modified, this.#modified);
        mkdirSync(dirname(this.#place), { recursive: true });
        linkSync(this.#temporary, this.#place);
      });
    }

    [Symbol.dispose ?? Symbol.for("dispose")]() {
      closeSync(this.#fd);
      rmSync(this.#temporary, { force: true });
    }
  }

  let main;
  const root = instantiate(compiled, {
    "pagemark:core/types": {},
    "pagemark:core/store": {
      Upload,
      layoutOf: () => "folder",
      listPage: (prefix) =>
        guarded(() => ({ objects: list(folder, "").filter(({ key }) => key.startsWith(prefix)) })),
      get: (key, offset, length) => guarded(() => read(join(folder, key), offset, length)),
      delete: (key) => guarded(() => rmSync(join(folder, key), { force: true })),
      create: (key, modifiedMs) => guarded(() => Upload.begin(key, modifiedMs)),
    },
    "pagemark:core/database": {
      pin: () =>
        guarded(() => {
          if (database === undefined) throw new Error("no database was lent");
          main = openSync(database, "r");
          return { mainSize: BigInt(fstatSync(main).size), walSize: 0n, place: realpathSync(database) };
        }),
      read: (_, offset, length) => guarded(() => readAt(main, offset, length)),
      release: () => guarded(() => closeSync(main)),
    },
    "pagemark:core/output": { write: (bytes) => guarded(() => write?.(bytes)) },
    "pagemark:core/clock": {
      nowMs: () => BigInt(Date.now()),
      wait: (ms) => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms),
    },
    "pagemark:core/random": { bytes: (count) => getRandomValues(new Uint8Array(count)) },
    "pagemark:core/progress": { report: (phase, done, total) => onProgress?.(phase, done, total) !== false },
  });
  return root.jobs;
}

/** What the system fails with, as a variant `failure`. */
function guarded(run) {
  try {
    return run();
  } catch (error) {
    if (error.tag) throw error;
    if (error.code === "ENOENT") throw { tag: "missing" };
    if (error.code === "EEXIST") throw { tag: "exists" };
    throw { tag: "failed", val: { code: "STORE_FAILED", message: error.message } };
  }
}

function list(folder, prefix) {
  if (!existsSync(folder)) return [];
  const entries = readdirSync(folder, { withFileTypes: true }).filter(({ name }) => name !== ".pagemark");
  const found = entries.flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return list(path, `${prefix}${entry.name}/`);
    const { size, mtimeMs } = statSync(path);
    return [{ key: prefix + entry.name, size: BigInt(size), modifiedMs: BigInt(Math.round(mtimeMs)) }];
  });
  return found.sort((a, b) => (a.key < b.key ? -1 : 1));
}

function read(path, offset, length) {
  const fd = openSync(path, "r");
  try {
    return readAt(fd, offset, length);
  } finally {
    closeSync(fd);
  }
}

function readAt(fd, offset, length) {
  const bytes = new Uint8Array(length);
  return bytes.subarray(0, readSync(fd, bytes, 0, length, Number(offset)));
}
