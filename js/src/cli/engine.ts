// SQLite for the commands that need it, on a temporary copy of the database.
import { fstatSync } from "node:fs";
import { tmpdir } from "node:os";
import { useEngine } from "../core/index.ts";
import { compiled } from "../core/platform.node.ts";
import { LiveDatabase } from "../engine/database.ts";
import { type FilePages, filePages } from "../engine/file-pages.node.ts";
import { newFilePages } from "../engine/new-file-pages.node.ts";
import { TemporaryFile } from "../node/temporary-file.ts";
import { fileError } from "../sources/file/errors.ts";
import { streamOf } from "../streams/streams.ts";

useEngine(async () => compiled("engine"));

/** Bytes of a file that are read at once. */
const CHUNK = 1 << 20;

/** Writes `body` to a temporary file, and opens the database in it for reading while `use` runs; `file` is its pages. */
export async function withDatabase<T>(
  body: ReadableStream<Uint8Array>,
  use: (database: LiveDatabase, file: FilePages["raw"]) => Promise<T> | T,
): Promise<T> {
  try {
    return await withTemporaryFiles(async (copy, scratch) => {
      let size = 0;
      for await (const chunk of body) {
        await copy.write(chunk, size);
        size += chunk.length;
      }
      const pages = filePages(copy.fd, "the copy", scratch.fd);
      try {
        using database = await LiveDatabase.open({ store: pages });
        const result = await use(database, pages.raw);
        if (!pages.failure) return result;
      } catch (error) {
        if (!pages.failure) throw error;
      }
      throw fileError(pages.failure.error, tmpdir());
    });
  } catch (error) {
    await body.cancel(error).catch(() => {});
    throw error;
  }
}

/** Hands the file of a new database, which `make` fills in one commit, to `use` as a stream. */
export async function withNewDatabase<T>(
  make: (database: LiveDatabase) => Promise<T>,
  use: (file: ReadableStream<Uint8Array>, size: number) => Promise<void>,
): Promise<T> {
  return withTemporaryFiles(async (file, scratch) => {
    // As in the sqlite3 shell, foreign keys are enforced only when the SQL says so.
    using database = await LiveDatabase.open({
      store: newFilePages(file.fd, scratch.fd),
      foreignKeys: false,
    });
    const made = await make(database);
    const { size } = fstatSync(file.fd);
    await use(streamOf(chunksOf(file, size)), size);
    return made;
  });
}

async function withTemporaryFiles<T>(use: (one: TemporaryFile, other: TemporaryFile) => Promise<T>) {
  const one = await TemporaryFile.create();
  try {
    const other = await TemporaryFile.create();
    try {
      return await use(one, other);
    } catch (error) {
      // These files have no name of their own to tell the user.
      throw fileError(error, tmpdir());
    } finally {
      await other.close();
    }
  } finally {
    await one.close();
  }
}

async function* chunksOf(file: TemporaryFile, size: number): AsyncGenerator<Uint8Array, void, void> {
  for (let at = 0; at < size; ) {
    const chunk = new Uint8Array(Math.min(CHUNK, size - at));
    await file.read(chunk, at);
    at += chunk.length;
    yield chunk;
  }
}
