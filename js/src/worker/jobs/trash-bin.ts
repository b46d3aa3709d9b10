import { PagemarkError } from "../../errors/index.ts";
import { Calls } from "../../stores/r2-calls.ts";
import { isTransient } from "../../stores/r2-errors.ts";
import type { JobTable, Trash } from "./job-table.ts";

/** After how long a deletion that failed is tried again, in milliseconds. */
const AGAIN_MS = 60_000;

/** Five attempts within some three seconds. */
const PATIENCE = { attempts: 5, delay: 200, timeout: 30_000 };

/** R2's calls, as everything of jobs makes them. */
export function callsOf(bucket: R2Bucket): Calls {
  return new Calls(bucket, PATIENCE);
}

/** Deletes from the bucket what jobs leave there. What is to go is in the table first, so that it goes in the end. */
export class TrashBin {
  readonly #table: JobTable;
  readonly #bucket: R2Bucket;
  #emptying: Promise<void> | undefined;

  constructor(table: JobTable, bucket: R2Bucket) {
    this.#table = table;
    this.#bucket = bucket;
  }

  /** Deletes what is due; never fails, but has it tried again later. */
  empty(now: number): Promise<void> {
    this.#emptying ??= this.#deleteAll(now).finally(() => {
      this.#emptying = undefined;
    });
    return this.#emptying;
  }

  /** Deletes all of it, whenever it is due. @throws PagemarkError when some of it is still there; it stays noted down */
  async emptyAll(): Promise<void> {
    for (let left = this.#table.countTrash(), before = left + 1; left > 0; ) {
      if (left === before)
        throw new PagemarkError("STORE_UNAVAILABLE", `${left} objects could not be deleted`);
      await this.empty(Number.MAX_SAFE_INTEGER);
      before = left;
      left = this.#table.countTrash();
    }
  }

  async #deleteAll(now: number): Promise<void> {
    for (const trash of this.#table.trash(now)) {
      try {
        // It may have been asked for again meanwhile.
        if (!this.#table.isTrash(trash.key, now)) continue;
        await this.#delete(trash);
        this.#table.removeTrash(trash.key, now);
      } catch {
        this.#table.addTrash(trash.key, trash.uploadId, Date.now() + AGAIN_MS);
      }
    }
  }

  async #delete({ key, uploadId }: Trash): Promise<void> {
    const calls = callsOf(this.#bucket);
    if (uploadId !== null) {
      await calls.run({ doing: "delete", key }, async (bucket) => {
        try {
          await bucket.resumeMultipartUpload(key, uploadId).abort();
        } catch (error) {
          // One that has ended, or was never heard of, is no harm.
          if (isTransient(error)) throw error;
        }
      });
    }
    await calls.run({ doing: "delete", key }, (bucket) => bucket.delete(key));
  }
}
