import { ObjectExistsError } from "../../errors/object-exists-error.ts";
import { StoreError } from "../../errors/store-error.ts";
import { uploadGone } from "../checks.ts";
import { BrokenAnswer } from "../object-calls.ts";
import type { PutOptions } from "../store.ts";
import type { S3Bucket } from "./bucket.ts";
import { hasCode, isTaken } from "./errors.ts";
import type { S3Exclusion } from "./exclusion.ts";
import { find, putHeaders, type S3Calls } from "./find.ts";
import { elements, escaped, textOf } from "./xml.ts";

const CHECKSUM = "x-amz-checksum-sha256";

export const MOST_PARTS = 10_000;
/** Uploads are swept after this time, in milliseconds. */
const DAY = 24 * 60 * 60 * 1000;

/** Puts objects under keys that must be free. */
export class S3Puts {
  readonly #calls: S3Calls;
  readonly #exclusion: S3Exclusion;
  readonly #checksum: boolean;

  constructor(calls: S3Calls, exclusion: S3Exclusion, checksum: boolean) {
    this.#calls = calls;
    this.#exclusion = exclusion;
    this.#checksum = checksum;
  }

  /** Puts an object in one request. From its first on an abort comes too late; what it may have stored is removed then. */
  async whole(key: string, body: Uint8Array, options: PutOptions): Promise<void> {
    const id = crypto.randomUUID();
    const headers = putHeaders(this.#calls.bucket.place, id, options);
    await this.#commit(key, id, body.length, "put", options.signal, async (bucket, condition, signal) => {
      await bucket.done({ method: "PUT", key, headers: { ...headers, ...condition }, body, signal });
    });
  }

  /** Puts an object of unknown length in parts, of which two are in memory at a time. It is there once all of them are. */
  async parts(key: string, parts: AsyncIterable<Uint8Array>, options: PutOptions): Promise<void> {
    const { signal } = options;
    const call = { doing: "write", key, signal } as const;
    const id = crypto.randomUUID();
    const headers = {
      ...putHeaders(this.#calls.bucket.place, id, options),
      ...(this.#checksum && { "x-amz-checksum-algorithm": "SHA256" }),
    };
    const uploadId = await this.#calls.run(call, async (bucket, stop) => {
      const root = "InitiateMultipartUploadResult";
      const xml = await bucket.xml(
        { method: "POST", key, query: { uploads: "" }, headers, signal: stop },
        root,
      );
      const uploadId = textOf(xml, "UploadId");
      if (!uploadId) throw new BrokenAnswer("the upload has no id");
      return uploadId;
    });
    try {
      const { sent, size } = await this.#send(key, uploadId, parts, signal);
      const body = completion(sent);
      await this.#commit(key, id, size, "complete", signal, async (bucket, condition, stop) => {
        const request = {
          method: "POST",
          key,
          query: { uploadId },
          headers: condition,
          body,
          signal: stop,
        } as const;
        try {
          await bucket.xml(request, "CompleteMultipartUploadResult");
        } catch (error) {
          if (!hasCode(error, "NoSuchUpload")) throw error;
          // The answer to an earlier attempt may have been lost.
          if ((await find(bucket, key, stop))?.put !== id) throw uploadGone(key, { cause: error });
        }
      });
    } catch (error) {
      await abortUpload(this.#calls, key, uploadId);
      throw error;
    }
  }

  async #send(
    key: string,
    uploadId: string,
    parts: AsyncIterable<Uint8Array>,
    signal: AbortSignal | undefined,
  ): Promise<{ sent: string[]; size: number }> {
    const sent: string[] = [];
    let size = 0;
    let sending: Promise<string> | undefined;
    try {
      for await (const body of parts) {
        if (sending !== undefined) sent.push(await sending);
        if (sent.length === MOST_PARTS) throw tooLong(key, size);
        size += body.length;
        const query = { partNumber: String(sent.length + 1), uploadId };
        sending = this.#calls.run(
          { doing: "write", key, size: body.length, signal },
          async (bucket, stop) => {
            const headers = await bucket.done({ method: "PUT", key, query, body, signal: stop });
            const [etag, sha256] = [headers.get("etag"), headers.get(CHECKSUM)];
            if (etag === null) throw new BrokenAnswer("the part has no ETag");
            return `<ETag>${escaped(etag)}</ETag>${this.#checksum && sha256 ? `<ChecksumSHA256>${escaped(sha256)}</ChecksumSHA256>` : ""}`;
          },
        );
        sending.catch(() => {}); // it is waited for when the next part is full
      }
      if (sending !== undefined) sent.push(await sending);
    } catch (error) {
      await sending?.catch(() => {});
      throw error;
    }
    signal?.throwIfAborted();
    return { sent, size };
  }

  /** The request that makes the object, and that does so only while its key is free. */
  async #commit(
    key: string,
    id: string,
    size: number,
    kind: "put" | "complete",
    signal: AbortSignal | undefined,
    send: (bucket: S3Bucket, condition: Record<string, string>, signal: AbortSignal) => Promise<void>,
  ): Promise<void> {
    try {
      await this.#exclusion.hold({ key, id, kind, signal }, async (condition) => {
        await this.#calls.run({ doing: "write", key, size, signal, finish: true }, async (bucket, stop) => {
          try {
            await send(bucket, await condition(stop), stop);
          } catch (error) {
            if (!isTaken(error)) throw error;
            const found = await find(bucket, key, stop);
            if (found === undefined) throw new BrokenAnswer("the key was taken and is free");
            // It is an earlier attempt's, whose answer was lost, or another put's.
            if (found.put !== id) throw new ObjectExistsError(key);
          }
        });
      });
    } catch (error) {
      if (signal?.aborted) await this.#removeOwn(key, id);
      throw error;
    }
  }

  /** Removes the object of the put `id`, if that works; another put's object stays. */
  async #removeOwn(key: string, id: string): Promise<void> {
    const call = { doing: "delete", key } as const;
    await this.#calls
      .run(call, async (bucket, signal) => {
        if ((await find(bucket, key, signal))?.put === id)
          await bucket.done({ method: "DELETE", key, signal });
      })
      .catch(() => {});
  }
}

