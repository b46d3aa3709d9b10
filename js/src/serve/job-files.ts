// The files of exports and imports, in a folder. Nothing there outlives two hours.
import { createHash, randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { PagemarkError } from "../errors/index.ts";
import { writeFully } from "../node/fully.ts";
import type { ByteSpan } from "../service/byte-range.ts";
import type { OutputFiles, OutputNotes } from "../service/jobs/exports.ts";
import type { JobFileInfo, JobFiles } from "../service/service.ts";
import { fileError } from "../sources/file/errors.ts";

/** Keys that there can be; each is a path below the folder. */
const KEY = /^(exports|imports)\/[0-9a-f-]{36}[.\-0-9a-f]*\.sql$/;
/** What a process before this one has left goes after so long, in milliseconds. */
const OLD_MS = 2 * 3_600_000;
/** An export is told of after so much, in bytes. */
const PART = 5 << 20;

interface Known {
  size: number;
  etag: string;
  filename?: string | undefined;
}

export class FolderFiles implements JobFiles, OutputFiles {
  readonly #folder: string;
  /** What this process has stored. */
  readonly #known = new Map<string, Known>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Makes the folder, and removes what is old. */
  async open(): Promise<void> {
    for (const name of ["exports", "imports"]) {
      const folder = join(this.#folder, name);
      await mkdir(folder, { recursive: true, mode: 0o700 });
      for (const file of await readdir(folder)) {
        const path = join(folder, file);
        const found = await stat(path).catch(() => undefined);
        if (found && Date.now() - found.mtimeMs > OLD_MS) await rm(path, { force: true });
      }
    }
  }

  async find(key: string): Promise<JobFileInfo | undefined> {
    const known = this.#known.get(key);
    if (!known) return undefined;
    const { size, etag, filename } = known;
    const headers = {
      "content-type": "application/sql",
      ...(filename !== undefined && { "content-disposition": `attachment; filename="${filename}"` }),
    };
    return { size, etag, headers };
  }

  async read(key: string, etag: string, span?: ByteSpan): Promise<ReadableStream<Uint8Array> | undefined> {
    if (this.#known.get(key)?.etag !== etag) return undefined;
    const range = span && { start: span.offset, end: span.offset + span.length - 1 };
    const file = await open(this.#path(key)).catch(() => undefined);
    if (!file) return undefined;
    const stream = createReadStream("", { fd: file, ...range });
    return Readable.toWeb(stream) as ReadableStream<Uint8Array>;
  }

  async get(key: string): Promise<ReadableStream<Uint8Array>> {
    const body = await this.read(key, this.#known.get(key)?.etag ?? "");
    if (body) return body;
    throw new PagemarkError("IMPORT_UPLOAD", "what was uploaded is not there any more; upload it again");
  }

  async put(
    key: string,
    body: ReadableStream<Uint8Array>,
    length: number,
    md5: string | undefined,
  ): Promise<string> {
    const hash = createHash("md5");
    const { size, path } = await this.#write(key, body, (chunk, size) => {
      if (size > length) throw new PagemarkError("IMPORT_UPLOAD", "The file is longer than it said.");
      hash.update(chunk);
    });
    const etag = hash.digest("hex");
    if (size === length && (md5 === undefined || md5 === etag)) {
      await this.#name(path, key, { size, etag });
      return etag;
    }
    await rm(path, { force: true });
    const message =
      size === length
        ? "The file does not have the MD5 that was announced; upload it again."
        : "The file ended before its time; upload it again.";
    throw new PagemarkError("IMPORT_UPLOAD", message);
  }

  async write(
    key: string,
    filename: string,
    chunks: AsyncIterable<Uint8Array>,
    notes: OutputNotes,
    signal: AbortSignal,
  ): Promise<number> {
    let parts = 0;
    const { size, path } = await this.#write(key, chunks, (_, size) => {
      signal.throwIfAborted();
      for (; (parts + 1) * PART <= size; parts++) notes.uploaded(parts + 1, size);
    });
    await this.#name(path, key, { size, etag: randomUUID().replaceAll("-", ""), filename });
    return size;
  }

  async delete(key: string): Promise<void> {
    this.#known.delete(key);
    await rm(this.#path(key), { force: true });
  }

  /** Deletes all that this process has stored: no other one would know of it. */
  async close(): Promise<void> {
    await Promise.all([...this.#known.keys()].map((key) => this.delete(key)));
  }

  /** Deletes those of a database. */
  async deleteOf(uuid: string): Promise<void> {
    const own = [...this.#known.keys()].filter((key) => key.slice(key.indexOf("/") + 1).startsWith(uuid));
    await Promise.all(own.map((key) => this.delete(key)));
  }

  async #write(
    key: string,
    chunks: AsyncIterable<Uint8Array>,
    watch: (chunk: Uint8Array, size: number) => void,
  ): Promise<{ size: number; path: string }> {
    // Two that write one file at once must not mix.
    const path = `${this.#path(key)}.${randomUUID()}~`;
    try {
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      await using file = await open(path, "wx", 0o600);
      let size = 0;
      for await (const chunk of chunks) {
        size += chunk.length;
        watch(chunk, size);
        await writeFully(file, chunk);
      }
      return { size, path };
    } catch (error) {
      await rm(path, { force: true });
      throw fileError(error, path, "write");
    }
  }

  async #name(path: string, key: string, known: Known): Promise<void> {
    await rename(path, this.#path(key));
    this.#known.set(key, known);
  }

  #path(key: string): string {
    if (!KEY.test(key)) throw new PagemarkError("USAGE", "there is no such file");
    return join(this.#folder, key);
  }
}
