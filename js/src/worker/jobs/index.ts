import type { DurableObjectStorageLike } from "../../engine/durable-object-tables.ts";
import { discardExport, Exports, type JobHost, type Told } from "./exports.ts";
import { discardImport, Imports } from "./imports.ts";
import { JobTable } from "./job-table.ts";
import { Machine } from "./machine.ts";
import { type ExportRequest, exportOptions, type ImportRequest } from "./requests.ts";
import type { Shop } from "./runner.ts";
import { TrashBin } from "./trash-bin.ts";

export type { JobFile, Told } from "./exports.ts";
export { UPLOAD_MS } from "./imports.ts";
export type { Answer, JobAnswer } from "./machine.ts";
export { type ExportOptions, type ExportRequest, exportOptions, type ImportRequest } from "./requests.ts";

/** The object whose jobs they are. */
export interface JobsHost extends JobHost {
  readonly storage: DurableObjectStorageLike;
  /** Calls `alarm()` at a time, in milliseconds since 1970, or before. */
  wake(at: number): void;
}

/**
 * The exports and imports of one database, in its object. What they need to go on is in the object's storage, so
 * opening them takes over what an object that was evicted has left: open them before anybody writes.
 */
export class PolledJobs {
  readonly #host: JobsHost;
  readonly #table: JobTable;
  readonly #bin: TrashBin;
  readonly #exports: Exports;
  readonly #imports: Imports;
  /** When `alarm()` will be called. */
  #planned: number | undefined;

  /** Whether an object that is gone has left any under way: then open them before anything else. */
  static areActive({ sql }: DurableObjectStorageLike): boolean {
    const exists = "SELECT 1 FROM sqlite_master WHERE name = 'pagemark_polled_jobs'";
    const active = "SELECT 1 FROM pagemark_polled_jobs WHERE active LIMIT 1";
    return [exists, active].every((look) => [...sql.exec(look).raw()].length > 0);
  }

  static async open(host: JobsHost): Promise<PolledJobs> {
    const jobs = new PolledJobs(host, await Machine.load());
    jobs.#exports.runner.resume();
    jobs.#imports.runner.resume();
    return jobs;
  }

  private constructor(host: JobsHost, machine: Machine) {
    this.#host = host;
    this.#table = new JobTable(host.storage);
    this.#bin = new TrashBin(this.#table, host.bucket);
    const shop: Shop = { table: this.#table, machine, plan: () => this.#plan() };
    this.#exports = new Exports(host, shop);
    this.#imports = new Imports(host, shop);
    this.#plan();
  }

  /** Begins an export of the newest state, and answers at once; or tells, after a second or when it has ended. */
  async export({ bookmark, options, readonly = false }: ExportRequest): Promise<Told> {
    if (bookmark !== undefined) return this.#exports.poll(bookmark, options);
    return this.#exports.start(options ?? exportOptions({}), readonly);
  }

  /** A step of an import. @throws PagemarkError `IMPORT_UPLOAD` */
  async import(request: ImportRequest): Promise<Told> {
    if (request.action === "init") return this.#imports.init(request.etag);
    if (request.action === "ingest") return this.#imports.ingest(request.filename, request.etag);
    return this.#imports.poll(request.bookmark);
  }

  /** Whether an import has the database to itself. */
  get isImporting(): boolean {
    return this.#table.active("import").length > 0;
  }

  /** Cancels what nobody polls for, forgets what is old, and deletes what is left of it. Gives when to call it next. */
  async alarm(): Promise<number | undefined> {
    this.#planned = undefined;
    for (const row of this.#table.due(Date.now())) {
      const { runner } = row.kind === "export" ? this.#exports : this.#imports;
      runner.tick(row);
    }
    await this.#bin.empty(Date.now());
    this.#planned = this.#table.alarm();
    return this.#planned;
  }

  /** Stops all work. */
  async close(): Promise<void> {
    await Promise.all([this.#exports.runner.close(), this.#imports.runner.close()]);
  }

  /**
   * Gives up all jobs that an object has, of which none may be running, and deletes what there is of them in the bucket,
   * also what was uploaded and never imported.
   *
   * @throws PagemarkError when some of it is still there, for another time
   */
  static async discardAll(storage: DurableObjectStorageLike, bucket: R2Bucket): Promise<void> {
    const table = new JobTable(storage);
    for (const row of table.all()) {
      (row.kind === "export" ? discardExport : discardImport)(table, row);
      table.remove(row.id);
    }
    await new TrashBin(table, bucket).emptyAll();
  }

  #plan(): void {
    const at = this.#table.alarm();
    if (at === undefined || (this.#planned !== undefined && this.#planned <= at)) return;
    this.#planned = at;
    this.#host.wake(at);
  }
}
