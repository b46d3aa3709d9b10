import { SourceError } from "../errors/index.ts";
import type { Moment, PinOptions, SourceIdentity } from "../sources/source.ts";
import type { Handle } from "./handle.ts";

/** Time that a state is held after it was last read, in milliseconds. */
const LEASE_MS = 60_000;

/** A pinned state of a database. Reading prolongs the pin; a pin that is neither read nor released ends. */
export class EngineMoment implements Moment {
  readonly taken = "start";
  readonly pageSize: number;
  readonly pageCount: number;
  readonly mark: string;
  readonly bookmark: string;
  readonly checksum: string;
  readonly changed?: Uint32Array;
  readonly checksumBefore?: string;
  readonly identity: SourceIdentity;
  readonly #handle: Handle;
  readonly #pin: number;
  #released = false;

  constructor(handle: Handle, at: string, { since }: PinOptions = {}) {
    const now = Date.now();
    const database = handle.engine;
    const { id, pageSize, pageCount, bookmark, txid, checksum } = database.pin(at, LEASE_MS, now);
    this.#handle = handle;
    this.#pin = id;
    this.pageSize = pageSize;
    this.pageCount = pageCount;
    this.bookmark = bookmark;
    this.checksum = checksum;
    this.identity = { file: database.lineage };
    this.mark = [txid, bookmark, handle.session, checksum].join(" ");
    const [before = "", then = "", session, checksumThen] = since?.split(" ") ?? [];
    // Without it, a backup finds out by reading every page.
    if (checksumThen !== undefined && before <= txid && handle.wentThrough(session, then)) {
      this.changed = database.changedSince(id, before, now);
      this.checksumBefore = checksumThen;
    }
  }

  async read(first: number, into: Uint8Array, signal?: AbortSignal): Promise<void> {
    const count = into.length / this.pageSize;
    const isWithin = Number.isInteger(first) && first >= 1 && first + count <= this.pageCount + 1;
    const isWhole = isWithin && Number.isInteger(count);
    const pages = new Uint32Array(isWhole ? count : 0);
    for (let at = 0; at < pages.length; at++) pages[at] = first + at;
    this.#read(first, isWhole && pages, into, signal);
  }

  async readThese(pages: Uint32Array, into: Uint8Array, signal?: AbortSignal): Promise<void> {
    const isWhole = into.length === pages.length * this.pageSize;
    const isWithin = pages.every((page) => page >= 1 && page <= this.pageCount);
    this.#read(pages[0] ?? 0, isWhole && isWithin && pages, into, signal);
  }

  /** `pages` is false when they are not pages of this moment, or not as many as `into` holds. */
  #read(first: number, pages: Uint32Array | false, into: Uint8Array, signal: AbortSignal | undefined): void {
    signal?.throwIfAborted();
    const { name } = this.#handle;
    const at = { name, page: first };
    if (this.#released) {
      throw new SourceError("SOURCE_RELEASED", `${name}: the moment was already released`, at);
    }
    if (!pages) {
      const message = `${into.length} bytes from page ${first} are not whole pages of the ${this.pageCount} there are`;
      throw new SourceError("SOURCE_RANGE", message, at);
    }
    const now = Date.now();
    const { engine } = this.#handle;
    engine.renew(this.#pin, LEASE_MS, now);
    engine.readPages(this.#pin, pages, into, now);
  }

  async release(): Promise<void> {
    if (this.#released) return;
    this.#released = true;
    // Pins end with the database.
    if (!this.#handle.isClosed) this.#handle.engine.release(this.#pin, Date.now());
  }
}
