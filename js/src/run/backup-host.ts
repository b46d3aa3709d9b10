import { planRestore } from "../catalog/folder.ts";
import { StoreScratch } from "../catalog/scratch.ts";
import { type PackPool, type PackResult, packPool } from "../core/index.ts";
import { PagemarkError } from "../errors/index.ts";
import type { FileName, Reply, Request } from "../host/drive.ts";
import { StoreHost } from "../host/store-host.ts";
import { readerOf, readRuns } from "../moments/page-runs.ts";
import type { ObjectFile } from "../objects/upload.ts";
import type { Moment, PageSource } from "../sources/source.ts";
import { openProvedMoment } from "../stored/proved-moment.ts";
import { openStoredMoment } from "../stored/stored-moment.ts";
import type { Store } from "../stores/store.ts";
import { type JobOptions, sleep, Throttle } from "../streams/progress.ts";

export interface PackOptions extends JobOptions {
  /**
   * Pages a step, after each of which progress is told and `signal` is looked at; -1 leaves it to Pagemark. No step has
   * more than a backup tells in `mostPages`.
   */
  pages?: number;
  /** Reads no faster than this. */
  maxBytesPerSecond?: number;
  /** On Linux, the other threads that pack give way to other processes unless this is set. */
  hurry?: boolean;
}

/** Begins a file of the backup. */
export type CreateFile = (name: FileName, key: string, modified: Date) => Promise<ObjectFile>;

/** So much is packed at once where a source tells which pages changed, in bytes: */
const FEW = 4 << 20;
/** a step then goes past so many pages. */
const PASSED_OVER = 1 << 16;

/** Performs what a backup asks for, on a source and a store. */
export class BackupHost {
  readonly files = new Map<FileName, ObjectFile>();
  /** Size of the pages that were packed, in bytes. */
  packed = 0;
  readonly #source: PageSource | undefined;
  readonly #store: Store;
  readonly #folder: string;
  readonly #storeHost: StoreHost;
  /** `full`: nothing of the last backup is to matter. */
  readonly #options: PackOptions & { full?: boolean };
  readonly #create: CreateFile;
  readonly #throttle: Throttle;
  /** The one that was held last, perhaps not any more. */
  moment: Moment | undefined;
  #pool: PackPool | undefined;
  #buffers: Uint8Array[] = [];
  /** The read before: a moment sees one after the other. */
  #reading: Promise<unknown> = Promise.resolve();
  readonly #frames = new Map<number, Uint8Array>();
  #stored: Moment | undefined;
  /** Whether the fingerprint file is stored: the LTX file of that name is this backup's, too, and nobody else's. */
  #hasName = false;

  constructor(
    { source, store, folder }: { source?: PageSource | undefined; store: Store; folder: string },
    create: CreateFile,
    options: PackOptions & { full?: boolean } = {},
  ) {
    this.#source = source;
    this.#store = store;
    this.#folder = folder;
    this.#storeHost = new StoreHost(store, options.signal);
    this.#create = create;
    this.#options = options;
    this.#throttle = new Throttle(options.maxBytesPerSecond, options.signal);
  }

