import { checkHas, checkOptions } from "../errors/index.ts";
import { writeAll } from "../opfs/file-bytes.ts";
import { failed, fullError, isFull } from "../stores/opfs/errors.ts";
import { consume } from "../streams/body.ts";

/** What a database is written into a file as: a database file or SQL, gzipped or not. */
export type FileFormat = "sqlite3" | "sqlite3.gz" | "sql" | "sql.gz";

/**
 * Writes a stream of Pagemark's into a file: one that the user picked with `showSaveFilePicker()`, or one of the origin's
 * private files. What was in it stays until all of the stream is written, and also when that fails. Takes a few megabytes of
 * memory however long the stream is, as each chunk is let go once it is written.
 *
 * @returns how many bytes were written
 * @throws StoreError `STORE_FULL`, `STORE_DENIED` when the user took the file back, `STORE_IO`; or what the stream fails with
 * @example
 * ```ts
 * import { opfs, opfsStore, pagemark, saveTo } from "pagemark";
 * export async function saveCopy(handle: FileSystemFileHandle) {
 *   const db = pagemark(opfs("app.db"), { store: opfsStore() });
 *   await saveTo(handle, await db.export());
 * }
 * ```
 */
export async function saveTo(
  handle: FileSystemFileHandle,
  body: ReadableStream<Uint8Array>,
  options: { signal?: AbortSignal | undefined } = {},
): Promise<number> {
  checkHas("createWritable", handle, "the handle", "a FileSystemFileHandle");
  checkHas("getReader", body, "the body", "a ReadableStream");
  const { signal } = checkOptions(options);
  const path = handle.name;
  return consume(body, signal, async (chunks) => {
    let writable: FileSystemWritableFileStream | undefined;
    try {
      writable = await handle.createWritable();
      const size = await writeAll(writable, chunks, true);
      signal?.throwIfAborted();
      await writable.close();
      writable = undefined;
      return size;
    } catch (error) {
      if (isFull(error)) throw await fullError(path, error);
      return failed("write", path)(error);
    } finally {
      await writable?.abort().catch(() => {}); // what went wrong first says more
    }
  });
}
