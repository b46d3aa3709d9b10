import { PagemarkError } from "../../errors/index.ts";
import { streamOf } from "../../streams/streams.ts";
import type { JobHost, Reply } from "./exports.ts";
import { type JobContext, LeasedJobs } from "./leases.ts";
import type { Answer, JobResult } from "./machine.ts";
import { paced } from "./pace.ts";
import type { Run } from "./runner.ts";
import type { JobRow, LeasedRow } from "./table.ts";

/** What clients do one after the other. */
export type ImportRequest =
  /** Where to upload a file to, by its MD5. */
  | { action: "init"; etag?: string | undefined }
  /** Begins to import what was uploaded. */
  | { action: "ingest"; filename: string; etag?: string | undefined }
  | { action: "poll"; bookmark?: string | undefined };

/** All it takes to go on with an import after an eviction. */
interface Request {
  filename: string;
  /** Size of the upload, in bytes. */
  size?: number;
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
/** How far an import is is said after so much; saying it takes a write. */
const TELL_BYTES = 1 << 20;

/** Imports: SQL that was uploaded is run in one transaction, one import at a time. */
export class Imports {
  readonly #host: JobHost;
  readonly #context: JobContext;
  readonly jobs: LeasedJobs;

  constructor(host: JobHost, context: JobContext) {
    this.#host = host;
    this.#context = context;
    this.jobs = new LeasedJobs(context, {
      kind: "import",
      work: (row, run) => this.#work(row, run),
      discard: (row) => discardImport(context, row),
    });
  }

  /**
   * Where to upload the file to; or, when it is being imported, how that stands. Nothing begins here, so that a client may
   * ask again: a file that was imported is imported again when it is uploaded and ingested again.
   */
  async init(etag: string | undefined): Promise<Reply> {
    const filename = `${this.#host.uuid}.${etag ?? randomHex()}.sql`;
    const early = this.#underWay(filename);
    if (early) return early;
    for (const { id } of this.#context.table.labelled("import", filename))
      this.#context.table.note(id, { again: true });
    const key = keyOf(filename);
    this.#context.bin.put(key, null, Date.now() + UPLOAD_MS);
    this.#context.plan();
    return { file: { key, filename } };
  }

  /** Begins to import what was uploaded. */
  async ingest(filename: string, etag: string | undefined): Promise<Reply> {
    // Take only this database's uploads: another's begin with its own UUID.
    const { uuid } = this.#host;
    const [, hex = ""] = /\.([0-9a-f]{16,32})\.sql$/.exec(filename) ?? [];
    if (filename !== `${uuid}.${hex}.sql`) throw noUpload(filename);
    const early = this.#known(filename);
    if (early) return early;
    const uploaded = await this.#host.files.find(keyOf(filename));
    if (!uploaded) throw noUpload(filename);
    if (etag !== undefined && uploaded.etag !== etag) {
      throw new PagemarkError(
        "IMPORT_UPLOAD",
        `what was uploaded as ${filename} has the MD5 ${uploaded.etag}, not ${etag}; upload it again`,
      );
    }
    return this.#known(filename) ?? { answer: this.#start(filename, uploaded.size) };
  }

  async poll(bookmark: string | undefined): Promise<Reply> {
    const [active] = this.#context.table.active("import");
    const row = bookmark === undefined ? active : this.#context.table.at("import", bookmark)[0];
    if (row) return { answer: await this.jobs.poll(row.id) };
    const refusal = active ? "elsewhere" : "unknown";
    return { answer: this.jobs.refuse(refusal, bookmark) };
  }

  /** What there is to say without beginning: the same import runs or has been done, or another one runs. */
  #known(filename: string): Reply | undefined {
    const early = this.#underWay(filename);
    if (early) return early;
    const [same] = this.#context.table.labelled("import", filename);
    // Done, and asked for once more by a client that has not heard so.
    const { isDone, again } = (same?.request ?? {}) as Partial<Request>;
    return same && isDone && !again ? { answer: this.jobs.join(same) } : undefined;
  }

  /** That the same import runs, or another one. */
  #underWay(filename: string): Reply | undefined {
    const [active] = this.#context.table.active("import");
    if (!active) return undefined;
    if (active.label !== filename) return { answer: this.jobs.refuse("busy") };
    return { answer: this.jobs.join(active) };
  }

  #start(filename: string, size: number): Answer {
    // From now on the upload belongs to the job.
    this.#context.bin.keep(keyOf(filename));
    for (const { id } of this.#context.table.labelled("import", filename)) this.#context.table.remove(id);
    const bookmark = this.#host.database.bookmark();
    const request: Request = { filename, size };
    return this.jobs.begin({ bookmark, label: filename, request });
  }

  async #work({ id, request }: LeasedRow, { signal, tell, progress }: Run): Promise<JobResult> {
    const { database, files } = this.#host;
    const { filename, size = 0, before, attempts = 0 } = request as Request;
    if (attempts >= MOST_ATTEMPTS || (before !== undefined && before !== database.bookmark())) {
      throw new PagemarkError(
        "JOB_INTERRUPTED",
        "the import was interrupted; look what is there, and try again",
      );
    }
    if (attempts === 0) tell("Starting import...");
    this.#context.table.note(id, { attempts: attempts + 1 });
    const upload = await files.get(keyOf(filename), { signal });
    const began = Date.now();
    const bookmark = database.bookmark();
    this.#context.table.note(id, { before: bookmark });
    const chunks = counted(paced(upload, signal), (done) => progress("sql", done, size));
    const imported = await database.import(streamOf(chunks), { signal });
    const { statements, changes, lastInsertRowid, warnings } = imported;
    // What follows is stored with the import: nothing is waited for.
    const final = imported.bookmark ?? database.bookmark();
    this.#context.table.note(id, { before: `done ${final}`, isDone: true });
    progress("sql", size, size);
    tell(`Processed ${statements} queries.`);
    for (const warning of warnings) tell(`Warning: ${warning}`);
    const meta = {
      served_by: "pagemark",
      duration: Date.now() - began,
      changes,
      last_row_id: Number(lastInsertRowid),
      changed_db: final !== bookmark,
      size_after: await database.size(),
      rows_read: 0,
      rows_written: changes,
    };
    return { final_bookmark: final, num_queries: statements, meta };
  }
}

/** Schedules what was uploaded for an import for deletion. */
export function discardImport({ bin }: Pick<JobContext, "bin">, { request }: JobRow): void {
  const { filename } = request as Request;
  bin.put(keyOf(filename), null, Date.now());
}

/** The same chunks; `tell` hears how many bytes there were, now and then. */
async function* counted(
  chunks: AsyncIterable<Uint8Array>,
  tell: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  let [bytes, told] = [0, 0];
  for await (const chunk of chunks) {
    bytes += chunk.length;
    yield chunk;
    if (bytes - told < TELL_BYTES) continue;
    told = bytes;
    tell(bytes);
  }
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
