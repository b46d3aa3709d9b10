import type { DumpOptions } from "../../dump/options.ts";
import type { Hold, Imported } from "../../engine/index.ts";
import { PagemarkError } from "../../errors/index.ts";
import { type JobContext, LeasedJobs } from "./leases.ts";
import type { Answer, JobResult } from "./machine.ts";
import { paced, Semaphore } from "./pace.ts";
import type { Run } from "./runner.ts";
import type { JobRow, LeasedRow, StoredPart } from "./table.ts";

/** What to tell a client, with the file to link to: a signed URL is for others to make. */
export interface Reply {
  /** Left out when there is nothing but a place to upload to. */
  answer?: Answer;
  file?: JobFile;
}

/** An object in the bucket, and the name that a client may save it under. */
export interface JobFile {
  key: string;
  filename: string;
}

/** What jobs need of the database whose they are. */
export interface JobHost {
  /** Begins the names of files. */
  readonly uuid: string;
  readonly database: JobDatabase;
  readonly files: OutputFiles;
}

export interface JobDatabase {
  /** Names the newest state; another one for another state. */
  bookmark(): string;
  /** Keeps that state readable while it is exported. */
  hold(options: { at: string; leaseMs: number }): Hold;
  /** A state that is held, as SQL. */
  dump(options: DumpOptions & { at: string }): Promise<ReadableStream<Uint8Array>>;
  /** The first of the names that no table has. */
  unknownTable(names: readonly string[]): string | undefined | Promise<string | undefined>;
  /** Runs SQL in one transaction; may give a bookmark of the state after it, where {@link bookmark} has none to go back to. */
  import(
    sql: ReadableStream<Uint8Array>,
    options: { signal: AbortSignal },
  ): Promise<Imported & { bookmark?: string }>;
  /** In bytes. */
  size(): number | Promise<number>;
}

/** Where the files of jobs are. */
export interface OutputFiles {
  find(key: string): Promise<{ size: number; etag: string } | undefined>;
  get(key: string, options: { signal: AbortSignal }): Promise<ReadableStream<Uint8Array>>;
  /** Writes a file of unknown length, to be saved as `filename`, and gives its length. */
  write(
    key: string,
    filename: string,
    chunks: AsyncIterable<Uint8Array>,
    notes: OutputNotes,
    signal: AbortSignal,
  ): Promise<number>;
}

/** What is known of an output that was begun before and cut off, and takes note of how it goes on. */
export interface OutputNotes {
  readonly uploadId: string | undefined;
  readonly parts: readonly StoredPart[];
  begun(uploadId: string): void;
  stored(part: StoredPart): void;
  /** So many parts are stored now, of so many bytes in all. */
  uploaded(number: number, bytes: number): void;
}

/** Options of an export, in one form for all ways to say the same. */
export interface ExportOptions {
  /** Sorted, each once; none for all. */
  tables: string[];
  noData: boolean;
  noSchema: boolean;
  compatibility: "d1" | "sqlite3_cli_only";
}

/** The options as they are compared and remembered. */
export function exportOptions(
  given: { [Name in keyof ExportOptions]?: ExportOptions[Name] | undefined },
): ExportOptions {
  const { tables = [], noData = false, noSchema = false, compatibility = "d1" } = given;
  return { tables: [...new Set(tables)].sort(), noData, noSchema, compatibility };
}

/** Begins an export, or with the bookmark of one polls it. */
export interface ExportRequest {
  bookmark?: string | undefined;
  /** Options of a poll: they tell apart two exports of one state. */
  options?: ExportOptions | undefined;
  /** Who may only read has fewer of them. */
  readonly?: boolean | undefined;
}

/** All it takes to go on with an export after an eviction. */
interface Request {
  options: ExportOptions;
  /** Key of the output. */
  key?: string;
  uploadId?: string;
  /** How often the work was begun: an object that it brings down each time must not try for ever. */
  attempts?: number;
}

/** More that are under way are refused, in the words of D1. Who may only read has half of them. */
const MOST_ACTIVE = 16;
/** With those that ended during the last hour, whose files are still there. Who may only read has half of them. */
const MOST_KEPT = 64;
/** How the label of an export begins, by who wants it. */
const SCOPES = ["all:", "read:"] as const;
/** So many run at once: each has two parts of 5 MiB in memory. */
const MOST_WRITERS = 3;
const MOST_ATTEMPTS = 20;
/** How long the pin lasts, in milliseconds, should it not end with the work. */
const HOLD_MS = 3_600_000;

/** Exports: each a dump of one pinned state, into an object that is there for an hour. */
export class Exports {
  readonly #host: JobHost;
  readonly #context: JobContext;
  readonly #writers = new Semaphore(MOST_WRITERS);
  readonly jobs: LeasedJobs;

  constructor(host: JobHost, context: JobContext) {
    this.#host = host;
    this.#context = context;
    this.jobs = new LeasedJobs(context, {
      kind: "export",
      work: (row, run) => this.#work(row, run),
      discard: (row) => discardExport(context, row),
    });
  }

