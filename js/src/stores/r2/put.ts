import { ObjectExistsError } from "../../errors/object-exists-error.ts";
import { BrokenAnswer } from "../object-calls.ts";
import type { Parts } from "../object-parts.ts";
import type { PutOptions } from "../store.ts";
import type { R2Found } from "./bucket.ts";
import type { R2Calls } from "./errors.ts";
import {
  beginMultipart,
  complete,
  MOST_PARTS,
  openTemporary,
  removeTemporary,
  sendParts,
  temporaryKey,
  tooLong,
  uploadPart,
} from "./multipart.ts";

/** Metadata in which Litestream, too, keeps the time of an object. */
export const TIMESTAMP = "litestream-timestamp";

/** Metadata that names the put of an object: a put whose answer was lost must tell its own object from others. */
const PUT = "pagemark-put";

/** Whether the put `id` made an object. */
export function isOf(id: string, found: R2Found | null): boolean {
  return found?.customMetadata?.[PUT] === id;
}

/** An object to put: its size, and its bytes, as often as they are asked for. */
export interface Whole {
  size: number;
  open(): Promise<ReadableStream<Uint8Array> | Uint8Array>;
}

/**
 * Puts an object in one call. That call is the only one that ever makes an object, and R2 refuses it when the key is
 * taken: of any number of puts of one key at once, by whatever processes, one stores its object, and none replaces one.
 *
 * From here on an abort comes too late, unless the call fails: then the object that it may have stored is removed.
 */
export async function putWhole(
  calls: R2Calls,
  key: string,
  whole: Whole,
  options: PutOptions,
  id: string = crypto.randomUUID(),
): Promise<void> {
  const { signal, modified } = options;
  const customMetadata = { [PUT]: id, ...(modified && { [TIMESTAMP]: modified.toISOString() }) };
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
        // The object may be of an earlier attempt whose answer was lost. If it is gone by now, it does not matter.
        if (found !== null && !isOf(id, found)) throw new ObjectExistsError(key);
      }
      if (found?.size === size) return;
      if (found !== null) await bucket.delete(key);
      throw new BrokenAnswer(`${found?.size ?? "none"} of ${size} bytes were stored`);
    });
  } catch (error) {
    if (signal?.aborted) await removeOwn(calls, key, id);
    throw error;
  }
}

/** Removes the object of the put `id`, if that works; another put's object stays. */
export async function removeOwn(calls: R2Calls, key: string, id: string): Promise<void> {
  await calls
    .run({ doing: "delete", key }, async (bucket) => {
      if (isOf(id, await bucket.head(key))) await bucket.delete(key);
    })
    .catch(() => {});
}

/**
 * Puts an object of unknown length; its first two parts are here already.
 *
 * R2 makes an upload of several parts an object whether its key is taken or not. So the upload is made under a temporary
 * key, and its object is then put under the key, unless that is taken, like every other object. Its bytes
 * go through this program's memory a second time; but no object is ever replaced.
 */
export async function putParts(
  calls: R2Calls,
  key: string,
  first: Uint8Array,
  second: Uint8Array,
  rest: Parts,
  options: PutOptions,
): Promise<void> {
  const { signal } = options;
  const upload = await beginMultipart(calls, temporaryKey(), signal);
  const temporary = upload.key;
  let completed = false;
  try {
    const { parts, size } = await sendParts(rest.after(first, second), MOST_PARTS, {
      send: (number, part) => uploadPart(calls, upload, number, part, signal),
      tooLong: () => tooLong(key),
    });
    await complete(calls, upload, parts, size, signal);
    completed = true;
    signal?.throwIfAborted();
    await putWhole(calls, key, { size, open: () => openTemporary(calls, temporary, size) }, options);
  } finally {
    await removeTemporary(calls, temporary, completed ? undefined : upload.uploadId);
  }
}