function completion(sent: readonly string[]): Uint8Array {
  const parts = sent.map((part, index) => `<Part><PartNumber>${index + 1}</PartNumber>${part}</Part>`);
  const xmlns = "http://s3.amazonaws.com/doc/2006-03-01/";
  return new TextEncoder().encode(
    `<CompleteMultipartUpload xmlns="${xmlns}">${parts.join("")}</CompleteMultipartUpload>`,
  );
}

/** Gives an upload up, if that works: what remains of it is swept later. */
async function abortUpload(calls: S3Calls, key: string, uploadId: string): Promise<void> {
  await calls
    .run({ doing: "delete", key }, async (bucket, signal) => {
      try {
        await bucket.done({ method: "DELETE", key, query: { uploadId }, signal });
      } catch (error) {
        if (!hasCode(error, "NoSuchUpload")) throw error;
      }
    })
    .catch(() => {});
}

/** Removes what dead processes left: uploads below `prefix` of more than a day ago. */
export async function sweepUploads(calls: S3Calls): Promise<void> {
  const { prefix } = calls.bucket.place;
  const xml = await calls.run({ doing: "list", key: "" }, (bucket, signal) =>
    bucket.xml(
      { query: { uploads: "", prefix, "max-uploads": "1000" }, signal },
      "ListMultipartUploadsResult",
    ),
  );
  for (const upload of elements(xml, "Upload")) {
    const [key, id, begun] = ["Key", "UploadId", "Initiated"].map((name) => textOf(upload, name) ?? "");
    const isOld = Date.parse(begun ?? "") < Date.now() - DAY;
    if (isOld && key?.startsWith(prefix) && id) await abortUpload(calls, key.slice(prefix.length), id);
  }
}

function tooLong(key: string, size: number): StoreError {
  const message = `cannot write ${JSON.stringify(key)} in the bucket: it is longer than ${MOST_PARTS} parts (${size} bytes); choose a larger part size`;
  return new StoreError("STORE_FULL", message, { name: key });
}
