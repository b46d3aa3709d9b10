import type { Database, Hold } from "../../engine/index.ts";
import { PagemarkError } from "../../errors/index.ts";
import type { JobRow, JobTable } from "./job-table.ts";
import type { Answer } from "./machine.ts";
import { type StoredPart, writeOutput } from "./output.ts";
import { Lanes, paced } from "./pace.ts";
import type { ExportOptions } from "./requests.ts";
import { JobRunner, type Run, type Shop } from "./runner.ts";

/** What to tell a client, with the file to link to: a signed URL is for others to make. */
export interface Told {
  /** Left out when there is nothing but a place to upload to. */
  answer?: Answer;
  file?: JobFile;
}

/** An object in the bucket, and the name that a client may save it under. */
export interface JobFile {
  key: string;
  filename: string;
}

/** Of the database whose jobs they are. */
export interface JobHost {
  /** Begins the names of files. */
  readonly uuid: string;
  readonly database: Database;
  readonly bucket: R2Bucket;
  /** That 64 KiB of an import may take of SQLite's instructions; see `Database.limited`. */
  readonly steps: number;
}

/** What the work of an export has to know. */
interface Task {
  options: ExportOptions;
  /** Of the output. */
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
const LANES = 3;
const MOST_ATTEMPTS = 20;
/** Of the pin, which ends with the work; a lease only in case that it does not. */
const HOLD_MS = 3_600_000;

/** Exports: each a dump of one pinned state, into an object that is there for an hour. */
export class Exports {
  readonly #host: JobHost;
  readonly #table: JobTable;
  readonly #shop: Shop;
  readonly #lanes = new Lanes(LANES);
  readonly runner: JobRunner;

