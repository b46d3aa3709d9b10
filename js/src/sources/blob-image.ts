import { SourceError } from "../errors/index.ts";
import { faultOf } from "../opfs/faults.ts";
import { digestOf } from "../opfs/scratch.ts";
import type { OpenImage } from "./source-from.ts";

/** What was read within this time of the beginning is read once more at the end. In milliseconds. */
const AGAIN_MS = 500;
/** So many reads are compared at most. */
const MOST_AGAIN = 4096;

interface Seen {
  offset: number;
  length: number;
  digest: number;
}

/**
 * A database image in a `Blob` or `File`. Behind a `File` may be one that somebody writes to, and not every browser says so:
 * closing fails unless the header is still what it was, and so is what was read first.
 *
 * A commit writes page 1 first and raises its change counter; so one that begins while the image is read shows in the
 * header, and one that was under way when the reading began shows in what was read before it ended.
 */
export class BlobImage implements OpenImage {
  readonly size: number;
  readonly #blob: Blob;
  readonly #name: string;
  readonly #seen: Seen[] = [];
  #started: number | undefined;
  #isGivenUp = false;

  constructor(blob: Blob, name: string) {
    this.#blob = blob;
    this.#name = name;
    this.size = blob.size;
  }

  async read(offset: number, into: Uint8Array, signal?: AbortSignal): Promise<number> {
    signal?.addEventListener("abort", () => this.giveUp(), { once: true });
    // The first read is of the header.
    this.#started ??= performance.now();
    const bytes = await this.#bytes(offset, into.length);
    into.set(bytes);
    const isEarly = performance.now() - this.#started < AGAIN_MS && this.#seen.length < MOST_AGAIN;
    if (isEarly) this.#note(offset, bytes);
    return bytes.length;
  }

  /** What was read will not be used: nothing has to be compared. */
  giveUp(): void {
    this.#isGivenUp = true;
  }

  /** @throws SourceError `SOURCE_CHANGED` when the image was changed since it was opened */
  async close(): Promise<void> {
    for (const { offset, length, digest } of this.#isGivenUp ? [] : this.#seen) {
      const bytes = await this.#bytes(offset, length);
      if (digestOf(bytes) !== digest) throw changed(this.#name);
    }
  }

  #note(offset: number, bytes: Uint8Array): void {
    this.#seen.push({ offset, length: bytes.length, digest: digestOf(bytes) });
  }

  async #bytes(offset: number, length: number): Promise<Uint8Array> {
    try {
      return new Uint8Array(await this.#blob.slice(offset, offset + length).arrayBuffer());
    } catch (error) {
      const fault = faultOf(error);
      if (fault?.kind === "changed") throw changed(this.#name, error);
      if (!fault) throw error;
      const code = fault.kind === "missing" ? "SOURCE_MISSING" : "SOURCE_UNREADABLE";
      const message = `${this.#name}: ${fault.meaning}`;
      throw new SourceError(code, message, { name: this.#name }, { cause: error });
    }
  }
}

/** The error for an image that somebody else changed while it was read. */
function changed(name: string, cause?: unknown): SourceError {
  const message = `${name}: was changed while it was read; try again, preferably when nobody writes to it`;
  return new SourceError("SOURCE_CHANGED", message, { name }, { cause });
}
