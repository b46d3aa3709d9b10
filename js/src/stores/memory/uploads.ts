import { uuid } from "../../core/index.ts";
import { ObjectExistsError } from "../../errors/object-exists-error.ts";
import { checkKey, checkPart, checkTime, uploadGone } from "../checks.ts";
import type { PutOptions, StoreUploads, UploadState } from "../store.ts";

/** An object. */
export interface Entry {
  bytes: Uint8Array;
  modified: Date;
  /** Id of the upload that made the object. */
  upload?: string;
}

interface State extends UploadState {
  readonly id: string;
  /** In milliseconds since 1970. */
  readonly modified?: number;
}

/** Puts objects into memory part by part. */
export class MemoryUploads implements StoreUploads {
  /** The smallest that a bucket takes. */
  readonly partSize = 5 << 20;
  readonly #entries: Map<string, Entry>;
  /** Parts in their order, by upload. */
  readonly #parts = new Map<string, Uint8Array[]>();

  constructor(entries: Map<string, Entry>) {
    this.#entries = entries;
  }

  async start(key: string, options: Pick<PutOptions, "modified"> = {}): Promise<State> {
    checkKey(key);
    checkTime(options);
    const modified = options.modified?.getTime();
    return { key, size: 0, id: uuid(), ...(modified !== undefined && { modified }) };
  }

  async append(
    state: UploadState,
    part: Uint8Array,
    options: { signal?: AbortSignal | undefined } = {},
  ): Promise<State> {
    options.signal?.throwIfAborted();
    const { id, size, key } = state as State;
    checkPart(part, this.partSize, false);
    const next = { ...(state as State), size: size + part.length };
    // The process that ended was further than this state says: the object is made.
    if (this.#entries.get(key)?.upload === id) return next;
    const parts = this.#parts.get(id) ?? [];
    if (parts.length < size / this.partSize) throw uploadGone(key);
    parts[size / this.partSize] = part.slice();
    this.#parts.set(id, parts);
    return next;
  }

  async finish(state: UploadState, rest: Uint8Array): Promise<void> {
    const { id, key, size, modified } = state as State;
    checkPart(rest, this.partSize, true);
    const there = this.#entries.get(key);
    if (there?.upload === id) return;
    if (there) throw new ObjectExistsError(key);
    const parts = this.#parts.get(id)?.slice(0, size / this.partSize) ?? [];
    if (parts.length < size / this.partSize) throw uploadGone(key);
    const bytes = new Uint8Array(size + rest.length);
    for (const [index, part] of parts.entries()) bytes.set(part, index * this.partSize);
    bytes.set(rest, size);
    this.#parts.delete(id);
    this.#entries.set(key, { bytes, modified: new Date(modified ?? Date.now()), upload: id });
  }

  async abort(state: UploadState): Promise<void> {
    const { id, key } = state as State;
    this.#parts.delete(id);
    if (this.#entries.get(key)?.upload === id) this.#entries.delete(key);
  }
}
