import type { Database } from "../../engine/index.ts";
import {
  discardExport,
  type ExportRequest,
  Exports,
  exportOptions,
  type JobDatabase,
  type Reply,
} from "../../service/jobs/exports.ts";
import { discardImport, type ImportRequest, Imports } from "../../service/jobs/imports.ts";
import type { JobContext } from "../../service/jobs/leases.ts";
import { Machine } from "../../service/jobs/machine.ts";
import type { JobTable } from "../../service/jobs/table.ts";
import type { Bin } from "../jobs/bin.ts";
import { filesIn } from "../jobs/output.ts";
import type { Home } from "./home.ts";

interface Opened {
  readonly exports: Exports;
  readonly imports: Imports;
}

/** When an alarm that did not end is made up for, in milliseconds. */
const AGAIN_MS = 20_000;

/** The exports and imports of clients that poll, opened when they are first needed. */
export class PolledJobs {
  readonly #home: Home;
  #opening: Promise<Opened> | undefined;
  /** When the alarm rings for them, in milliseconds since 1970. */
  #planned: number | undefined;

  constructor(home: Home) {
    this.#home = home;
    // What an object before this one has left under way comes before anything else: the next commit may drop the states
    // it reads, and no write may come between the two ends of an import.
    home.live.onOpened(async (database) => {
      if (home.jobs.active("export").length + home.jobs.active("import").length === 0) return;
      // Clients that poll hear of it; others need not.
      await this.#open(database).catch(() => {});
    });
  }

  /** Begins an export of the newest state, and answers at once; or tells, after a second or when it has ended. */
  async export({ bookmark, options, readonly = false }: ExportRequest): Promise<Reply> {
    const { exports } = await this.#open(await this.#home.database());
    if (bookmark !== undefined) return exports.poll(bookmark, options);
    return exports.start(options ?? exportOptions({}), readonly);
  }

  /** A step of an import. @throws PagemarkError `IMPORT_UPLOAD` */
  async import(request: ImportRequest): Promise<Reply> {
    const { imports } = await this.#open(await this.#home.database());
    if (request.action === "init") return imports.init(request.etag);
    if (request.action === "ingest") return imports.ingest(request.filename, request.etag);
    return imports.poll(request.bookmark);
  }

  /** Cancels what nobody polls for, forgets what is old, and empties the bin. */
  async alarm(): Promise<void> {
    const { agenda, jobs, bin, live } = this.#home;
    // An object that is evicted meanwhile is followed by one that does it again.
    await agenda.set("polled", Date.now() + AGAIN_MS);
    // Not behind the gate: a restore that holds it closed may be waiting for the alarm after this one.
    const { exports, imports } = await this.#open(await live.database());
    this.#planned = undefined;
    for (const row of jobs.due(Date.now())) {
      (row.kind === "export" ? exports : imports).jobs.tick(row);
    }
    await bin.empty(Date.now());
    this.#planned = this.#nextMs();
    if (this.#planned === undefined) await agenda.drop("polled");
    else await agenda.set("polled", this.#planned);
  }

  #open(database: Database): Promise<Opened> {
    this.#opening ??= this.#opened(database).catch((error) => {
      this.#opening = undefined;
      throw error;
    });
    return this.#opening;
  }

  async #opened(database: Database): Promise<Opened> {
    const { identity, env, steps, jobs: table, bin, runner } = this.#home;
    const host = {
      uuid: identity.uuid,
      database: jobDatabase(database, steps),
      files: filesIn(env.BACKUPS),
    };
    const machine = await Machine.load();
    const context: JobContext = { table, bin, runner, machine, plan: () => this.#plan() };
    const opened = { exports: new Exports(host, context), imports: new Imports(host, context) };
    this.#plan();
    opened.exports.jobs.resume();
    opened.imports.jobs.resume();
    return opened;
  }

  #plan(): void {
    const at = this.#nextMs();
    if (at === undefined || (this.#planned !== undefined && this.#planned <= at)) return;
    this.#planned = at;
    this.#home.agenda.set("polled", at).catch(() => {});
  }

  #nextMs(): number | undefined {
    const { jobs, bin } = this.#home;
    const times = [jobs.alarmMs(), bin.dueMs()].filter((ms) => ms !== undefined);
    return times.length > 0 ? Math.min(...times) : undefined;
  }
}

/** What exports and imports need of the database; 64 KiB of an import may take so many of SQLite's instructions. */
function jobDatabase(database: Database, steps: number): JobDatabase {
  return {
    bookmark: () => database.bookmark(),
    hold: (options) => database.hold(options),
    dump: (options) => database.dump(options),
    unknownTable: (names) => unknownTable(database, names),
    import: (sql, { signal }) => database.import(sql, { signal, steps }),
    size() {
      const { pageSize = 0, pageCount = 0 } = database.states().at(-1) ?? {};
      return pageSize * pageCount;
    },
  };
}

function unknownTable(database: Database, names: readonly string[]): string | undefined {
  if (names.length === 0) return undefined;
  const sql = `SELECT value FROM json_each(?) WHERE NOT EXISTS
    (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = value COLLATE NOCASE) LIMIT 1`;
  using statement = database.prepare(sql);
  const [name] = statement.values(JSON.stringify(names))[0] ?? [];
  return name === undefined ? undefined : String(name);
}

/**
 * Gives up all jobs that an object has, of which none may be running, and deletes what there is of them in the bucket,
 * also what was uploaded and never imported.
 *
 * @throws PagemarkError when some of it is still there, for another time
 */
export async function discardAll(table: JobTable, bin: Bin): Promise<void> {
  for (const row of table.all()) {
    if (row.kind === "export") discardExport({ table, bin }, row);
    if (row.kind === "import") discardImport({ bin }, row);
    table.remove(row.id);
  }
  await bin.emptyAll();
}
