import { ObjectExistsError } from "../../errors/object-exists-error.ts";
import { ObjectMissingError } from "../../errors/object-missing-error.ts";
import { checkHas, checkOptions } from "../../errors/options.ts";
import { StoreError } from "../../errors/store-error.ts";
import { type Body, consume } from "../../streams/body.ts";
import { emptyStream } from "../../streams/streams.ts";
import { beginsKey, byteRange, checkKey, checkRange, checkTime, isKey, pageLimit } from "../checks.ts";
import { guarded } from "../guarded.ts";
import type { Patience } from "../object-calls.ts";
import { Parts } from "../object-parts.ts";
import { streamObject } from "../object-read.ts";
import type {
  GetOptions,
  ListOptions,
  ListPage,
  PutOptions,
  Store,
  StoredObject,
  StoreUploads,
} from "../store.ts";
import type { R2Binding, R2Found, R2FoundBody, R2ListOptions } from "./bucket.ts";
import { type R2Calls, r2Calls } from "./errors.ts";
import { PART, sweep } from "./multipart.ts";
import { putParts, putWhole, TIMESTAMP } from "./put.ts";
import { R2Uploads } from "./uploads.ts";

/** Five attempts within some three seconds: longer than the second in which R2 takes one write of a key. */
const PATIENCE: Patience = { attempts: 5, delay: 200, timeout: 30_000 };

/**
 * A store in an R2 bucket, given as a Worker's binding: `r2(env.BACKUPS)`. LTX files are named as Litestream names them in a
 * bucket. Other objects may lie in the bucket: those whose names are no keys are ignored.
 *
 * A call that fails for a moment (429, 500, a lost connection, no answer) is tried again, five times in all unless `patience`
 * says otherwise; then it fails with a StoreError. An object may have up to 5,115 MiB.
 */
export function r2(bucket: R2Binding, patience: Partial<Patience> = {}): Store {
  checkHas("put", bucket, "the bucket", "the binding of an R2 bucket");
  return guarded(new R2Store(r2Calls(bucket, { ...PATIENCE, ...patience })));
}

class R2Store implements Store {
  readonly givesChunksAway = true;
  readonly layout = "bucket";
  readonly description = "an R2 bucket";
  readonly uploads: StoreUploads;
  readonly #calls: R2Calls;
  #swept: Promise<void> | undefined;