  async perform(request: Request): Promise<Reply> {
    const { signal } = this.#options;
    this.#storeHost.check(request);
    switch (request.kind) {
      case "pin":
        return this.#pin(request);
      case "readPages":
        return this.#readPages(request.first, request.count);
      case "release":
        return this.moment?.release() as Promise<undefined>;
      case "openStored": {
        const { files, pageSize, pageCount } = request;
        const plan = { files, backup: { view: { pageSize, pageCount } } };
        this.#stored = await openStoredMoment(this.#store, plan, { signal });
        return undefined;
      }
      case "readStored":
        return this.#stored && readerOf(this.#stored, signal)(request.pgno);
      case "closeStored":
        await this.#stored?.release();
        this.#stored = undefined;
        return undefined;
      case "openPackers": {
        const { pageSize, total } = request;
        const pool = await packPool(pageSize, total, this.#options.hurry);
        this.#pool = pool;
        const isToldFew = this.moment?.changed !== undefined && total <= FEW;
        const batch = isToldFew
          ? Math.max(pool.batch, Math.min(PASSED_OVER * pageSize, 2 ** 31))
          : pool.batch;
        return (machine, id) => machine.packers(id, pool.concurrency, batch);
      }
      case "pack":
        return this.#pack(request);
      case "create":
        this.files.set(
          request.file,
          await this.#create(request.file, request.key, new Date(request.modifiedMs)),
        );
        return undefined;
      case "append":
        return this.#file(request.file).write(bytesOf(request)) as Promise<undefined>;
      case "appendPacked":
        return this.#appendPacked(request);
      case "finish": {
        const { sha256, size } = await this.#file(request.file).finish();
        this.#hasName ||= request.file === "fingerprints";
        return (machine, id) => machine.proof(id, sha256, size);
      }
      case "abort":
        return this.files
          .get(request.file)
          ?.abort(this.#hasName && request.file === "ltx") as Promise<undefined>;
      case "wait":
        return sleep(request.ms, signal) as Promise<undefined>;
      case "save":
        return undefined;
      default:
        return this.#storeHost.perform(request);
    }
  }

  /** Lets go of everything. */
  async close(): Promise<void> {
    await this.moment?.release().catch(() => {});
    await this.#stored?.release();
    await this.#pool?.close();
    await this.#storeHost.close();
    for (const file of this.files.values()) file.free?.();
  }

  async #pin({ since, at }: { since?: string; at?: string }): Promise<Reply> {
    if (!this.#source) throw new Error("nothing is backed up here");
    await this.moment?.release().catch(() => {});
    const { signal, full } = this.#options;
    const scratch = new StoreScratch(this.#store, this.#folder);
    const openPrevious = async () =>
      openProvedMoment(this.#store, await planRestore(this.#store, this.#folder, "latest", { signal }), {
        signal,
      });
    const previous = full ? undefined : openPrevious;
    const moment = await this.#source.pin({ since, at, scratch, previous, signal });
    this.moment = moment;
    const { pageSize, pageCount, taken, mark, bookmark, checksum, checksumBefore, beyond = 0 } = moment;
    const { place, file, bornMs } = moment.identity ?? {};
    const said = [mark, bookmark, checksum, checksumBefore, place, file];
    return (machine, id) =>
      machine.pinned(id, pageSize, pageCount, taken !== "start", beyond, bornMs, said, moment.changed);
  }

  async #readPages(first: number, count: number): Promise<Uint8Array> {
    const moment = this.#pinned();
    const pages = new Uint8Array(count * moment.pageSize);
    await moment.read(first, pages, this.#options.signal);
    return pages;
  }

  async #pack({ id, numbers = new Uint32Array(), bytes: previous }: Request): Promise<Uint8Array> {
    const moment = this.#pinned();
    const pool = this.#pool;
    if (!pool) throw new Error("no packers were opened");
    const runs = Array.from({ length: numbers.length / 2 }, (_, index) => {
      return { first: numbers[2 * index] ?? 0, count: numbers[2 * index + 1] ?? 0 };
    });
    const length = moment.pageSize * runs.reduce((sum, { count }) => sum + count, 0);
    const before = this.#reading;
    const read = async () => {
      await before.catch(() => {});
      const buffer = this.#buffers.pop();
      const pages = buffer && buffer.length >= length ? buffer : pool.buffer(length);
      await this.#throttle.take(length);
      await readRuns(moment, runs, pages.subarray(0, length), this.#options.signal);
      return pages;
    };
    const reading = read();
    this.#reading = reading;
    const pages = await reading;
    const { frames, summary }: PackResult = await pool.pack({ runs, pages, ...(previous && { previous }) });
    this.#buffers.push(pages);
    this.packed += length;
    this.#frames.set(id, frames);
    return summary;
  }

  async #appendPacked(request: Request & { kind: "appendPacked" }): Promise<undefined> {
    const { pack, done, total, read } = request;
    const frames = this.#frames.get(pack) ?? new Uint8Array();
    this.#frames.delete(pack);
    await this.#file("ltx").write(frames);
    await this.#file("fingerprints").write(bytesOf(request));
    this.#options.onProgress?.({ phase: "pages", done, total, bytes: read });
  }

  #file(name: FileName): ObjectFile {
    const file = this.files.get(name);
    if (!file) throw new Error(`the file ${name} was not begun`);
    return file;
  }

  #pinned(): Moment {
    if (!this.moment) throw new PagemarkError("INTERNAL", "a page was asked for before a moment was held");
    return this.moment;
  }
}

function bytesOf({ bytes }: Request): Uint8Array {
  return bytes ?? new Uint8Array();
}
