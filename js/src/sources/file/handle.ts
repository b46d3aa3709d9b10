import {
  closeSync,
  fstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  realpathSync,
  statSync,
} from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { systemCode } from "../../node/errno.ts";
import { readFully } from "../../node/fully.ts";
import type { Bytes } from "../side-files.ts";
import { changed, fileError, noFolder, notAFile } from "./errors.ts";

/**
 * Descriptors on databases and their `-shm` files, one a file in this process, by device and inode.
 *
 * POSIX drops every lock that a process holds on a file as soon as it closes any descriptor of that file
 * (https://www.sqlite.org/howtocorrupt.html, section 2.2). A descriptor of ours, closed while SQLite has the same file
 * open in this process (for us, or for the application that asked for the backup), would take its locks away. So files
 * on which SQLite holds locks are opened here and nowhere else, and closed only when nobody else in the process has
 * them open; otherwise the descriptor stays, for the next use.
 */
const descriptors = new Map<string, { fd: number; users: number }>();

/** Reads of up to so many bytes are synchronous: to have another thread read a page takes ten times as long. */
const READ_NOW = 32 << 10;
/** Synchronous reads block the event loop no longer than this at a stretch, in milliseconds. */
const LONGEST_TURN_MS = 2;
/** When the event loop last had its turn, as far as this file knows. */
let turnedAt = 0;

const CLOSES_WHEN_READING = process.versions.deno !== undefined;

/** A file on which SQLite holds locks: the main file of a database, or its `-shm`. */
export class LockableFile implements Bytes {
  readonly path: string;
  readonly fd: number;
  readonly #key: string;
  #closed = false;

  /** @throws SourceError */
  static open(path: string): LockableFile {
    try {
      const stat = statSync(path, { bigint: true });
      // Opening a pipe would wait for its other end.
      if (!stat.isFile()) throw notAFile(path);
      return new LockableFile(path, keyOf(stat));
    } catch (error) {
      throw fileError(error, path);
    }
  }

  private constructor(path: string, key: string) {
    const open = descriptors.get(key) ?? { fd: openSync(path, "r"), users: 0 };
    // The file at the path may be another one by now.
    const actual = keyOf(fstatSync(open.fd, { bigint: true }));
    if (actual !== key) {
      closeUnlessLocked(open.fd, actual);
      throw changed(path);
    }
    open.users++;
    descriptors.set(key, open);
    this.path = path;
    this.fd = open.fd;
    this.#key = key;
  }

  async read(into: Uint8Array, position: number): Promise<number> {
    // Deno reads through a duplicate of the descriptor, and closes that: the locks would be gone.
    if (CLOSES_WHEN_READING) return this.readNow(into, position);
    if (into.length <= READ_NOW && performance.now() - turnedAt < LONGEST_TURN_MS)
      return this.readNow(into, position);
    const count = await readFully(this.fd, into, position);
    turnedAt = performance.now();
    return count;
  }

  /** Reads synchronously: for a few bytes that must be read between two other steps. */
  readNow(into: Uint8Array, position: number): number {
    return readSync(this.fd, into, 0, into.length, position);
  }

  /** In bytes. */
  get size(): number {
    return fstatSync(this.fd).size;
  }

  /** Whether something else in this process has the file open, as far as the system tells. */
  get isOpenElsewhere(): boolean {
    return mayHoldLocks(this.fd, this.#key);
  }

  /** Whether `path` still leads to this file. */
  get isInPlace(): boolean {
    const stat = statSync(this.path, { bigint: true, throwIfNoEntry: false });
    return stat !== undefined && keyOf(stat) === this.#key;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const open = descriptors.get(this.#key);
    if (open) open.users--;
    closeIdle();
  }
}

/** Closes the descriptors that nobody uses and whose closing takes nobody's lock. */
export function closeIdle(): void {
  for (const [key, { fd, users }] of descriptors) {
    if (users === 0) closeUnlessLocked(fd, key);
  }
}

function closeUnlessLocked(fd: number, key: string): void {
  if (mayHoldLocks(fd, key)) {
    if (!descriptors.has(key)) descriptors.set(key, { fd, users: 0 });
    return;
  }
  descriptors.delete(key);
  closeSync(fd);
}

/** Whether something else in this process has the file open, as far as the system tells. */
function mayHoldLocks(fd: number, key: string): boolean {
  if (process.platform === "win32") return false;
  return descriptorsOn(key)?.some((other) => other !== fd) ?? true;
}

/** Descriptors of this process on the file with that {@link keyOf}; `undefined` where the system does not tell. */
function descriptorsOn(key: string): number[] | undefined {
  let names: string[];
  try {
    names = readdirSync("/proc/self/fd");
  } catch {
    return undefined;
  }
  return names.map(Number).filter((fd) => {
    try {
      return keyOf(fstatSync(fd, { bigint: true })) === key;
    } catch {
      // The one that listed the folder is closed by now.
      return false;
    }
  });
}

/** Links that Linux follows at most (path_resolution(7)). */
const MOST_LINKS = 40;

/**
 * Resolves symbolic links: SQLite, too, keeps the WAL beside the file that a link leads to. For a file that does not
 * exist yet, its folder is resolved, and a link with its name.
 */
export function realPath(path: string, missing: "or fail" | "or where it will be" = "or fail"): string {
  let at = path;
  for (let links = 0; ; links++) {
    try {
      return realpathSync(at);
    } catch (error) {
      const willBe = missing === "or where it will be" && systemCode(error) === "ENOENT";
      if (!willBe || links > MOST_LINKS) throw fileError(error, path);
    }
    const place = join(realFolder(dirname(at)), basename(at));
    const target = linkAt(place);
    if (target === undefined) return place;
    at = resolve(dirname(place), target);
  }
}

function realFolder(path: string): string {
  try {
    return realpathSync(path);
  } catch (error) {
    throw systemCode(error) === "ENOENT" ? noFolder(path) : fileError(error, path);
  }
}

/** The target of the symbolic link at `path`; `undefined` when there is none. */
function linkAt(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

/** A key that no other file has. */
export function keyOf({ dev, ino }: { dev: bigint; ino: bigint }): string {
  return `${dev}:${ino}`;
}
