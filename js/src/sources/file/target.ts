import { stat } from "node:fs/promises";
import { SourceError } from "../../errors/index.ts";
import { systemCode } from "../../node/errno.ts";
import { fileError } from "./errors.ts";
import { LockableFile, realPath } from "./handle.ts";

/** What a file takes over from the one it replaces. */
export interface OldFile {
  mode: number;
  uid: number;
  gid: number;
}

/** Endings of the files that belong to a database. */
export const SIDECARS = ["-wal", "-shm", "-journal"];

/**
 * Finds where a file written to `path` would be, through symbolic links, and describes the file that is there now.
 *
 * @throws SourceError for what is no file, and for what belongs to a database beside it
 */
export async function targetOf(path: string): Promise<{ target: string; old: OldFile | undefined }> {
  const old = await stat(path).catch((error) => {
    if (systemCode(error) === "ENOENT") return undefined;
    throw fileError(error, path, "write");
  });
  if (old && !old.isFile()) {
    const message = `${path}: is not a file, and nothing can take its place; give another path`;
    throw new SourceError("SOURCE_NOT_A_FILE", message, { name: path });
  }
  const target = realPath(path, "or where it will be");
  for (const ending of SIDECARS) {
    const database = target.endsWith(ending) ? target.slice(0, -ending.length) : "";
    if (database === "" || !isDatabase(database)) continue;
    const message = `${path}: belongs to the database ${database}; give another name; nothing was changed`;
    throw new SourceError("SOURCE_IN_USE", message, { name: path });
  }
  return { target, old };
}

/** What every database begins with (file format, section 1.3). */
const MAGIC = "SQLite format 3\0";

function isDatabase(path: string): boolean {
  try {
    const file = LockableFile.open(path);
    try {
      const start = Buffer.alloc(MAGIC.length);
      file.readNow(start, 0);
      return start.toString("latin1") === MAGIC;
    } finally {
      file.close();
    }
  } catch {
    return false;
  }
}
