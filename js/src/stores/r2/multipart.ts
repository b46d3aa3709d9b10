import { StoreError } from "../../errors/store-error.ts";
import { uploadGone } from "../checks.ts";
import type { R2Found, R2Part } from "./bucket.ts";
import { NO_SUCH_UPLOAD, type R2Calls, r2Code } from "./errors.ts";

/** Size of a part in bytes, the smallest that R2 takes. All parts but the last must have the same length. */
export const PART = 5 * 1024 * 1024;

/** Prefix of objects that are being put together. No key begins with it; the sweep looks there. */
export const TEMPORARY = ".pagemark/tmp/";

/** The upload that a temporary object stands for, until the object itself takes its place. */
export const UPLOAD = "pagemark-upload";

/** R2 takes less than 5 GiB in one put, and a put is the last step of every object. */
export const MOST_PARTS = 1023;

/** Uploads are swept after this time, in milliseconds. */
const DAY = 24 * 60 * 60 * 1000;

/** A multipart upload: its temporary key, and R2's name for it. */
export interface Multipart {
  key: string;
  uploadId: string;
}

/** A new key for an object that is being put together. */
export function temporaryKey(): string {
  return `${TEMPORARY}${crypto.randomUUID()}~`; // "~" is in no key
}

/** Begins an upload. R2 lists no unfinished uploads: a sweep after a crash finds this one by its mark. */
export async function beginMultipart(
  calls: R2Calls,
  key: string,
  signal: AbortSignal | undefined,
): Promise<Multipart> {
  const call = { doing: "write", key, signal } as const;
  const { uploadId } = await calls.run(call, (bucket) => bucket.createMultipartUpload(key));
  try {
    await mark(calls, { key, uploadId }, signal);
  } catch (error) {
    await removeTemporary(calls, key, uploadId);
    throw error;
  }
  return { key, uploadId };
}

/** Puts or renews the mark: the object that tells of the upload. */
export async function mark(
  calls: R2Calls,
  { key, uploadId }: Multipart,
  signal: AbortSignal | undefined,
): Promise<void> {
  const customMetadata = { [UPLOAD]: uploadId };
  const call = { doing: "write", key, signal } as const;
  await calls.run(call, (bucket) => bucket.put(key, new Uint8Array(), { customMetadata }));
}

/** @throws StoreError `STORE_UPLOAD` when there is no such upload, or no more */
export function uploadPart(
  calls: R2Calls,
  { key, uploadId }: Multipart,
  number: number,
  bytes: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<R2Part> {
  const call = { doing: "write", key, size: bytes.length, signal } as const;
  const done = calls.run(call, async (bucket) => {
    try {
      const upload = bucket.resumeMultipartUpload(key, uploadId);
      const { partNumber, etag } = await upload.uploadPart(number, bytes);
      return { partNumber, etag };
    } catch (error) {
      throw r2Code(error) === NO_SUCH_UPLOAD ? uploadGone(key, { cause: error }) : error;
    }
  });
  done.catch(() => {}); // it is waited for only when the next part is full
  return done;
}

/** How parts are sent, and what is thrown when there are more of them than `most`. */
interface Sending {
  send(number: number, part: Uint8Array): Promise<R2Part>;
  tooLong(): StoreError;
}

/** Sends the parts of an upload, one while the next is made: two are in memory. Gives them, and their length in all. */
export async function sendParts(
  parts: AsyncIterable<Uint8Array>,
  most: number,
  { send, tooLong }: Sending,
): Promise<{ parts: R2Part[]; size: number }> {
  const sent: R2Part[] = [];
  let size = 0;
  let sending: Promise<R2Part> | undefined;
  try {
    for await (const part of parts) {
      if (sending !== undefined) sent.push(await sending);
      if (sent.length === most) throw tooLong();
      size += part.length;
      sending = send(sent.length + 1, part);
      sending.catch(() => {}); // it is waited for when the next part is full
    }
    if (sending !== undefined) sent.push(await sending);
  } catch (error) {
    await sending?.catch(() => {});
    throw error;
  }
  return { parts: sent, size };
}

/** @throws StoreError `STORE_UPLOAD` when there is no such upload, nor what it would have become */
export async function complete(
  calls: R2Calls,
  { key, uploadId }: Multipart,
  parts: R2Part[],
  size: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  const found = await calls.run({ doing: "write", key, size, signal }, async (bucket) => {
    try {
      return await bucket.resumeMultipartUpload(key, uploadId).complete(parts);
    } catch (error) {
      if (r2Code(error) !== NO_SUCH_UPLOAD) throw error;
      const found = await bucket.head(key); // the answer to an earlier attempt may have been lost
      if (found?.size !== size) throw uploadGone(key, { cause: error });
      return found;
    }
  });
  if (found.size !== size) throw changed(key);
}

export async function openTemporary(calls: R2Calls, temporary: string, size: number) {
  const found = await calls.bucket.get(temporary);
  if (found?.size !== size || found.body === undefined) throw changed(temporary);
  return found.body;
}

/** Removes a temporary object and its upload, if that works: what remains is never listed, and is swept later. */
export async function removeTemporary(
  calls: R2Calls,
  key: string,
  uploadId: string | undefined,
): Promise<void> {
  const call = { doing: "delete", key } as const;
  if (uploadId !== undefined) {
    await calls.run(call, (bucket) => bucket.resumeMultipartUpload(key, uploadId).abort()).catch(() => {});
  }
  await calls.run(call, (bucket) => bucket.delete(key)).catch(() => {});
}

export function tooLong(key: string): StoreError {
  const most = `${MOST_PARTS * (PART / 1024 / 1024)} MiB`;
  const message = `cannot write ${JSON.stringify(key)} in the bucket: it is longer than ${most}, the most R2 takes at once`;
  return new StoreError("STORE_FULL", message, { name: key });
}

function changed(key: string): StoreError {
  const message = `${JSON.stringify(key)} in the bucket was changed while it was put; check what else writes to the bucket, then try again`;
  return new StoreError("STORE_IO", message, { name: key });
}

/** Removes what dead processes left: temporary objects of more than a day ago, and the uploads that they stand for. */
export async function sweep(calls: R2Calls): Promise<void> {
  const call = { doing: "list", key: TEMPORARY } as const;
  let cursor: string | undefined;
  do {
    const options = {
      prefix: TEMPORARY,
      include: ["customMetadata" as const],
      ...(cursor !== undefined && { cursor }),
    };
    const page = await calls.run(call, (bucket) => bucket.list(options));
    for (const each of page.objects) await sweepOne(calls, each);
    // R2 gives fewer objects in a page where metadata is included.
    cursor = page.truncated && page.cursor !== cursor ? page.cursor : undefined;
  } while (cursor !== undefined);
}

async function sweepOne(calls: R2Calls, { key, uploaded, customMetadata }: R2Found): Promise<void> {
  if (uploaded.getTime() > Date.now() - DAY) return;
  const upload = customMetadata?.[UPLOAD];
  const call = { doing: "delete", key } as const;
  // If the process lives after all, its put fails now and leaves nothing.
  if (upload) {
    await calls.run(call, (bucket) => bucket.resumeMultipartUpload(key, upload).abort()).catch(() => {});
  }
  await calls.run(call, (bucket) => bucket.delete(key));
}
