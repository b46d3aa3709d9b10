import { free } from "../../core/free.ts";
import { StoreError } from "../../errors/index.ts";
import { Parts } from "../../stores/object-parts.ts";
import type { R2Part } from "../../stores/r2-bucket.ts";
import { complete, PART, sendParts, uploadPart } from "../../stores/r2-multipart.ts";
import { callsOf } from "./bin.ts";
import type { StoredPart } from "./table.ts";

/** What is known of an output that another instance of the object has begun, and takes note of how it goes on. */
export interface OutputNotes {
  readonly uploadId: string | undefined;
  readonly parts: readonly StoredPart[];
  begun(uploadId: string): void;
  stored(part: StoredPart): void;
  /** So many parts are in the bucket now. */
  uploaded(number: number): void;
}

/** R2 takes this many parts. */
const MOST_PARTS = 10_000;

/**
 * Writes an object of unknown length, and gives that. Of one that was begun before, parts that come out the same are not
 * sent again.
 *
 * @throws StoreError
 */
export async function writeOutput(
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
    notes.uploaded(number);
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
