// Backups in one file: a `.tar.gz` of a folder of backups, as `tar` makes and unpacks it.
import { createReadStream } from "node:fs";
import { mkdir, open, readdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pipeline, Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { DamageError, PagemarkError, StoreError } from "../errors/index.ts";
import { setTime } from "../node/new-file.ts";
import { temporaryFolder } from "../node/temporary-file.ts";
import { fileError } from "../sources/file/errors.ts";
import { folder } from "../stores/folder/folder.ts";
import { guarded, unguarded } from "../stores/guarded.ts";
import type { Store } from "../stores/store.ts";

/** What an archive may unpack to: so many times its own size, and so many bytes more. gzip alone can make a thousand of one. */
const LARGEST_RATIO = 500;
const ROOM = 16 << 20;
/** And to so many files and folders. */
const MOST_ENTRIES = 500_000;
/** As in a store's keys. */
const LONGEST_NAME = 1024;
/** In the year 2242; a time beyond it is no file's. */
const LATEST_MS = 2 ** 33 * 1000;
/** Where a database's folder is in the path of an object. */
const OBJECT = /^((?:.*\/)?)[^/]+\/(?:ltx|pagemark)\/./;

/** Whether a path is one of an archive. */
export function isArchive(path: string): boolean {
  return /\.(?:tar\.gz|tgz)$/i.test(path);
}

/**
 * The backups in an archive, which is unpacked into a folder for temporary files when it is first asked for anything. Only files with
 * names of objects are taken out of it, and what no archive of backups has is refused: links, devices, names that lead out of the
 * archive or come twice, more than it can hold.
 *
 * Its calls throw DamageError `ARCHIVE_REFUSED`, `GZIP_DAMAGED`, StoreError `STORE_READ_ONLY`.
 */
export function archive(path: string): Store {
  let unpacked: Promise<Store> | undefined;
  const opened = () => {
    unpacked ??= unpack(path).then((target) => unguarded(folder(target)));
    return unpacked;
  };
  const readOnly = async (): Promise<never> => {
    const message = `${path}: an archive is only read; \`copy\` its backups into a store, or a store's into a new archive`;
    throw new StoreError("STORE_READ_ONLY", message, { name: path });
  };
  return guarded({
    layout: "folder",
    description: path,
    givesChunksAway: true,
    get: async (...args) => (await opened()).get(...args),
    head: async (...args) => (await opened()).head(...args),
    list: async (...args) => (await opened()).list(...args),
    put: readOnly,
    delete: readOnly,
  });
}

/** Unpacks an archive; gives the folder of backups. It is removed when the process ends. */
async function unpack(path: string): Promise<string> {
  const { createTarDecoder } = await import("modern-tar");
  const { size } = await stat(path).catch((error) => {
    throw fileError(error, path);
  });
  const target = await temporaryFolder();
  const input = new Unpacked(path, size);
  // Errors come out of what is read at the end.
  const gunzip = pipeline(createReadStream(path), createGunzip(), () => {});
  const bytes = Readable.toWeb(gunzip) as unknown as ReadableStream<Uint8Array>;
  try {
    for await (const { header, body } of bytes.pipeThrough(createTarDecoder({ strict: true }))) {
      const { name, type = "file" } = header;
      const place = input.check(name, type);
      if (type === "directory") {
        await body.cancel();
        continue;
      }
      const path = join(target, place);
      await write(path, body, { modified: header.mtime, count: (bytes) => input.count(bytes) }).catch(
        (error) => {
          throw input.unwritten(error, name, path);
        },
      );
    }
  } catch (error) {
    throw input.told(error);
  } finally {
    gunzip.destroy();
  }
  return join(target, input.root());
}

/** What was seen of an archive. */
class Unpacked {
  readonly #path: string;
  readonly #most: number;
  readonly #names = new Set<string>();
  readonly #roots = new Set<string>();
  #bytes = 0;
  #entries = 0;

  constructor(path: string, size: number) {
    this.#path = path;
    this.#most = size * LARGEST_RATIO + ROOM;
  }

  /** Where an entry goes. */
  check(name: string, type: string): string {
    if (++this.#entries > MOST_ENTRIES) throw this.#refused(`it has more than ${MOST_ENTRIES} entries`);
    const shown = JSON.stringify(name.slice(0, 200));
    if (type !== "file" && type !== "directory") throw this.#refused(`${shown} is a ${type}, not a file`);
    const plain = name.replace(/^(?:\.\/)+/, "").replace(/\/+$/, "");
    const isRoot = type === "directory" && (plain === "" || plain === ".");
    const segments = plain.split("/");
    const isOdd = (segment: string) =>
      segment === "" || segment === "." || segment === ".." || /[\\\0:]/.test(segment);
    if (!isRoot && (segments.some(isOdd) || Buffer.byteLength(plain) > LONGEST_NAME))
      throw this.#refused(`${shown} is no name of a file within the archive`);
    if (type === "directory") return plain;
    if (this.#names.has(plain)) throw this.#refused(`${shown} is in it twice`);
    this.#names.add(plain);
    const [, root] = OBJECT.exec(plain) ?? [];
    if (root !== undefined) this.#roots.add(root);
    return plain;
  }

  count(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes > this.#most) throw this.#refused(`it unpacks to more than ${this.#most} bytes`);
  }

  /** The folder of backups in it. */
  root(): string {
    const [root, ...others] = [...this.#roots].sort((one, other) => one.length - other.length);
    if (root === undefined)
      throw this.#refused("it has no backups: no <database>/ltx/… and <database>/pagemark/…");
    if (others.length > 0)
      throw this.#refused(`it has backups in more than one place: ${JSON.stringify(root)} and others`);
    return root;
  }

  /** An error of writing what is in it, in words. */
  unwritten(error: unknown, name: string, path: string): unknown {
    const { code = "" } = error as NodeJS.ErrnoException;
    if (!["EEXIST", "ENOTDIR", "EISDIR"].includes(code)) return fileError(error, path, "write");
    return this.#refused(`${JSON.stringify(name.slice(0, 200))} is in it twice, as a file or as a folder`);
  }

  /** An error of reading it, in words. */
  told(error: unknown): unknown {
    if (error instanceof PagemarkError) return error;
    const { code } = error as NodeJS.ErrnoException;
    if (code?.startsWith("Z_")) {
      const message = `${this.#path}: the gzip data is damaged or ends too early; get a complete copy of the file`;
      return new DamageError("GZIP_DAMAGED", message, { name: this.#path }, { cause: error });
    }
    const known = fileError(error, this.#path);
    return known instanceof PagemarkError ? known : this.#refused((error as Error).message);
  }

  #refused(why: string): DamageError {
    const message = `${this.#path}: is not taken for an archive of backups: ${why}; nothing of it was used`;
    return new DamageError("ARCHIVE_REFUSED", message, { name: this.#path });
  }
}

async function write(
  path: string,
  body: ReadableStream<Uint8Array>,
  { modified, count }: { modified: Date | undefined; count: (bytes: number) => void },
): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const file = await open(path, "wx", 0o600);
  try {
    for await (const chunk of body) {
      count(chunk.length);
      await file.writeFile(chunk);
    }
    // Lists and retention go by it, where nothing but a file between two backups, or of Litestream's, tells of a state.
    const ms = modified?.getTime() ?? Number.NaN;
    if (ms > 0 && ms < LATEST_MS) await setTime(file, new Date(ms));
  } finally {
    await file.close();
  }
}

/** The objects in a folder as an archive. Equal folders give equal ones. */
export async function packed(path: string): Promise<ReadableStream<Uint8Array>> {
  const { createTarPacker } = await import("modern-tar");
  const { readable, controller } = createTarPacker();
  const add = async () => {
    const found = await readdir(path, { recursive: true, withFileTypes: true });
    const files = found.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
    for (const file of files.sort()) {
      const name = file.slice(path.length + 1).replaceAll("\\", "/");
      // What stores keep for themselves.
      if (name.startsWith(".")) continue;
      const { size, mtime } = await stat(file);
      // Readers cut off what is below a millisecond.
      const pax = { mtime: ((mtime.getTime() + 0.001) / 1000).toFixed(6) };
      const entry = controller.add({ name, size, mtime, mode: 0o600, pax });
      await (Readable.toWeb(createReadStream(file)) as unknown as ReadableStream<Uint8Array>).pipeTo(entry);
    }
    controller.finalize();
  };
  add().catch((error) => controller.error(error));
  return readable.pipeThrough(new CompressionStream("gzip") as ReadableWritablePair<Uint8Array, Uint8Array>);
}
