import { type Core, core, free } from "../core/index.ts";
import type { StoreUploads, UploadState } from "../stores/store.ts";
import { Chunks } from "./chunks.ts";
import type { ObjectFile, ObjectProof } from "./upload.ts";

/** An object that is written by many processes, one after the other, between two of these. */
export interface ResumableState {
  upload: UploadState;
  /** In bytes, of all that was written. */
  size: number;
  /** SHA-256 of it, as far as it is. */
  hash: Uint8Array;
  /** What does not fill a part yet. */
  pending: Uint8Array[];
}

/** Writes such an object: what fills a part goes to the store, the rest into the state. */
export class ResumableObject implements ObjectFile {
  readonly #uploads: StoreUploads;
  readonly #hash: InstanceType<Core["Sha256"]>;
  readonly #pending: Chunks;
  readonly #signal: AbortSignal | undefined;
  /** Stored by this process. */
  parts = 0;
  #upload: UploadState;
  #size: number;

  static async start(
    uploads: StoreUploads,
    key: string,
    modified: Date,
    signal?: AbortSignal,
  ): Promise<ResumableObject> {
    const { Sha256 } = await core();
    const state = { upload: await uploads.start(key, { modified }), size: 0, pending: [] };
    return new ResumableObject(uploads, state, new Sha256(), signal);
  }

  /** @throws DamageError `SAVED_STATE` */
  static async resume(
    uploads: StoreUploads,
    state: ResumableState,
    signal?: AbortSignal,
  ): Promise<ResumableObject> {
    const { Sha256 } = await core();
    return new ResumableObject(uploads, state, Sha256.resume(state.hash), signal);
  }

  private constructor(
    uploads: StoreUploads,
    { upload, size, pending }: Omit<ResumableState, "hash">,
    hash: InstanceType<Core["Sha256"]>,
    signal: AbortSignal | undefined,
  ) {
    this.#uploads = uploads;
    this.#upload = upload;
    this.#size = size;
    this.#hash = hash;
    this.#signal = signal;
    this.#pending = new Chunks(pending);
  }

  /** Stores the parts that are full. The bytes are freed. */
  async write(bytes: Uint8Array): Promise<void> {
    this.#size += bytes.length;
    this.#hash.update(bytes);
    this.#pending.append(bytes);
    free(bytes);
    while (this.#pending.length >= this.#uploads.partSize) {
      const part = this.#pending.take(this.#uploads.partSize);
      this.#upload = await this.#uploads.append(this.#upload, part, { signal: this.#signal });
      this.parts++;
      free(part);
    }
  }

  async finish(): Promise<ObjectProof> {
    const rest = this.#pending.take(this.#pending.length);
    await this.#uploads.finish(this.#upload, rest);
    free(rest);
    this.parts += Math.floor(this.#size / this.#uploads.partSize);
    return { sha256: this.#hash.digest(), size: this.#size };
  }

  async abort(): Promise<void> {
    await this.#uploads.abort(this.#upload);
  }

  save(): ResumableState {
    return {
      upload: this.#upload,
      size: this.#size,
      hash: this.#hash.save(),
      pending: this.#pending.save(),
    };
  }

  free(): void {
    this.#hash.free();
  }
}
