import { BrokenAnswer, type Calls } from "../object-calls.ts";
import type { PutOptions, StoredObject } from "../store.ts";
import type { S3Bucket } from "./bucket.ts";
import { isMissing } from "./errors.ts";
import type { S3Place } from "./options.ts";

export type S3Calls = Calls<S3Bucket>;

/** Metadata in which Litestream, too, keeps the time of an object. */
const TIMESTAMP = "x-amz-meta-litestream-timestamp";
/** Metadata that names the put of an object: a put whose answer was lost must tell its own object from others. */
const PUT = "x-amz-meta-pagemark-put";

export interface S3Found extends StoredObject {
  etag: string;
  /** Id of the put that made it. */
  put: string | undefined;
}

/** Describes an object; `undefined` when there is none. Part of an attempt. */
export async function find(bucket: S3Bucket, key: string, signal: AbortSignal): Promise<S3Found | undefined> {
  try {
    const { headers } = await bucket.send({ method: "HEAD", key, signal });
    return foundIn(key, headers, Number(headers.get("content-length")));
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** What the headers of an answer say of an object of `size` bytes. */
export function foundIn(key: string, headers: Headers, size: number): S3Found {
  if (!Number.isSafeInteger(size) || size < 0) throw new BrokenAnswer("the answer has no length");
  const modified = timeOf(headers.get("last-modified"));
  return { key, size, modified, etag: headers.get("etag") ?? "", put: headers.get(PUT) ?? undefined };
}

/** When an object was put. Answers to HEAD have whole seconds, so those of lists are cut to them. */
export function timeOf(text: string | null | undefined): Date {
  const time = Date.parse(text ?? "");
  return new Date(time - (time % 1000));
}

/** What is sent with an object of the put `id`. */
export function putHeaders(
  { putHeaders }: S3Place,
  id: string,
  { modified }: PutOptions,
): Record<string, string> {
  return { ...putHeaders, [PUT]: id, ...(modified && { [TIMESTAMP]: modified.toISOString() }) };
}
