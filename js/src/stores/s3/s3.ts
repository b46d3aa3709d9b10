import { ObjectExistsError } from "../../errors/object-exists-error.ts";
import { ObjectMissingError } from "../../errors/object-missing-error.ts";
import { checkOptions, checkText } from "../../errors/options.ts";
import { StoreError } from "../../errors/store-error.ts";
import { type Body, consume } from "../../streams/body.ts";
import { emptyStream } from "../../streams/streams.ts";
import { beginsKey, byteRange, checkKey, checkRange, checkTime, isKey, pageLimit } from "../checks.ts";
import { guarded } from "../guarded.ts";
import { BrokenAnswer, Calls } from "../object-calls.ts";
import { Parts } from "../object-parts.ts";
import { streamObject } from "../object-read.ts";
import type { GetOptions, ListOptions, ListPage, PutOptions, Store, StoredObject } from "../store.ts";
import { S3Bucket } from "./bucket.ts";
import { S3Deletions } from "./delete.ts";
import { hasCode, isMissing, isTaken, s3Failures } from "./errors.ts";
import { S3Exclusion } from "./exclusion.ts";
import { find, foundIn, type S3Calls, type S3Found, timeOf } from "./find.ts";
import { placeOf, type S3Options } from "./options.ts";
import { S3Puts, sweepUploads } from "./put.ts";
import { elements, textOf } from "./xml.ts";

/**
 * A store in a bucket of S3, or of any service that speaks its language: R2, MinIO, Google Cloud Storage, Backblaze and others.
 * LTX files are named as Litestream names them in a bucket. Other objects may lie in the bucket: those whose names are no keys
 * are ignored. docs/stores.md says more.
 *
 * A request that fails for a moment is tried again, five times in all unless `patience` says otherwise; then it fails with a
 * StoreError. `modified` is when the object was put, in whole seconds; the time given with the
 * put is kept where Litestream looks for it.
 *
 * @throws PagemarkError `USAGE` when an option is none
 */
export function s3(options: S3Options): Store {
  checkText(options?.bucket, "bucket");
  return guarded(new S3Store(options));
}

class S3Store implements Store {
  readonly givesChunksAway = true;
  readonly layout = "bucket";
  readonly description: string;
  readonly #calls: S3Calls;
  readonly #puts: S3Puts;
  readonly #deletions: S3Deletions;
  #swept: Promise<void> | undefined;

  constructor(options: S3Options) {
    const place = placeOf(options);
    const {
      endpoint,
      conditionalPut = endpoint === undefined ? true : undefined,
      checksum = false,
    } = options;
    this.description = place.description;
    this.#calls = new Calls(new S3Bucket(place, options), place.patience, s3Failures(place.description));
    this.#deletions = new S3Deletions(this.#calls);
    this.#puts = new S3Puts(this.#calls, new S3Exclusion(this.#calls, conditionalPut), checksum);
  }

