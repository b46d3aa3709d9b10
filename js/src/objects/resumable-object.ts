import { type Core, core, free } from "../core/index.ts";
import type { StoreUploads, UploadState } from "../stores/store.ts";
import { Pieces } from "./chunks.ts";
import type { ObjectProof } from "./upload.ts";

/** An object that is written by many processes, one after the other, between two of these. */
export interface PartedState {
  upload: UploadState;
  /** In bytes, of all that was written. */
  size: number;
  /** SHA-256 of it, as far as it is. */
  hash: Uint8Array;
  /** What does not fill a part yet. */
  pending: Uint8Array[];
}

/** Writes such an object: what fills a part goes to the store, the rest into the state. */
export class PartedObject {
  readonly #uploads: StoreUploads;
  readonly #hash: InstanceType<Core["Sha256"]>;
  readonly #pending: Pieces;
  #upload: UploadState;
  #size: number;

  static async start(uploads: StoreUploads, key: string, modified: Date): Promise<PartedObject> {
    const { Sha256 } = await core();
    const state = { upload: await uploads.start(key, { modified }), size: 0, pending: [] };
    return new PartedObject(uploads, state, new Sha256());
  }

  /** @throws DamageError `SAVED_STATE` */
  static async resume(uploads: StoreUploads, state: PartedState): Promise<PartedObject> {
    const { Sha256 } = await core();
    return new PartedObject(uploads, state, Sha256.resume(state.hash));
  }

  private constructor(
    uploads: StoreUploads,
    { upload, size, pending }: Omit<PartedState, "hash">,
    hash: InstanceType<Core["Sha256"]>,
  ) {
    this.#uploads = uploads;
    this.#upload = upload;
    this.#size = size;
    this.#hash = hash;
    this.#pending = new Pieces(pending);
  }

  /** Whether there is a part to {@link flush}. */
  get isFull(): boolean {
    return this.#pending.length >= this.#uploads.partSize;
  }

  write(bytes: Uint8Array): void {
    this.#size += bytes.length;
    this.#hash.update(bytes);
    this.#pending.append(bytes);
  }

  /** Stores the parts that are full; how many there were. */
  async flush(signal: AbortSignal | undefined): Promise<number> {
    let parts = 0;
    for (; this.isFull; parts++) {
      const part = this.#pending.take(this.#uploads.partSize);
      this.#upload = await this.#uploads.append(this.#upload, part, { signal });
      free(part);
    }
    return parts;
  }

  /** Makes the object of all that was written. */
  async finish(): Promise<ObjectProof> {
    const rest = this.#pending.take(this.#pending.length);
    await this.#uploads.finish(this.#upload, rest);
    free(rest);
    return { sha256: this.#hash.digest(), size: this.#size };
  }

  save(): PartedState {
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
