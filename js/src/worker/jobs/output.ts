// The files of exports and imports in the bucket.
import { free } from "../../core/free.ts";
import { PagemarkError, StoreError } from "../../errors/index.ts";
import type { OutputFiles, OutputNotes } from "../../service/jobs/exports.ts";
import type { JobFiles } from "../../service/service.ts";
import { Parts } from "../../stores/object-parts.ts";
import type { R2Part } from "../../stores/r2/bucket.ts";
import { BAD_DIGEST, r2Code } from "../../stores/r2/errors.ts";
import { complete, PART, sendParts, uploadPart } from "../../stores/r2/multipart.ts";
import { r2 } from "../../stores/r2/r2.ts";
import { callsOf } from "./bin.ts";

/** The files in the bucket, for the jobs that make and read them, and for HTTP. */
export function filesIn(bucket: R2Bucket): JobFiles & OutputFiles {
  return {
    async find(key) {
      const found = await bucket.head(key);
      if (!found) return undefined;
      const headers = new Headers();
      found.writeHttpMetadata(headers);
      return { size: found.size, etag: found.etag, headers: Object.fromEntries(headers) };
    },
    async read(key, etag, span) {
      const object = await bucket.get(key, { onlyIf: { etagMatches: etag }, ...(span && { range: span }) });
      return object && "body" in object ? (object.body as ReadableStream<Uint8Array>) : undefined;
    },
    get: (key, options) => r2(bucket).get(key, options),
    async put(key, body, _length, md5) {
      try {
        return (await bucket.put(key, body, md5 === undefined ? {} : { md5 })).etag;
      } catch (error) {
        // R2 counts the bytes, and has their MD5, at the end only.
        if (r2Code(error) !== BAD_DIGEST) throw error;
        const message = "The file does not have the MD5 that was announced; upload it again.";
        throw new PagemarkError("IMPORT_UPLOAD", message, {}, { cause: error });
      }
    },
    write: (...output) => writeOutput(bucket, ...output),
    delete: (key) => bucket.delete(key),
  };
}

/** R2 takes this many parts. */
const MOST_PARTS = 10_000;

/**
 * Writes an object of unknown length, and gives that. Of one that was begun before, parts that come out the same are not
 * sent again.
 *
 * @throws StoreError
 */
async function writeOutput(
  bucket: R2Bucket,
  key: string,
  filename: string,
  chunks: AsyncIterable<Uint8Array>,
  notes: OutputNotes,
  signal: AbortSignal,
): Promise<number> {
  const parts = new Parts(chunks, PART);
  const first = await parts.next();
  const httpMetadata = {
    contentType: "application/sql",
    contentDisposition: `attachment; filename="${filename}"`,
  };
  const calls = callsOf(bucket);
  // What makes something that would stay is waited for, whatever the signal says.
  const write = { doing: "write", key, signal, finish: true } as const;
  if (first.length < PART) {
    await calls.run({ ...write, size: first.length }, () => bucket.put(key, first, { httpMetadata }));
    return first.length;
  }

  const begin = () => bucket.createMultipartUpload(key, { httpMetadata });
  const uploadId = notes.uploadId ?? (await calls.run(write, begin)).uploadId;
  if (notes.uploadId === undefined) notes.begun(uploadId);
  const upload = { key, uploadId };
  const send = async (number: number, bytes: Uint8Array): Promise<R2Part> => {
    const sha256 = await digest(bytes);
    const stored = notes.parts.find((part) => part.number === number);
    if (stored?.sha256 === sha256) return { partNumber: number, etag: stored.etag };
    const part = await uploadPart(calls, upload, number, bytes, signal);
    free(bytes);
    signal.throwIfAborted();
    notes.stored({ number, etag: part.etag, sha256 });
    notes.uploaded(number, number * PART);
    return part;
  };
  const { parts: sent, size } = await sendParts(parts.after(first), MOST_PARTS, {
    send,
    tooLong: () => tooLong(key),
  });
  signal.throwIfAborted();
  await complete(calls, upload, sent, size, undefined);
  return size;
}

async function digest(bytes: Uint8Array): Promise<string> {
  const hash = await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>);
  return Array.from(new Uint8Array(hash), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function tooLong(key: string): StoreError {
  const most = `${(MOST_PARTS * PART) / 1024 / 1024 / 1024} GiB`;
  const message = `cannot write ${JSON.stringify(key)}: the export is longer than ${most}; export some tables at a time`;
  return new StoreError("STORE_FULL", message, { name: key });
}
