import type { At } from "../backups/backups.ts";
import type { Restored } from "../backups/database.ts";
import type { Verification } from "../backups/verify.ts";
import type { Backup } from "../catalog/folder.ts";
import { checkOptions, checkText, PagemarkError } from "../errors/index.ts";
import { errorOf } from "../errors/thrown.ts";
import type { BackupOptions } from "../run/backup.ts";
import type { NewBackup } from "../run/made.ts";
import type { OpfsOptions } from "../sources/opfs/opfs.ts";
import type { JobOptions } from "../streams/progress.ts";
import type { FileFormat } from "./save.ts";
import { StartedWorker } from "./started-worker.ts";
import type { Answer, Subject, Work } from "./worker.ts";

export interface BackgroundOptions extends OpfsOptions {
  /** The database is one of wa-sqlite's in IndexedDB, not in the private files: `true`, or the name of the IndexedDB database. */
  indexedDb?: true | string;
  /**
   * Folder of the backups in the origin's private files, `backups` unless given; or the address of a store of a Pagemark Worker or
   * `pagemark serve`: `https://pagemark.example.workers.dev/store/app`.
   */
  store?: string;
  /** What opens the store at such an address. */
  token?: string;
  /** What the database is called in the store; the file's name without its ending unless given. */
  name?: string;
  /** A worker of your own that imports `pagemark/browser/worker`, where a bundler does not find ours by itself. */
  worker?: Worker;
}

/** What a job in the background may be told. */
export interface BackgroundJob extends JobOptions {
  onWarning?: ((text: string) => void) | undefined;
}

/** What is written into a file. */
export interface FileOptions extends BackgroundJob {
  /** A backup; the database as it is now unless given. */
  at?: At;
  /** `sqlite3`: a database file. `sql`: statements that make it. */
  format?: FileFormat;
}

interface Waiting extends BackgroundJob {
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/**
 * A database in the origin's private files with its backups there, for a page: all work is done in a worker, which is
 * started at once and ends with {@link BackgroundDatabase.close}, or with the page.
 *
 * @example
 * ```ts
 * import { inBackground } from "pagemark/browser";
 * const db = inBackground("app.db");
 * await db.backup({ onProgress: ({ done, total }) => bar.set(done / total) });
 * ```
 */
export function inBackground(database: string, options: BackgroundOptions = {}): BackgroundDatabase {
  return new BackgroundDatabase(database, options);
}

/** See {@link inBackground}. */
export class BackgroundDatabase {
  readonly #worker: StartedWorker;
  readonly #subject: Subject;
  readonly #waiting = new Map<number, Waiting>();
  #calls = 0;
  #failure: PagemarkError | undefined;

  constructor(database: string, options: BackgroundOptions) {
    const { store = "backups", worker, ...more } = checkOptions(options);
    checkText(database, "the database's path");
    checkText(
      store,
      "store (a folder's path, or the address of a Worker's store: a worker is given no other)",
    );
    this.#subject = { database, store, ...more };
    this.#worker = new StartedWorker(
      "worker",
      worker,
      () => new Worker(new URL("../entry/browser-worker.js", import.meta.url), { type: "module" }),
      async () => (await import("./inline-worker.ts")).script,
      { hear: (answer: Answer) => this.#hear(answer), fail: (error) => this.#fail(error) },
    );
  }

  /** Makes a backup: see {@link BackupOptions}. */
  backup(options: BackupOptions & BackgroundJob = {}): Promise<NewBackup> {
    const { signal, onProgress, ...plain } = options;
    return this.#call("backup", plain, options);
  }

  /** The backups, newest first. */
  backups(options: BackgroundJob = {}): Promise<Backup[]> {
    return this.#call("list", undefined, options);
  }

  /** Restores the newest backup, or that of a moment; a backup of what it replaces is made first, unless `safety` is false. */
  restore(options: BackgroundJob & { at?: At; safety?: boolean } = {}): Promise<Restored> {
    const { at, safety } = options;
    return this.#call("restore", { at: textOf(at), ...(safety !== undefined && { safety }) }, options);
  }

