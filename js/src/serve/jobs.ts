// Backups, restores, exports and imports of one file: the jobs that the API lists. They are known as long as this process
// runs; what a backup or a restore leaves is in the store, and nothing half-done stays.
import { withD1Repairs } from "../dump/d1-repairs.ts";
import { dumpSource } from "../dump/dump.ts";
import type { Imported } from "../engine/index.ts";
import {
  type ExportRequest,
  Exports,
  exportOptions,
  type JobDatabase,
  type Reply,
} from "../service/jobs/exports.ts";
import { type ImportRequest, Imports } from "../service/jobs/imports.ts";
import type { JobContext } from "../service/jobs/leases.ts";
import { Machine } from "../service/jobs/machine.ts";
import { type Alarms, JobRunner } from "../service/jobs/runner.ts";
import { type Job, type JobError, type JobSql, JobTable } from "../service/jobs/table.ts";
import { file } from "../sources/file/file.ts";
import { sqlite } from "../sources/file/sqlite.ts";
import type { FolderFiles } from "./job-files.ts";
import type { Looks } from "./look.ts";
import type { Processes } from "./processes.ts";
import { stateOf } from "./state.ts";

/** What the jobs of a file share with those of others. */
export interface JobsPlace {
  readonly files: FolderFiles;
  readonly processes: Processes;
  readonly looks: Looks;
  /** Hears what failed with nobody waiting for it. */
  log(what: string, error: JobError): void;
}

/** An import is at it for so long at most, in milliseconds: it is canceled when nobody polls, long before. */
const IMPORT_MS = 6 * 3_600_000;

export class FileJobs {
  readonly table = new JobTable(inMemory());
  readonly runner: JobRunner;
  readonly #backUp: () => Promise<string>;
  readonly #uuid: string;
  readonly #path: string;
  readonly #place: JobsPlace;
  /** Files that are to go, and when, in milliseconds since 1970. */
  readonly #bin = new Map<string, number>();
  #opening: Promise<{ exports: Exports; imports: Imports }> | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** `backUp` makes a backup of the state that an import leaves, and gives its bookmark. */
  constructor(uuid: string, path: string, place: JobsPlace, backUp: () => Promise<string>) {
    this.#backUp = backUp;
    this.#uuid = uuid;
    this.#path = path;
    this.#place = place;
    this.runner = new JobRunner(this.table, NO_ALARMS, (what, error) => place.log(what, error));
  }

  async export({ bookmark, options, readonly = false }: ExportRequest): Promise<Reply> {
    const { exports } = await this.#opened();
    if (bookmark !== undefined) return exports.poll(bookmark, options);
    return exports.start(options ?? exportOptions({}), readonly);
  }

  async import(request: ImportRequest): Promise<Reply> {
    const { imports } = await this.#opened();
    if (request.action === "init") return imports.init(request.etag);
    if (request.action === "ingest") return imports.ingest(request.filename, request.etag);
    return imports.poll(request.bookmark);
  }

  list(): Job[] {
    return this.table.list();
  }

  /** Ends all that is under way: what waits gets `error`. */
  async stop(error: unknown): Promise<void> {
    clearTimeout(this.#timer);
    await this.runner.stop(error);
  }

  #opened() {
    this.#opening ??= this.#open();
    return this.#opening;
  }

  async #open(): Promise<{ exports: Exports; imports: Imports }> {
    const context: JobContext = {
      table: this.table,
      runner: this.runner,
      machine: await Machine.load(),
      bin: {
        put: (key, _uploadId, dueMs) => void this.#bin.set(key, dueMs),
        keep: (key) => void this.#bin.delete(key),
      },
      plan: () => this.#plan(),
    };
    const host = { uuid: this.#uuid, database: this.#database(), files: this.#place.files };
    return { exports: new Exports(host, context), imports: new Imports(host, context) };
  }

  #plan(): void {
    clearTimeout(this.#timer);
    const times = [this.table.alarmMs(), ...this.#bin.values()].filter((ms) => ms !== undefined);
    if (times.length === 0) return;
    this.#timer = setTimeout(() => void this.#alarm(), Math.max(0, Math.min(...times) - Date.now()));
    this.#timer.unref();
  }

  /** Cancels what nobody polls for, forgets what is old, and deletes what nobody needs. */
  async #alarm(): Promise<void> {
    const { exports, imports } = await this.#opened();
    const now = Date.now();
    for (const row of this.table.due(now)) (row.kind === "export" ? exports : imports).jobs.tick(row);
    for (const [key, dueMs] of this.#bin) {
      if (dueMs > now) continue;
      this.#bin.delete(key);
      await this.#place.files.delete(key).catch(() => {});
    }
    this.#plan();
  }

  #database(): JobDatabase {
    const path = this.#path;
    const { processes, looks } = this.#place;
    return {
      bookmark: () => stateOf(path),
      // The file's own lock holds what is exported, from when its first page is read.
      hold: ({ at }) => ({ bookmark: at, renew() {}, release: () => true, async [Symbol.asyncDispose]() {} }),
      dump: ({ at: _, ...options }) => dumpSource(file(path), options),
      async unknownTable(names) {
        if (names.length === 0) return undefined;
        const { tables } = await looks.at(path);
        const known = new Set(tables.map((name) => name.toLowerCase()));
        return names.find((name) => !known.has(name.toLowerCase()));
      },
      import: async (sql, { signal }) => {
        const imported = await importInto(processes, path, sql, signal);
        // The import is in the file, whatever comes of its backup.
        const bookmark = await this.#backUp().catch(() => undefined);
        return { ...imported, ...(bookmark !== undefined && { bookmark }) };
      },
      size: async () => (await looks.at(path)).size,
    };
  }
}

async function importInto(
  processes: Processes,
  path: string,
  sql: ReadableStream<Uint8Array>,
  signal: AbortSignal,
): Promise<Imported> {
  return processes.use(path, false, async (process) => {
    await process.ask({ what: "import", path }, IMPORT_MS, signal);
    const warnings: string[] = [];
    const chunks = withD1Repairs(sql, (message) => void warnings.push(message));
    for await (const chunk of chunks) await process.ask({ what: "feed", chunk }, IMPORT_MS, signal);
    return {
      ...(await process.ask<Omit<Imported, "warnings">>({ what: "end" }, IMPORT_MS, signal)),
      warnings,
    };
  });
}

/** This process is not cut off as an object is: what began goes on by itself. */
const NO_ALARMS: Alarms = {
  async set() {},
  async setBy() {},
  async setNext() {},
  async drop() {},
};

/** A database in memory, for the table of jobs. */
function inMemory(): JobSql {
  const { DatabaseSync } = sqlite() as NonNullable<ReturnType<typeof sqlite>>;
  const db = new DatabaseSync(":memory:");
  return {
    exec<T>(sql: string, ...bindings: (string | number | null)[]) {
      const rows = db.prepare(sql).all(...bindings) as T[];
      return { toArray: () => rows, one: () => rows[0] as T };
    },
  };
}
