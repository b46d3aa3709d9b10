import { chmod, chown, type FileHandle, rename } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { core, free, naming } from "../../core/index.ts";
import { NewFile, syncFolder } from "../../node/new-file.ts";
import { isTag, processTag } from "../../node/process-tag.ts";
import { sweepFolder } from "../../node/sweep.ts";
import type { ReplaceOptions } from "../source.ts";
import { fileError } from "./errors.ts";
import { refuseIfOpen, takeOver } from "./takeover.ts";
import { type OldFile, targetOf } from "./target.ts";

/** Longest name on all common file systems, in bytes. */
const LONGEST_NAME = 255;
/** Stands in a temporary file's name between the name of the target and the tag of the process. */
const MARK = ".pagemark-";

export interface ReplaceFileOptions extends ReplaceOptions {
  /** Whether `body` must be a database; `true` unless given. */
  isDatabase?: boolean;
  /** Called with the path of the new file once all of it is on the disk, before it has its own name. */
  onWritten?: (path: string) => Promise<void>;
}

/**
 * Writes the file in `body` beside `path`, and gives it that name in one step, once all of it is on the disk and the
 * old file, if it is a database, is out of use. A crash leaves the old file or the new one. Returns how many bytes the
 * new file has.
 */
export async function replaceFile(
  path: string,
  body: ReadableStream<Uint8Array> | AsyncGenerator<Uint8Array, void, void>,
  { signal, ownsChunks = false, isDatabase = true, onWritten }: ReplaceFileOptions = {},
): Promise<number> {
  let file: NewFile | undefined;
  try {
    const { target, old } = await targetOf(path);
    const folder = dirname(target);
    // Refuse a busy database before the body is written.
    refuseIfOpen(target);
    await sweepBeside(target);
    // No more people may read the new file than the old one, also while it is being written.
    file = await NewFile.create(join(folder, besideName(target) + processTag()), old ? 0o600 : 0o666);
    if (body instanceof ReadableStream) {
      const sink = new WritableStream(writingTo(file, ownsChunks), { highWaterMark: ownsChunks ? 2 : 1 });
      await body.pipeTo(sink, signal && { signal });
    } else {
      for await (const chunk of body) await file.write(chunk);
    }
    if (isDatabase) await checkHeader(file.handle, path);
    if (old) await takeAfter(file, old);
    await file.finish();
    await onWritten?.(file.path);
    signal?.throwIfAborted();
    await nameIt(file, target, signal);
    return file.size;
  } catch (error) {
    if (body instanceof ReadableStream) await body.cancel(error).catch(() => {});
    throw fileError(error, path, "write");
  } finally {
    await file?.end();
  }
}

async function nameIt(file: NewFile, target: string, signal: AbortSignal | undefined): Promise<void> {
  const taken = await takeOver(target, signal);
  try {
    await syncFolder(dirname(target), async () => {
      await rename(file.path, target);
      file.isNamed();
    });
  } finally {
    taken.close();
  }
}

function writingTo(file: NewFile, ownsChunks: boolean): UnderlyingSink<Uint8Array> {
  return {
    async write(chunk) {
      await file.write(chunk);
      // The garbage collector would let hundreds of megabytes pile up.
      if (ownsChunks) free(chunk);
    },
  };
}

/** Refuses a body that is no database. */
async function checkHeader(file: FileHandle, path: string): Promise<void> {
  const { DatabaseHeader } = await core();
  const start = new Uint8Array(512);
  const { bytesRead } = await file.read(start, 0, start.length, 0);
  await naming(path, () => DatabaseHeader.parse(start.subarray(0, bytesRead)).free());
}

/** Gives the new file the owner and the permissions of the old one. */
async function takeAfter({ path }: NewFile, old: OldFile) {
  // Only root may give a file away; others keep their own.
  await chown(path, old.uid, old.gid).catch(() => {});
  // Some file systems have no permissions.
  await chmod(path, old.mode & 0o777).catch(() => {});
}

/** Beginning of the names of temporary files for `target`. */
function besideName(target: string): string {
  const name = `.${basename(target)}${MARK}`;
  const most = LONGEST_NAME - processTag().length;
  return Buffer.byteLength(name) > most ? MARK : name;
}

/** Removes unfinished files beside `target`, also those for other targets; when their process is unknown, only old ones. */
async function sweepBeside(target: string): Promise<void> {
  const own = besideName(target);
  const tagOf = (name: string) => {
    if (name.startsWith(own)) return name.slice(own.length);
    const tag = name.startsWith(".") ? name.slice(name.lastIndexOf(MARK) + MARK.length) : "";
    return isTag(tag) ? tag : undefined;
  };
  await sweepFolder(dirname(target), { tagOf });
}
