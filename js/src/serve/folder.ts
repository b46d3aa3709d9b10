// The databases in a folder: files by their names, and UUIDs that are made of those.
import { createHash } from "node:crypto";
import { closeSync, constants, existsSync, openSync, readSync, type Stats, statSync } from "node:fs";
import { copyFile, open, readdir, rm } from "node:fs/promises";
import { basename, join, parse } from "node:path";
import { PagemarkError } from "../errors/index.ts";
import { systemCode } from "../node/errno.ts";
import { checkName } from "../service/arguments.ts";
import type { Identity } from "../service/identity.ts";
import { fileError } from "../sources/file/errors.ts";
import { sqlite } from "../sources/file/sqlite.ts";
import { SIDECARS } from "../sources/file/target.ts";

/** A database in the folder. */
export interface DatabaseFile extends Identity {
  path: string;
}

/** What files of databases end with; new ones end with the first. */
const ENDINGS = [".db", ".sqlite", ".sqlite3", ".db3"];
const MAGIC = "SQLite format 3\0";
/** The folder is read again at most so often for what is not in it, in milliseconds. */
const LOOK_MS = 200;
/** RFC 9562: the names are of this space. */
const SPACE = Buffer.from("8e1b2f5c6d3a4f0b9a7e51c2d4f6a8b0", "hex");

export class DatabaseFolder {
  readonly path: string;
  readonly #tell: (note: string) => void;
  readonly #told = new Set<string>();
  /** Names by UUID, also of databases that there were. */
  readonly #names = new Map<string, string>();
  #lookedMs = Number.NEGATIVE_INFINITY;

  /** `tell` hears which files are not served, and why; once of each. */
  constructor(path: string, tell: (note: string) => void) {
    this.path = path;
    this.#tell = tell;
  }

  /** Every database, oldest first. */
  async all(): Promise<DatabaseFile[]> {
    const names = await readdir(this.path).catch((error) => {
      throw fileError(error, this.path);
    });
    this.#lookedMs = performance.now();
    const found = new Map<string, DatabaseFile>();
    for (const file of names.sort()) {
      const { name, ext } = parse(file);
      if (!ENDINGS.includes(ext) || file.startsWith(".")) continue;
      const database = this.#fileAt(file, name);
      if (!database) continue;
      if (found.has(name)) this.#note(file, `another file is called ${name}, too`);
      else found.set(name, database);
    }
    return [...found.values()].sort((a, b) => compare(a.createdAt, b.createdAt) || compare(a.name, b.name));
  }

  /** By its UUID or its name. */
  async find(idOrName: string): Promise<DatabaseFile | undefined> {
    const name = this.#names.get(idOrName) ?? idOrName;
    const known = this.at(name);
    if (known || performance.now() - this.#lookedMs < LOOK_MS) return known;
    await this.all();
    return this.at(this.#names.get(idOrName) ?? idOrName);
  }

  /** The name of a UUID that was seen, or is made of `names`. */
  nameOf(uuid: string, names: Iterable<string> = []): string | undefined {
    for (const name of names) this.#names.set(uuidOf(name), name);
    return this.#names.get(uuid);
  }

  /** Makes an empty database, in WAL mode. @throws PagemarkError `NAME_INVALID`, `DATABASE_EXISTS` */
  async create(name: string): Promise<DatabaseFile> {
    const path = this.newPath(name);
    try {
      await (await open(path, "wx", 0o644)).close();
      const { DatabaseSync } = sqlite() as NonNullable<ReturnType<typeof sqlite>>;
      const db = new DatabaseSync(path);
      // A commit, so that even an empty database can be backed up.
      db.exec("PRAGMA journal_mode = WAL; PRAGMA user_version = 0");
      db.close();
    } catch (error) {
      throw systemCode(error) === "EEXIST" ? exists(name) : fileError(error, path, "write");
    }
    const made = this.at(name);
    if (made) return made;
    throw new PagemarkError("SOURCE_CHANGED", `${path}: was removed as soon as it was made`);
  }

  /** Where a database of that name would be. @throws PagemarkError `NAME_INVALID`, `DATABASE_EXISTS` */
  newPath(name: string): string {
    checkName(name);
    if (name.startsWith(".") || (process.platform === "win32" && /[<>:"|?*]|[. ]$/.test(name))) {
      throw new PagemarkError(
        "NAME_INVALID",
        "the name of a database becomes a file's: it begins with no dot",
      );
    }
    if (this.at(name)) throw exists(name);
    return join(this.path, `${name}${ENDINGS[0]}`);
  }

  async remove({ path }: DatabaseFile): Promise<void> {
    // The database itself goes first: without it, what is beside it is nothing.
    for (const each of [path, ...SIDECARS.map((ending) => `${path}${ending}`)])
      await rm(each, { force: true });
  }

  /** The file of a name. */
  at(name: string): DatabaseFile | undefined {
    // No path: a name leads nowhere else.
    if (name === "" || name.startsWith(".") || /[/\\\0]/.test(name)) return undefined;
    for (const ending of ENDINGS) {
      const found = this.#fileAt(`${name}${ending}`, name);
      if (found) return found;
    }
    return undefined;
  }

  #fileAt(file: string, name: string): DatabaseFile | undefined {
    const path = join(this.path, file);
    const stat = statOf(path);
    if (!stat?.isFile()) return undefined;
    if (stat.size > 0 && !isDatabase(path))
      return this.#note(file, "it is not a SQLite database, or cannot be read");
    try {
      checkName(name);
    } catch (error) {
      return this.#note(JSON.stringify(file), (error as Error).message);
    }
    const uuid = uuidOf(name);
    this.#names.set(uuid, name);
    const bornMs = stat.birthtimeMs > 0 ? Math.min(stat.birthtimeMs, stat.mtimeMs) : stat.mtimeMs;
    return { uuid, name, path, createdAt: new Date(bornMs).toISOString() };
  }

  #note(file: string, why: string): undefined {
    if (this.#told.has(file)) return;
    this.#told.add(file);
    this.#tell(`${file} is not served: ${why}`);
  }
}

/** Always the same one for a name (RFC 9562, version 5), so that a client's configuration outlives everything else. */
export function uuidOf(name: string): string {
  const hash = createHash("sha1").update(SPACE).update(name).digest().subarray(0, 16);
  hash.writeUInt8((hash.readUInt8(6) & 0x0f) | 0x50, 6);
  hash.writeUInt8((hash.readUInt8(8) & 0x3f) | 0x80, 8);
  return hash.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

/** Copies a file and what belongs to it, under a name that no database has; that name. */
export async function putAside(path: string): Promise<string> {
  const copy = `${path}.damaged-${new Date().toISOString().replaceAll(/[-:]|\..*/g, "")}`;
  for (const ending of ["", "-wal", "-journal"]) {
    if (existsSync(path + ending)) await copyFile(path + ending, copy + ending, constants.COPYFILE_EXCL);
  }
  return basename(copy);
}

function statOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    // A name that is too long for a file, say.
    return undefined;
  }
}

function isDatabase(path: string): boolean {
  try {
    const fd = openSync(path, "r");
    try {
      const start = Buffer.alloc(MAGIC.length);
      readSync(fd, start, 0, start.length, 0);
      return start.toString("latin1") === MAGIC;
    } finally {
      closeSync(fd);
    }
  } catch {
    return false;
  }
}

function exists(name: string): PagemarkError {
  return new PagemarkError("DATABASE_EXISTS", `A database with the name '${name}' already exists`, { name });
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
