import { ObjectExistsError } from "../errors/object-exists-error.ts";
import { StoreError } from "../errors/store-error.ts";
import type { R2Found, R2Part, R2Upload } from "./r2-bucket.ts";
import type { Calls } from "./r2-calls.ts";
import { BrokenAnswer, NO_SUCH_UPLOAD, r2Code } from "./r2-errors.ts";
import { PART, type Parts } from "./r2-parts.ts";
import type { PutOptions } from "./store.ts";

/** Where objects are put together. No key begins with it; the sweep knows it. */
export const TEMPORARY = ".pagemark/tmp/";

/** Under which Litestream, too, keeps the time that an object stands for. */
export const TIMESTAMP = "litestream-timestamp";

/** Says which put an object is of: a put whose answer was lost must tell its own object from another's. */
const PUT = "pagemark-put";

/** The upload that a temporary object stands for, until the object itself takes its place. */
export const UPLOAD = "pagemark-upload";

/** R2 takes 5 GiB less one part in one put, which is the last step of every object. */
const MOST_PARTS = 1023;

/** What is to be put: how many bytes, and the bytes, as often as they are asked for. */
export interface Whole {
  size: number;
  open(): Promise<ReadableStream<Uint8Array> | Uint8Array>;
}

/**
 * Puts an object in one call. That call is the only one that ever makes an object, and R2 refuses it when the key is
 * taken: of any number of puts of one key at once, by whatever processes, one stores its object, and none replaces one.
 *
 * From here on an abort comes too late, unless the call fails: then what it may have stored is removed.
 */
export async function putWhole(calls: Calls, key: string, whole: Whole, options: PutOptions): Promise<void> {
  const { signal, modified } = options;
  const id = crypto.randomUUID();
  const customMetadata = { [PUT]: id, ...(modified && { [TIMESTAMP]: modified.toISOString() }) };
  const isOurs = (found: R2Found | null) => found?.customMetadata?.[PUT] === id;
  const { size } = whole;
  try {
    await calls.run({ doing: "write", key, size, signal, finish: true }, async (bucket) => {
      const body = await whole.open();
      let found: R2Found | null;
      try {
        found = await bucket.put(key, body, { onlyIf: { etagDoesNotMatch: "*" }, customMetadata });
      } finally {
        if (!(body instanceof Uint8Array)) body.cancel().catch(() => {}); // one that was read to its end does not mind
      }
      if (found === null) {
        found = await calls.run({ doing: "write", key }, () => bucket.head(key));
        // Ours, of a time before, whose answer was lost. Gone since: as if it had not been there.
        if (found !== null && !isOurs(found)) throw new ObjectExistsError(key);
      }
      if (found?.size === size) return;
      if (found !== null) await bucket.delete(key);
      throw new BrokenAnswer(`${found?.size ?? "none"} of ${size} bytes were stored`);
    });
  } catch (error) {
    if (signal?.aborted) await removeOwn(calls, key, isOurs);
    throw error;
  }
}

async function removeOwn(calls: Calls, key: string, isOurs: (found: R2Found | null) => boolean) {
  await calls
    .run({ doing: "delete", key }, async (bucket) => {
      if (isOurs(await bucket.head(key))) await bucket.delete(key);
    })
    .catch(() => {});
}

/**
 * Puts an object of unknown length, of which two parts are here already.
 *
 * R2 makes an upload of several parts an object whether its key is taken or not. So the upload is made under a temporary
 * key, and its object is then put under the key, unless that is taken, as every other: R2 copies it from itself, and
 * its bytes pass by this program's memory. It costs a second way for the bytes; it never costs an object.
 */
export async function putParts(
  calls: Calls,
  key: string,
  first: Uint8Array,
  second: Uint8Array,
  rest: Parts,
  options: PutOptions,
): Promise<void> {
  const { signal } = options;
  const temporary = `${TEMPORARY}${crypto.randomUUID()}~`; // "~" is in no key
  const write = { doing: "write", key: temporary, signal } as const;
  const upload = await calls.run(write, (bucket) => bucket.createMultipartUpload(temporary));
  let completed = false;
  try {
    // R2 lists no unfinished uploads: who sweeps after a crash learns of this one from here.
    const customMetadata = { [UPLOAD]: upload.uploadId };
    await calls.run(write, (bucket) => bucket.put(temporary, new Uint8Array(), { customMetadata }));
    const { parts, size } = await uploadAll(calls, key, upload, first, second, rest, signal);
    await complete(calls, upload, parts, size, signal);
    completed = true;
    signal?.throwIfAborted();
    await putWhole(calls, key, { size, open: () => openTemporary(calls, temporary, size) }, options);
  } finally {
    await removeTemporary(calls, temporary, completed ? undefined : upload);
  }
}

/** One part on its way while the next is filled: two are in memory at most. */
async function uploadAll(
  calls: Calls,
  key: string,
  upload: R2Upload,
  first: Uint8Array,
  second: Uint8Array,
  rest: Parts,
  signal: AbortSignal | undefined,
): Promise<{ parts: R2Part[]; size: number }> {
  const parts: R2Part[] = [];
  let size = first.length;
  let pending = uploadPart(calls, upload, 1, first, signal);
  for (let part = second; part.length > 0; part = await rest.next()) {
    parts.push(await pending);
    if (parts.length === MOST_PARTS) throw tooLong(key);
    size += part.length;
    pending = uploadPart(calls, upload, parts.length + 1, part, signal);
  }
  parts.push(await pending);
  return { parts, size };
}

function uploadPart(
  calls: Calls,
  { key, uploadId }: R2Upload,
  number: number,
  bytes: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<R2Part> {
  const call = { doing: "write", key, size: bytes.length, signal } as const;
  const done = calls.run(call, async (bucket) => {
    const { partNumber, etag } = await bucket.resumeMultipartUpload(key, uploadId).uploadPart(number, bytes);
    return { partNumber, etag };
  });
  done.catch(() => {}); // it is waited for only when the next part is full
  return done;
}

async function complete(
  calls: Calls,
  { key, uploadId }: R2Upload,
  parts: R2Part[],
  size: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  const found = await calls.run({ doing: "write", key, size, signal }, async (bucket) => {
    try {
      return await bucket.resumeMultipartUpload(key, uploadId).complete(parts);
    } catch (error) {
      if (r2Code(error) !== NO_SUCH_UPLOAD) throw error;
      const found = await bucket.head(key); // the answer of a time before may have been lost
      if (found?.size !== size) throw error;
      return found;
    }
  });
  if (found.size !== size) throw changed(key);
}

async function openTemporary(calls: Calls, temporary: string, size: number) {
  const found = await calls.bucket.get(temporary);
  if (found?.size !== size || found.body === undefined) throw changed(temporary);
  return found.body;
}

/** As far as it goes: what remains is never listed, and the sweep's. */
async function removeTemporary(calls: Calls, key: string, upload: R2Upload | undefined): Promise<void> {
  const call = { doing: "delete", key } as const;
  if (upload) await calls.run(call, () => upload.abort()).catch(() => {});
  await calls.run(call, (bucket) => bucket.delete(key)).catch(() => {});
}

function tooLong(key: string): StoreError {
  const most = `${MOST_PARTS * (PART / 1024 / 1024)} MiB`;
  const message = `cannot write ${JSON.stringify(key)} in the bucket: it is longer than ${most}, the most R2 takes at once`;
  return new StoreError("STORE_FULL", message, { name: key });
}

function changed(key: string): StoreError {
  const message = `${JSON.stringify(key)} in the bucket was changed while it was put; see who writes there, then try again`;
  return new StoreError("STORE_IO", message, { name: key });
}