  /** Exports the newest state, or tells of the job that does so already. */
  async start(options: ExportOptions, readonly: boolean): Promise<Reply> {
    const unknown = await this.#host.database.unknownTable(options.tables);
    // From here on nothing is waited for: the state is held in the turn in which it is the newest.
    const bookmark = this.#host.database.bookmark();
    const same = this.#find(bookmark, options);
    if (same) return this.#reply(same.id, this.jobs.join(same));
    if (this.#isFull(readonly)) return { answer: this.jobs.refuse("busy") };
    if (unknown !== undefined) return { answer: noSuchTable(bookmark, unknown) };
    const request: Request = { options };
    return { answer: this.jobs.begin({ bookmark, label: this.#label(options, readonly), request }) };
  }

  #isFull(readonly: boolean): boolean {
    const [all, read] = SCOPES;
    const active = this.#context.table.active("export");
    if (active.length >= MOST_ACTIVE || this.#context.table.count("export", "") >= MOST_KEPT) return true;
    if (!readonly) return false;
    const own = active.filter(({ label }) => !label.startsWith(all));
    return own.length >= MOST_ACTIVE / 2 || this.#context.table.count("export", read) >= MOST_KEPT / 2;
  }

  /** What tells exports of one state apart. Short, whatever tables were named. */
  #label(options: ExportOptions, readonly: boolean): string {
    return `${SCOPES[readonly ? 1 : 0]}${this.#context.machine.digest(JSON.stringify(options))}`;
  }

  /** Polls the export of a state. Its options are remembered; they only tell apart two exports of one state. */
  async poll(bookmark: string, options?: ExportOptions): Promise<Reply> {
    const own = options && this.#find(bookmark, options);
    const unknown = own ? undefined : await this.#host.database.unknownTable(options?.tables ?? []);
    if (unknown !== undefined) return { answer: noSuchTable(bookmark, unknown) };
    const row = own ?? this.#context.table.at("export", bookmark)[0];
    if (!row) return { answer: this.jobs.refuse("unknown") };
    return this.#reply(row.id, await this.jobs.poll(row.id));
  }

  #find(bookmark: string, options: ExportOptions): LeasedRow | undefined {
    const labels = [false, true].map((readonly) => this.#label(options, readonly));
    return this.#context.table.at("export", bookmark).find(({ label }) => labels.includes(label));
  }

  #reply(id: string, answer: Answer): Reply {
    const { key } = this.#request(id);
    const isComplete = answer.success && answer.status === "complete";
    return isComplete && key
      ? { answer, file: { key, filename: answer.result?.filename ?? "" } }
      : { answer };
  }

  /** Begins with pinning, in the same turn in which the bookmark was the newest. */
  async #work({ id, bookmark, request }: LeasedRow, run: Run): Promise<JobResult> {
    const { signal } = run;
    const { database, uuid } = this.#host;
    await using hold = database.hold({ at: bookmark, leaseMs: HOLD_MS });
    // At once, also when a call to the bucket takes its time to end.
    signal.addEventListener("abort", () => hold.release(), { once: true });
    const filename = `${uuid}-${bookmark}.sql`;
    const made = `exports/${uuid}-${bookmark}.${crypto.randomUUID().slice(0, 8)}.sql`;
    const { key = made, attempts = 0 } = request as Request;
    if (attempts >= MOST_ATTEMPTS) {
      throw new PagemarkError("JOB_INTERRUPTED", `the export was interrupted ${MOST_ATTEMPTS} times`);
    }
    this.#context.table.note(id, { key, attempts: attempts + 1 });
    try {
      await this.#writers.run(signal, () => this.#write(id, key, filename, hold, run));
      signal.throwIfAborted();
    } catch (error) {
      // Whoever stopped it may have looked before the last call had ended.
      if (signal.aborted) this.#context.bin.put(key, this.#request(id).uploadId ?? null, Date.now());
      throw error;
    }
    return { filename };
  }

  async #write(id: string, key: string, filename: string, hold: Hold, run: Run): Promise<void> {
    const { options, uploadId } = this.#request(id);
    const { tell, signal, progress } = run;
    if (uploadId === undefined) tell(`Generating ${filename}`);
    const sql = await this.#host.database.dump({
      at: hold.bookmark,
      dialect: options.compatibility === "sqlite3_cli_only" ? "sqlite3-cli" : "d1",
      tables: options.tables,
      noData: options.noData,
      noSchema: options.noSchema,
      signal,
      onWarning: tell,
    });
    const chunks = paced(sql, signal);
    const notes = {
      uploadId,
      parts: this.#context.table.parts(id),
      begun: (uploadId: string) => this.#context.table.note(id, { uploadId }),
      stored: (part: StoredPart) => this.#context.table.savePart(id, part),
      uploaded: (number: number, bytes: number) => {
        hold.renew();
        tell(`Uploaded part ${number}`);
        progress("sql", bytes, 0);
      },
    };
    try {
      const size = await this.#host.files.write(key, filename, chunks, notes, signal);
      progress("sql", size, size);
    } finally {
      // The dump has a pin of its own.
      await chunks.return(undefined);
    }
  }

  #request(id: string): Request {
    return (this.#context.table.row(id)?.request ?? {}) as Request;
  }
}

/** Schedules the objects of an export in the bucket for deletion. */
export function discardExport({ table, bin }: Pick<JobContext, "table" | "bin">, row: JobRow): void {
  const { key, uploadId } = row.request as Request;
  if (key === undefined) return;
  bin.put(key, uploadId ?? null, Date.now());
  table.removeParts(row.id);
  table.note(row.id, { key: null, uploadId: null, attempts: null });
}

/** The answer to an export of which nothing is kept. */
function noSuchTable(bookmark: string, name: string): Answer {
  const error = `the database has no table ${JSON.stringify(name)}; leave the names out for all tables`;
  return { success: true, type: "export", at_bookmark: bookmark, status: "error", messages: [], error };
}
