import { checkHas, checkOptions } from "../../errors/index.ts";
import { writeAll } from "../../opfs/file-bytes.ts";
import { consume } from "../../streams/body.ts";
import type { PageSource } from "../source.ts";
import { checkHeader, sourceFrom } from "../source-from.ts";
import { opfsError } from "./errors.ts";
import { nameIn, Pinning } from "./opfs.ts";

/** What tells a database: less is none. In bytes. */
const START = 512;

/**
 * A database file of the user's disk, which they picked with `showOpenFilePicker()`. It must be all of the database: what
 * is in a `-wal` file beside it cannot be seen. A file that changes while it is read ends the backup with `SOURCE_CHANGED`,
 * or is copied first.
 *
 * @example
 * ```ts
 * import { opfsStore, pagemark, picked } from "pagemark";
 * export async function backUp(handle: FileSystemFileHandle) {
 *   return pagemark(picked(handle), { store: opfsStore() }).backup();
 * }
 * ```
 */
export function picked(handle: FileSystemFileHandle, options: { busyTimeoutMs?: number } = {}): PageSource {
  checkHas("getFile", handle, "the handle", "a FileSystemFileHandle");
  const { busyTimeoutMs = 10_000 } = checkOptions(options);
  const path = handle.name;
  const found = {
    path,
    main: { handle, start: 0 },
    beside: async () => undefined,
  };
  const nobody = async () => ({ release() {} });
  const find = async () => {
    await handle.getFile(); // unless it is gone
    return found;
  };
  const pinning = new Pinning(path, find, nobody, busyTimeoutMs);
  return sourceFrom({
    name: nameIn(path),
    open: (signal) => pinning.open(signal),
    async replace(body, { signal } = {}) {
      await consume(body, signal, async (chunks) => {
        let writable: FileSystemWritableFileStream | undefined;
        try {
          // The browser writes beside the file, and what was written takes its place when it is closed.
          writable = await handle.createWritable();
          await writeAll(writable, checked(chunks, path), false);
          signal?.throwIfAborted();
          await writable.close();
        } catch (error) {
          await writable?.abort().catch(() => {}); // what went wrong first says more
          throw opfsError(error, path, signal);
        }
      });
    },
  });
}

/** The same chunks, which end with an error unless they begin as a database does, and are as long as that says. */
async function* checked(chunks: AsyncIterable<Uint8Array>, path: string): AsyncGenerator<Uint8Array> {
  let start = new Uint8Array();
  let isChecked = false;
  let size = 0;
  for await (const chunk of chunks) {
    size += chunk.length;
    if (!isChecked) start = new Uint8Array([...start, ...chunk.subarray(0, START)]);
    if (!isChecked && start.length >= START) {
      await checkHeader(start.subarray(0, START), path);
      isChecked = true;
    }
    yield chunk;
  }
  await checkHeader(start.subarray(0, START), path, size);
}
