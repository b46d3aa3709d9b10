import { StoreError } from "../../errors/store-error.ts";
import { checkKey, checkPart, checkTime } from "../checks.ts";
import type { PutOptions, StoreUploads, UploadState } from "../store.ts";
import type { R2Calls } from "./errors.ts";
import {
  beginMultipart,
  complete,
  MOST_PARTS,
  type Multipart,
  mark,
  openTemporary,
  PART,
  removeTemporary,
  temporaryKey,
  tooLong,
  UPLOAD,
  uploadPart,
} from "./multipart.ts";
import { isOf, putWhole, removeOwn } from "./put.ts";

interface State extends UploadState {
  /** Id of the put, by which its object is told from others. */
  readonly id: string;
  readonly temporary: string;
  /** R2's name for the upload, once there is a part. */
  readonly uploadId?: string;
  /** When the temporary object was put, in milliseconds since 1970. */
  readonly markedAt?: number;
  /** ETags of the parts; empty for a part that was found stored in an upload that had been completed already. */
  readonly etags: readonly string[];
  /** In milliseconds since 1970. */
  readonly modified?: number;
}

/** A mark is renewed after this time, in milliseconds: the sweep takes marks of a day. */
const RENEWED_AFTER = 6 * 60 * 60 * 1000;

/** Puts objects into a bucket part by part, as `putParts` does, but in any number of processes. */
export class R2Uploads implements StoreUploads {
  readonly partSize = PART;
  readonly #calls: R2Calls;
  readonly #sweep: () => Promise<void>;

  constructor(calls: R2Calls, sweep: () => Promise<void>) {
    this.#calls = calls;
    this.#sweep = sweep;
  }

  /** Chooses the temporary key before anything lies under it, so that nothing is lost when the process ends. */
  async start(key: string, options: Pick<PutOptions, "modified"> = {}): Promise<State> {
    checkKey(key);
    checkTime(options);
    const modified = options.modified?.getTime();
    const id = crypto.randomUUID();
    const temporary = temporaryKey();
    return { key, size: 0, id, temporary, etags: [], ...(modified !== undefined && { modified }) };
  }

  async append(
    state: UploadState,
    part: Uint8Array,
    options: { signal?: AbortSignal | undefined } = {},
  ): Promise<State> {
    const before = state as State;
    const { key, etags } = before;
    checkPart(part, PART, false);
    if (etags.length >= MOST_PARTS - 1) throw tooLong(key);
    const { uploadId, markedAt } = await this.#begun(before, options.signal);
    const size = before.size + part.length;
    const next = { ...before, uploadId, markedAt, size };
    try {
      const multipart = { key: before.temporary, uploadId };
      const { etag } = await uploadPart(this.#calls, multipart, etags.length + 1, part, options.signal);
      return { ...next, etags: [...etags, etag] };
    } catch (error) {
      if (!isGone(error)) throw error;
      // The process that ended was further than this state says.
      if (!(await this.#isComplete(before, size)) && !(await this.#hasMade(before))) throw error;
      return { ...next, etags: [...etags, ""] };
    }
  }

  async finish(state: UploadState, rest: Uint8Array): Promise<void> {
    const { key, id, temporary, uploadId, etags, modified, size: before } = state as State;
    checkPart(rest, PART, true);
    const options = modified === undefined ? {} : { modified: new Date(modified) };
    const size = before + rest.length;
    if (uploadId === undefined) {
      return putWhole(this.#calls, key, { size, open: async () => rest }, options, id);
    }
    const parts = etags.map((etag, index) => ({ partNumber: index + 1, etag }));
    const upload = { key: temporary, uploadId };
    let isMade = false;
    try {
      if (rest.length > 0) {
        parts.push(await uploadPart(this.#calls, upload, parts.length + 1, rest, undefined));
      }
      await complete(this.#calls, upload, parts, size, undefined);
    } catch (error) {
      if (!isGone(error)) throw error;
      isMade = await this.#hasMade(state as State);
      if (!isMade && !(await this.#isComplete(state as State, size))) throw error;
    }
    if (!isMade) {
      const open = () => openTemporary(this.#calls, temporary, size);
      await putWhole(this.#calls, key, { size, open }, options, id);
    }
    await removeTemporary(this.#calls, temporary, undefined);
  }

  async abort(state: UploadState): Promise<void> {
    const { key, id, temporary, uploadId } = state as State;
    await removeTemporary(this.#calls, temporary, uploadId ?? (await this.#marked(temporary))?.uploadId);
    await removeOwn(this.#calls, key, id);
  }

  /** Finds the upload, by the state or by the mark that a process left, or begins one. */
  async #begun(
    { temporary, uploadId, markedAt = 0 }: State,
    signal: AbortSignal | undefined,
  ): Promise<{ uploadId: string; markedAt: number }> {
    const now = Date.now();
    if (uploadId !== undefined && now - markedAt < RENEWED_AFTER) return { uploadId, markedAt };
    const upload = uploadId === undefined ? await this.#marked(temporary) : { key: temporary, uploadId };
    if (upload) await mark(this.#calls, upload, signal);
    else await this.#sweep();
    const begun = upload ?? (await beginMultipart(this.#calls, temporary, signal));
    return { uploadId: begun.uploadId, markedAt: now };
  }

  async #marked(key: string): Promise<Multipart | undefined> {
    const found = await this.#calls.run({ doing: "read", key }, (bucket) => bucket.head(key));
    const uploadId = found?.customMetadata?.[UPLOAD];
    return uploadId === undefined ? undefined : { key, uploadId };
  }

  /** Whether the parts have become an object of `size` bytes or more. */
  async #isComplete({ temporary: key }: State, size: number): Promise<boolean> {
    const found = await this.#calls.run({ doing: "read", key }, (bucket) => bucket.head(key));
    return found !== null && found.size >= size;
  }

  /** Whether this upload has made its object already. */
  async #hasMade({ key, id }: State): Promise<boolean> {
    return isOf(id, await this.#calls.run({ doing: "read", key }, (bucket) => bucket.head(key)));
  }
}

function isGone(error: unknown): boolean {
  return error instanceof StoreError && error.code === "STORE_UPLOAD";
}
