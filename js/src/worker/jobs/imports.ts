import { PagemarkError } from "../../errors/index.ts";
import { r2 } from "../../stores/r2.ts";
import { streamOf } from "../../streams/streams.ts";
import type { JobHost, Told } from "./exports.ts";
import type { JobRow, JobTable } from "./job-table.ts";
import type { Answer } from "./machine.ts";
import { paced } from "./pace.ts";
import { JobRunner, type Run, type Shop } from "./runner.ts";

/** What the work of an import has to know. */
interface Task {
  filename: string;
  /** How often the work was begun: an object that it brings down each time must not try for ever. */
  attempts?: number;
  /** The state it began with, once it began: another one says that it, or somebody else, has written. */
  before?: string;
  /** Whether it ended well. */
  isDone?: boolean;
  /** Whether the same file was announced again since it was done: what comes now is another import, not a retry. */
  again?: boolean;
}

/** For how long an upload may be sent, and a little more: a URL is valid for an hour. In milliseconds. */
export const UPLOAD_MS = 3_600_000 + 600_000;
const MOST_ATTEMPTS = 3;

/** Imports: SQL that was uploaded is run in one transaction, one import at a time. */
export class Imports {
  readonly #host: JobHost;
  readonly #table: JobTable;
  readonly #shop: Shop;
  readonly runner: JobRunner;

  constructor(host: JobHost, shop: Shop) {
    this.#host = host;
    this.#table = shop.table;
    this.#shop = shop;
    this.runner = new JobRunner(shop, {
      kind: "import",
      work: (row, run) => this.#work(row, run),
      discard: (row) => discardImport(this.#table, row),
    });
  }

  /**
   * Where to upload the file to; or, when it is being imported, how that stands. Nothing begins here, so that a client may
   * ask again: a file that was imported is imported again when it is uploaded and ingested again.
   */
  async init(etag: string | undefined): Promise<Told> {
    const filename = `${this.#host.uuid}.${etag ?? randomHex()}.sql`;
    const early = this.#underWay(filename);
    if (early) return early;
    for (const { id } of this.#table.labelled("import", filename)) this.#note(id, { again: true });
    const key = keyOf(filename);
    this.#table.addTrash(key, null, Date.now() + UPLOAD_MS);
    this.#shop.plan();
    return { file: { key, filename } };
  }

  /** Begins to import what was uploaded. */
  async ingest(filename: string, etag: string | undefined): Promise<Told> {
    // Of this database's uploads: another's begin with its own UUID.
    const { uuid } = this.#host;
    const [, hex = ""] = /\.([0-9a-f]{16,32})\.sql$/.exec(filename) ?? [];
    if (filename !== `${uuid}.${hex}.sql`) throw noUpload(filename);
    const early = this.#known(filename);
    if (early) return early;
    const uploaded = await this.#host.bucket.head(keyOf(filename));
    if (!uploaded) throw noUpload(filename);
    if (etag !== undefined && uploaded.etag !== etag) {
      throw new PagemarkError(
        "IMPORT_UPLOAD",
        `what was uploaded as ${filename} has the MD5 ${uploaded.etag}, not ${etag}; upload it again`,
      );
    }
    return this.#known(filename) ?? { answer: this.#start(filename) };
  }

  async poll(bookmark: string | undefined): Promise<Told> {
    const [active] = this.#table.active("import");
    const row = bookmark === undefined ? active : this.#table.find("import", bookmark)[0];
    if (row) return { answer: await this.runner.poll(row.id) };
    const refusal = active ? "elsewhere" : "unknown";
    return { answer: this.#shop.machine.refuse("import", refusal, bookmark) };
  }

  /** What there is to say without beginning: the same import runs or has been done, or another one runs. */
  #known(filename: string): Told | undefined {
    const early = this.#underWay(filename);
    if (early) return early;
    const [same] = this.#table.labelled("import", filename);
    // Done, and asked for once more by a client that has not heard so.
    if (same && this.#task(same.id).isDone && !this.#task(same.id).again) {
      return { answer: this.runner.join(same) };
    }
    return undefined;
  }

  /** That the same import runs, or another one. */
  #underWay(filename: string): Told | undefined {
    const [active] = this.#table.active("import");
    if (!active) return undefined;
    if (active.label !== filename) return { answer: this.#shop.machine.refuse("import", "busy") };
    return { answer: this.runner.join(active) };
  }

  #start(filename: string): Answer {
    // From now on the upload belongs to the job.
    this.#table.removeTrash(keyOf(filename));
    for (const { id } of this.#table.labelled("import", filename)) this.#table.remove(id);
    const bookmark = this.#host.database.bookmark();
    const task: Task = { filename };
    return this.runner.start({ bookmark, label: filename, task: JSON.stringify(task) });
  }

  async #work({ id }: JobRow, { signal, tell }: Run): Promise<Record<string, unknown>> {
    const { database, bucket, steps } = this.#host;
    const { filename, before, attempts = 0 } = this.#task(id);
    if (attempts >= MOST_ATTEMPTS || (before !== undefined && before !== database.bookmark())) {
      throw new PagemarkError(
        "JOB_INTERRUPTED",
        "the import was interrupted; look what is there, and try again",
      );
    }
    if (attempts === 0) tell("Starting import...");
    this.#note(id, { attempts: attempts + 1 });
    const upload = await r2(bucket).get(keyOf(filename), { signal });
    const began = Date.now();
    const bookmark = database.bookmark();
    this.#note(id, { before: bookmark });
    const { statements, changes, lastInsertRowid } = await database.import(streamOf(paced(upload, signal)), {
      signal,
      steps,
    });
    // What follows is stored with the import: nothing is waited for.
    const final = database.bookmark();
    this.#note(id, { before: `done ${final}`, isDone: true });
    tell(`Processed ${statements} queries.`);
    const { pageSize = 0, pageCount = 0 } = database.states().at(-1) ?? {};
    const meta = {
      served_by: "pagemark",
      duration: Date.now() - began,
      changes,
      last_row_id: Number(lastInsertRowid),
      changed_db: final !== bookmark,
      size_after: pageSize * pageCount,
      rows_read: 0,
      rows_written: changes,
    };
    return { final_bookmark: final, num_queries: statements, meta };
  }

  #task(id: string): Task {
    return JSON.parse(this.#table.row(id)?.task ?? "{}");
  }

  #note(id: string, more: Partial<Task>): void {
    this.#table.saveTask(id, JSON.stringify({ ...this.#task(id), ...more }));
  }
}

/** Has deleted what was uploaded for an import. */
export function discardImport(table: JobTable, { task }: JobRow): void {
  const { filename } = JSON.parse(task) as Task;
  table.addTrash(keyOf(filename), null, Date.now());
}

function keyOf(filename: string): string {
  return `imports/${filename}`;
}

function randomHex(): string {
  return crypto.randomUUID().replaceAll("-", "").slice(0, 16);
}

function noUpload(filename: string): PagemarkError {
  return new PagemarkError(
    "IMPORT_UPLOAD",
    `nothing was uploaded as ${filename}; begin with init, then upload`,
  );
}