  async put(key: string, body: Body, options: PutOptions = {}) {
    const { signal } = checkOptions(options);
    await consume(body, signal, async (chunks) => {
      checkKey(key);
      checkTime(options);
      if (body instanceof Uint8Array && body.length <= this.#partSize)
        return this.#puts.whole(key, body, options);
      if (await this.#find("write", key, signal)) throw new ObjectExistsError(key); // before the body is read
      const parts = new Parts(chunks, this.#partSize);
      const first = await parts.next();
      const second = first.length < this.#partSize ? new Uint8Array() : await parts.next();
      signal?.throwIfAborted();
      if (second.length === 0) return this.#puts.whole(key, first, options);
      await this.#sweep();
      await this.#puts.parts(key, parts.after(first, second), options);
    });
  }

  async get(key: string, options: GetOptions = {}) {
    checkKey(key);
    const { offset, length } = checkRange(options);
    const { signal } = options;
    signal?.throwIfAborted();
    const last = Number.isFinite(length) ? Math.min(offset + length - 1, Number.MAX_SAFE_INTEGER) : "";
    const isAll = offset === 0 && last === "";
    const headers: Record<string, string> = isAll ? {} : { range: `bytes=${offset}-${last}` };
    const answer = await this.#calls.run({ doing: "read", key, signal }, async (bucket, stop) => {
      try {
        if (length === 0) return undefined; // no range is empty
        const response = await bucket.send({ key, headers, signal: stop });
        return { body: response.body, ...reading(key, response, offset) };
      } catch (error) {
        if (hasCode(error, "InvalidRange")) return undefined; // it ends before
        throw isMissing(error) ? new ObjectMissingError(key) : error;
      }
    });
    if (answer === undefined) {
      if (!(await this.#find("read", key, signal))) throw new ObjectMissingError(key);
      return emptyStream();
    }
    const { body, found, isWhole } = answer;
    const { start, end } = byteRange(found.size, { offset, length });
    if (start === end || body === null) {
      body?.cancel().catch(() => {});
      return emptyStream();
    }
    const reopen = (at: number) => this.#reopen(found, at, end);
    const wanted = isWhole && (start > 0 || end < found.size) ? part(body, start, end) : body;
    return streamObject(this.#calls, wanted, { key, start, end, signal, reopen });
  }

  async head(key: string, options: { signal?: AbortSignal | undefined } = {}) {
    checkKey(key);
    const found = await this.#find("read", key, options.signal);
    return found && { key, size: found.size, modified: found.modified };
  }

  async list(prefix: string, options: ListOptions = {}): Promise<ListPage> {
    const { signal } = options;
    const limit = pageLimit(prefix, options);
    signal?.throwIfAborted();
    if (!beginsKey(prefix)) return { objects: [] };
    const objects: StoredObject[] = [];
    let last = options.cursor;
    let token: string | undefined;
    for (;;) {
      const page = await this.#page(
        prefix,
        limit - objects.length,
        token === undefined ? last : undefined,
        token,
        signal,
      );
      for (const found of page.objects) {
        if (!isKey(found.key)) continue;
        if (last !== undefined && found.key <= last) throw disorder(this.description, found.key);
        last = found.key;
        objects.push(found);
      }
      if (!page.isTruncated) return { objects };
      if (objects.length >= limit && last !== undefined) return { objects, cursor: last };
      // Objects whose names are no keys leave a page short or empty.
      if (page.next === undefined || page.next === token) throw disorder(this.description, last ?? prefix);
      token = page.next;
    }
  }

  async delete(key: string, options: { signal?: AbortSignal | undefined } = {}) {
    checkKey(key);
    options.signal?.throwIfAborted();
    await this.#deletions.delete(key, options.signal);
  }

  get #partSize(): number {
    return this.#calls.bucket.place.partSize;
  }

  #find(doing: "read" | "write", key: string, signal: AbortSignal | undefined): Promise<S3Found | undefined> {
    return this.#calls.run({ doing, key, signal }, (bucket, stop) => find(bucket, key, stop));
  }

  async #page(
    prefix: string,
    limit: number,
    after: string | undefined,
    token: string | undefined,
    signal: AbortSignal | undefined,
  ) {
    const { prefix: before } = this.#calls.bucket.place;
    const query = {
      "list-type": "2",
      prefix: before + prefix,
      "max-keys": String(limit),
      ...(after !== undefined && { "start-after": before + after }),
      ...(token !== undefined && { "continuation-token": token }),
    };
    const xml = await this.#calls.run({ doing: "list", key: prefix, signal }, (bucket, stop) =>
      bucket.xml({ query, signal: stop }, "ListBucketResult"),
    );
    const objects = elements(xml, "Contents").map((each) => objectIn(each, before));
    return {
      objects: objects.filter((each) => each !== undefined),
      isTruncated: textOf(xml, "IsTruncated") === "true",
      next: textOf(xml, "NextContinuationToken"),
    };
  }

  /** What is read after a failure must be the same object. */
  async #reopen({ key, etag }: S3Found, at: number, end: number) {
    const stop = new AbortController();
    try {
      const headers = { range: `bytes=${at}-${end - 1}`, "if-match": etag };
      const response = await this.#calls.bucket.send({ key, headers, signal: stop.signal });
      if (response.body === null) throw new BrokenAnswer("the answer has no body");
      return reading(key, response, at).isWhole ? part(response.body, at, end) : response.body;
    } catch (error) {
      stop.abort(error);
      if (!isTaken(error) && !isMissing(error)) throw error;
      const message = `${JSON.stringify(key)} in ${this.description} was deleted or replaced while it was read; verify the backups`;
      throw new StoreError("STORE_IO", message, { name: key, offset: at }, { cause: error });
    }
  }

  /** Sweeps once. Some services cannot list uploads; what they leave they sweep themselves. */
  #sweep(): Promise<void> {
    this.#swept ??= sweepUploads(this.#calls).catch(() => {});
    return this.#swept;
  }
}

/** The object that an answer gives from `offset` on, or all of, whatever was asked for. */
function reading(key: string, { status, headers }: Response, offset: number) {
  if (status === 206) {
    const [, from, size] = /^bytes (\d+)-\d+\/(\d+)$/.exec(headers.get("content-range") ?? "") ?? [];
    if (Number(from) !== offset) throw new BrokenAnswer("the answer has another range");
    return { found: foundIn(key, headers, Number(size)), isWhole: false };
  }
  return { found: foundIn(key, headers, Number(headers.get("content-length") ?? Number.NaN)), isWhole: true };
}

function objectIn(xml: string, before: string): StoredObject | undefined {
  // Not asked for in the encoding of URLs, which some services announce and leave out: names that XML cannot have are no keys.
  const key = textOf(xml, "Key") ?? "";
  const [size, modified] = [textOf(xml, "Size"), textOf(xml, "LastModified")];
  if (!key.startsWith(before)) return undefined;
  return { key: key.slice(before.length), size: Number(size), modified: timeOf(modified) };
}

/** The bytes from `start` up to `end` of what begins with byte 0. */
function part(body: ReadableStream<Uint8Array>, start: number, end: number): ReadableStream<Uint8Array> {
  let at = 0;
  const cut = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      const wanted = chunk.subarray(Math.max(start - at, 0), Math.max(end - at, 0));
      at += chunk.length;
      if (wanted.length > 0) controller.enqueue(wanted);
      if (at >= end) controller.terminate();
    },
  });
  return body.pipeThrough(cut);
}

function disorder(description: string, key: string): StoreError {
  const message = `the list of ${description} repeats itself at ${JSON.stringify(key)}; try again later`;
  return new StoreError("STORE_IO", message, { name: key });
}