  constructor(calls: R2Calls) {
    this.#calls = calls;
    this.uploads = new R2Uploads(calls, () => this.#sweep());
  }

  async put(key: string, body: Body, options: PutOptions = {}) {
    await consume(body, checkOptions(options).signal, async (chunks) => {
      checkKey(key);
      checkTime(options);
      if (body instanceof Uint8Array) return this.#putBytes(key, body, options);
      if (await this.#find("write", key, options.signal)) throw new ObjectExistsError(key); // before the body is read
      const parts = new Parts(chunks, PART);
      const first = await parts.next();
      const second = first.length < PART ? new Uint8Array() : await parts.next();
      if (second.length === 0) return this.#putBytes(key, first, options);
      await this.#sweep();
      await putParts(this.#calls, key, first, second, parts, options);
    });
  }

  async get(key: string, options: GetOptions = {}) {
    checkKey(key);
    const { offset, length } = checkRange(options);
    const { signal } = options;
    signal?.throwIfAborted();
    const isAll = offset === 0 && length === Number.POSITIVE_INFINITY;
    const range = { offset, ...(Number.isFinite(length) && { length }) };
    const found = await this.#calls.run(
      { doing: "read", key, signal },
      async (bucket): Promise<R2FoundBody | null> => {
        if (length === 0) return bucket.head(key); // no range of R2's is empty
        try {
          return await bucket.get(key, isAll ? {} : { range });
        } catch (error) {
          if (isAll) throw error;
          // R2 refuses a range that begins at the end or behind it, and its simulator sometimes answers it with 500.
          const head = await bucket.head(key);
          if (head !== null && offset < head.size) throw error;
          return head;
        }
      },
    );
    if (!found) throw new ObjectMissingError(key);
    const { start, end } = byteRange(found.size, options);
    const { body } = found;
    if (start === end || body === undefined) {
      body?.cancel().catch(() => {});
      return emptyStream();
    }
    const reopen = (at: number) => this.#reopen(key, found.etag, at, end);
    return streamObject(this.#calls, body, { key, start, end, signal, reopen });
  }

  async head(key: string, options: { signal?: AbortSignal | undefined } = {}) {
    checkKey(key);
    const found = await this.#find("read", key, options.signal);
    return found ? stored(found) : undefined;
  }

  async list(prefix: string, options: ListOptions = {}): Promise<ListPage> {
    const { signal } = options;
    const limit = pageLimit(prefix, options);
    signal?.throwIfAborted();
    if (!beginsKey(prefix)) return { objects: [] };
    const objects: StoredObject[] = [];
    let last = options.cursor;
    // After a key, not at R2's own cursor, which may expire and is bound to the limit it was given for.
    let from: R2ListOptions = last === undefined ? {} : { startAfter: last };
    for (;;) {
      const wanted: R2ListOptions = {
        prefix,
        limit: limit - objects.length,
        include: ["customMetadata"],
        ...from,
      };
      const page = await this.#calls.run({ doing: "list", key: prefix, signal }, (bucket) =>
        bucket.list(wanted),
      );
      for (const found of page.objects) {
        if (!isKey(found.key)) continue;
        if (last !== undefined && found.key <= last) throw disorder(found.key);
        last = found.key;
        objects.push(stored(found));
      }
      if (!page.truncated) return { objects };
      if (objects.length >= limit && last !== undefined) return { objects, cursor: last };
      // Objects whose names are no keys, and reasons of R2's own, leave a page short or empty.
      if (page.cursor === undefined || page.cursor === from.cursor) throw disorder(last ?? prefix);
      from = { cursor: page.cursor };
    }
  }

  async delete(key: string, options: { signal?: AbortSignal | undefined } = {}) {
    checkKey(key);
    const { signal } = options;
    await this.#calls.run({ doing: "delete", key, signal }, (bucket) => bucket.delete(key));
  }

  #find(doing: "read" | "write", key: string, signal: AbortSignal | undefined): Promise<R2Found | null> {
    return this.#calls.run({ doing, key, signal }, (bucket) => bucket.head(key));
  }

  /** What is read after a failure must be the same object. */
  async #reopen(key: string, etagMatches: string, at: number, end: number) {
    const found = await this.#calls.bucket.get(key, {
      range: { offset: at, length: end - at },
      onlyIf: { etagMatches },
    });
    if (found?.body !== undefined) return found.body;
    const message = `${JSON.stringify(key)} in the bucket was deleted or replaced while it was read; verify the backups`;
    throw new StoreError("STORE_IO", message, { name: key, offset: at });
  }

  /** Sweeps once. If its failure matters, the put fails, too. */
  #sweep(): Promise<void> {
    this.#swept ??= sweep(this.#calls).catch(() => {});
    return this.#swept;
  }

  #putBytes(key: string, bytes: Uint8Array, options: PutOptions): Promise<void> {
    options.signal?.throwIfAborted(); // the put itself cannot be aborted
    return putWhole(this.#calls, key, { size: bytes.length, open: async () => bytes }, options);
  }
}

function stored({ key, size, uploaded, customMetadata }: R2Found): StoredObject {
  const given = Date.parse(customMetadata?.[TIMESTAMP] ?? "");
  return { key, size, modified: new Date(Number.isNaN(given) ? uploaded : given) };
}

function disorder(key: string): StoreError {
  const message = `the bucket's list repeats itself at ${JSON.stringify(key)}; try again later`;
  return new StoreError("STORE_IO", message, { name: key });
}
