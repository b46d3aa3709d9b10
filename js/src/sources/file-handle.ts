import { closeSync, fstatSync, openSync, read, readdirSync, statSync } from "node:fs";
import { changed, fileError, notAFile } from "./file-errors.ts";

/**
 * Our descriptors on databases and their `-shm` files, one a file, by device and inode.
 *
 * POSIX drops every lock that a process holds on a file as soon as the process closes any descriptor of it
 * (https://www.sqlite.org/howtocorrupt.html, section 2.2). A descriptor of ours that is closed while SQLite has the
 * file open in this process, for us or for the application that asked for the backup, would take its locks away. So
 * files on which SQLite holds locks are opened here and nowhere else, and closed only once nobody else in the process
 * has them open; until then the descriptor stays, for the next use.
 */
const descriptors = new Map<string, { fd: number; users: number }>();

/** A file on which SQLite holds locks: the main file of a database, or its `-shm`. */
export class LockableFile {
  readonly fd: number;
  readonly #path: string;
  readonly #key: string;
  #closed = false;

  /** @throws SourceError */
  static open(path: string): LockableFile {
    try {
      const found = statSync(path, { bigint: true });
      // Opening a pipe would wait for its other end.
      if (!found.isFile()) throw notAFile(path);
      return new LockableFile(path, keyOf(found));
    } catch (error) {
      throw (error as { syscall?: string }).syscall ? fileError(path, error) : error;
    }
  }

  private constructor(path: string, key: string) {
    const known = descriptors.get(key);
    const open = known ?? { fd: openSync(path, "r"), users: 0 };
    if (!known) {
      // Somebody may have put another file in its place since we looked.
      const actual = keyOf(fstatSync(open.fd, { bigint: true }));
      descriptors.set(actual, open);
      if (actual !== key) throw changed(path);
    }
    open.users++;
    this.fd = open.fd;
    this.#path = path;
    this.#key = key;
  }

  /** In bytes. */
  get size(): number {
    return fstatSync(this.fd).size;
  }

  /** Fills `into` from `position` on, with less at the end of the file; gives how much. */
  async read(into: Uint8Array, position: number): Promise<number> {
    let filled = 0;
    while (filled < into.length) {
      const count = await this.#readOnce(into, filled, position + filled);
      if (count === 0) break;
      filled += count;
    }
    return filled;
  }

  #readOnce(into: Uint8Array, at: number, position: number): Promise<number> {
    return new Promise((resolve, reject) => {
      read(this.fd, into, at, into.length - at, position, (error, count) =>
        error ? reject(fileError(this.#path, error)) : resolve(count),
      );
    });
  }

  /** Lets go, after SQLite has. */
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
    if (users > 0 || mayHoldLocks(fd, key)) continue;
    descriptors.delete(key);
    closeSync(fd);
  }
}

/** Whether somebody else in this process has the file open, as far as that can be known. */
function mayHoldLocks(fd: number, key: string): boolean {
  if (process.platform === "win32") return false;
  let names: string[];
  try {
    names = readdirSync("/proc/self/fd");
  } catch {
    // Not Linux: the descriptor stays, one for each file that is ever backed up.
    return true;
  }
  return names.map(Number).some((other) => other !== fd && isOn(other, key));
}

function isOn(fd: number, key: string): boolean {
  try {
    return keyOf(fstatSync(fd, { bigint: true })) === key;
  } catch {
    // The one that listed the folder is closed by now.
    return false;
  }
}

/** Tells files apart. */
function keyOf({ dev, ino }: { dev: bigint; ino: bigint }): string {
  return `${dev}:${ino}`;
}