  constructor(host: JobHost, shop: Shop) {
    this.#host = host;
    this.#table = shop.table;
    this.#shop = shop;
    this.runner = new JobRunner(shop, {
      kind: "export",
      work: (row, run) => this.#work(row, run),
      discard: (row) => discardExport(this.#table, row),
    });
  }

  /** Exports the newest state, or tells of the job that does so already. */
  start(options: ExportOptions, readonly: boolean): Told {
    const bookmark = this.#host.database.bookmark();
    const same = this.#find(bookmark, options);
    if (same) return this.#told(same.id, this.runner.join(same));
    if (this.#isFull(readonly)) return { answer: this.#shop.machine.refuse("export", "busy") };
    const unknown = unknownTable(this.#host.database, options.tables);
    if (unknown !== undefined) return { answer: noSuchTable(bookmark, unknown) };
    const task: Task = { options };
    const label = this.#label(options, readonly);
    return { answer: this.runner.start({ bookmark, label, task: JSON.stringify(task) }) };
  }

  #isFull(readonly: boolean): boolean {
    const [all, read] = SCOPES;
    const active = this.#table.active("export");
    if (active.length >= MOST_ACTIVE || this.#table.count("export", "") >= MOST_KEPT) return true;
    if (!readonly) return false;
    const own = active.filter(({ label }) => !label.startsWith(all));
    return own.length >= MOST_ACTIVE / 2 || this.#table.count("export", read) >= MOST_KEPT / 2;
  }

  /** What tells exports of one state apart. Short, whatever tables were named. */
  #label(options: ExportOptions, readonly: boolean): string {
    return `${SCOPES[readonly ? 1 : 0]}${this.#shop.machine.digest(JSON.stringify(options))}`;
  }

  /** Polls the export of a state. Its options are remembered; they only tell apart two exports of one state. */
  async poll(bookmark: string, options?: ExportOptions): Promise<Told> {
    const own = options && this.#find(bookmark, options);
    const unknown = own ? undefined : unknownTable(this.#host.database, options?.tables ?? []);
    if (unknown !== undefined) return { answer: noSuchTable(bookmark, unknown) };
    const row = own ?? this.#table.find("export", bookmark)[0];
    if (!row) return { answer: this.#shop.machine.refuse("export", "unknown") };
    return this.#told(row.id, await this.runner.poll(row.id));
  }

  #find(bookmark: string, options: ExportOptions): JobRow | undefined {
    const labels = [false, true].map((readonly) => this.#label(options, readonly));
    return this.#table.find("export", bookmark).find(({ label }) => labels.includes(label));
  }

  #told(id: string, answer: Answer): Told {
    const { key } = this.#task(id);
    const isComplete = answer.success && answer.status === "complete";
    return isComplete && key
      ? { answer, file: { key, filename: String(answer.result?.filename) } }
      : { answer };
  }

  /** Begins with pinning, in the same turn in which the bookmark was the newest. */
  async #work({ id, bookmark }: JobRow, run: Run): Promise<Record<string, unknown>> {
    const { signal } = run;
    const { database, uuid } = this.#host;
    await using hold = database.hold({ at: bookmark, leaseMs: HOLD_MS });
    // At once, also when a call to the bucket takes its time to end.
    signal.addEventListener("abort", () => hold.release(), { once: true });
    const filename = `${uuid}-${bookmark}.sql`;
    const attempts = (this.#task(id).attempts ?? 0) + 1;
    if (attempts > MOST_ATTEMPTS) {
      throw new PagemarkError("JOB_INTERRUPTED", `the export was interrupted ${MOST_ATTEMPTS} times`);
    }
    const key = this.#task(id).key ?? `exports/${uuid}-${bookmark}.${crypto.randomUUID().slice(0, 8)}.sql`;
    this.#note(id, { key, attempts });
    try {
      await this.#lanes.run(signal, () => this.#write(id, key, filename, hold, run));
      signal.throwIfAborted();
    } catch (error) {
      // Whoever stopped it may have looked before the last call had ended.
      if (signal.aborted) this.#table.addTrash(key, this.#task(id).uploadId ?? null, Date.now());
      throw error;
    }
    return { filename };
  }

  async #write(id: string, key: string, filename: string, hold: Hold, run: Run): Promise<void> {
    const { options, uploadId } = this.#task(id);
    const { tell, signal } = run;
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
      parts: this.#table.parts(id),
      begun: (uploadId: string) => this.#note(id, { uploadId }),
      stored: (part: StoredPart) => this.#table.savePart(id, part),
      uploaded: (number: number) => {
        hold.renew();
        tell(`Uploaded part ${number}`);
      },
    };
    try {
      await writeOutput(this.#host.bucket, key, filename, chunks, notes, signal);
    } finally {
      // The dump has a pin of its own.
      await chunks.return(undefined);
    }
  }

  #task(id: string): Task {
    return JSON.parse(this.#table.row(id)?.task ?? "{}");
  }

  #note(id: string, more: Partial<Task>): void {
    this.#table.saveTask(id, JSON.stringify({ ...this.#task(id), ...more }));
  }
}

/** Has deleted what is in the bucket of an export. */
export function discardExport(table: JobTable, row: JobRow): void {
  const { key, uploadId, options } = JSON.parse(row.task) as Task;
  if (key === undefined) return;
  table.addTrash(key, uploadId ?? null, Date.now());
  table.removeParts(row.id);
  table.saveTask(row.id, JSON.stringify({ options }));
}

/** The first of the names that no table has. */
function unknownTable(database: Database, names: readonly string[]): string | undefined {
  if (names.length === 0) return undefined;
  const sql = `SELECT value FROM json_each(?) WHERE NOT EXISTS
    (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = value COLLATE NOCASE) LIMIT 1`;
  using statement = database.prepare(sql);
  const [name] = statement.values(JSON.stringify(names))[0] ?? [];
  return name === undefined ? undefined : String(name);
}

/** The answer to an export of which nothing is kept. */
function noSuchTable(bookmark: string, name: string): Answer {
  const error = `the database has no table ${JSON.stringify(name)}; leave the names out for all tables`;
  return { success: true, type: "export", at_bookmark: bookmark, status: "error", messages: [], error };
}