  /** Reads a backup, and all it needs, and proves it. */
  verify(options: BackgroundJob & { at?: At } = {}): Promise<Verification> {
    return this.#call("verify", { at: textOf(options.at) }, options);
  }

  /** A backup as a database file. */
  download(options: BackgroundJob & { at?: At } = {}): Promise<ReadableStream<Uint8Array>> {
    return this.#call("download", { at: textOf(options.at) }, options);
  }

  /** The database as it is now, as a SQLite file: one moment of it, of which nothing is stored. */
  export(options: BackgroundJob = {}): Promise<ReadableStream<Uint8Array>> {
    return this.#call("export", undefined, options);
  }

  /** The database as SQL, or a backup of it. */
  dump(options: BackgroundJob & { at?: At } = {}): Promise<ReadableStream<Uint8Array>> {
    return this.#call("dump", { at: textOf(options.at) }, options);
  }

  /**
   * Writes the database as it is now, or the backup of `at`, into a file that the user picked with `showSaveFilePicker()`; as
   * its name ends, unless `format` says it. What was in the file stays until all is written.
   *
   * @returns how many bytes were written
   */
  saveAs(file: FileSystemFileHandle, options: FileOptions = {}): Promise<number> {
    const { at, format = formatOf(file.name) } = options;
    return this.#call("file", { at: textOf(at), format, target: file }, options);
  }

  /** The same as a `Blob`, for a link to download it by; the browser keeps large ones on the disk. */
  asBlob(options: FileOptions = {}): Promise<Blob> {
    const { at, format = "sqlite3" } = options;
    return this.#call("file", { at: textOf(at), format }, options);
  }

  /**
   * Puts a database file that the user picked in the database's place, once it is proved whole; a backup of what is there is made
   * first, unless `safety` is false.
   */
  replace(file: Blob, options: BackgroundJob & { safety?: boolean } = {}): Promise<void> {
    const { safety = true } = options;
    return this.#call("replace", { file, safety }, options);
  }

  /** Deletes a backup. */
  delete(id: string, options: BackgroundJob = {}): Promise<Backup> {
    return this.#call("delete", { id }, options);
  }

  /** Ends the worker; what it was doing fails with `WORKER_CLOSED`, and leaves nothing half-done. */
  close(): void {
    this.#worker.terminate();
    this.#fail(new PagemarkError("WORKER_CLOSED", "the worker was closed; call inBackground() again"));
  }

  #call<T, M extends keyof Work>(method: M, options: Work[M], job: BackgroundJob): Promise<T> {
    const { signal, onProgress, onWarning } = job;
    if (this.#failure) return Promise.reject(this.#failure);
    if (signal?.aborted) return Promise.reject(signal.reason);
    const id = ++this.#calls;
    return new Promise<T>((resolve, reject) => {
      const onAbort = () => {
        this.#worker.post({ id, abort: true });
      };
      const end = () => {
        signal?.removeEventListener("abort", onAbort);
        this.#waiting.delete(id);
      };
      this.#waiting.set(id, {
        onProgress,
        onWarning,
        resolve(value) {
          end();
          resolve(value as T);
        },
        reject(error) {
          end();
          reject(signal?.aborted ? signal.reason : error);
        },
      });
      signal?.addEventListener("abort", onAbort);
      this.#worker.post({ id, subject: this.#subject, method, options });
    });
  }

  #hear(answer: Answer): void {
    const waiting = this.#waiting.get(answer.id);
    if (!waiting) return;
    if ("progress" in answer) waiting.onProgress?.(answer.progress);
    else if ("warning" in answer) waiting.onWarning?.(answer.warning);
    else if ("thrown" in answer) waiting.reject(errorOf(answer.thrown));
    else waiting.resolve(answer.value);
  }

  #fail(error: PagemarkError): void {
    this.#failure ??= error;
    for (const { reject } of [...this.#waiting.values()]) reject(error);
  }
}

/** By the ending of a file's name. */
function formatOf(name: string): FileFormat {
  const kind = /\.sql(\.gz)?$/.test(name) ? "sql" : "sqlite3";
  return name.endsWith(".gz") ? `${kind}.gz` : kind;
}

function textOf(at: At | undefined): string | undefined {
  return at instanceof Date ? at.toISOString() : at;
}
