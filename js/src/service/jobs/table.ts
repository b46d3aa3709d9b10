import { PagemarkError } from "../../errors/index.ts";

export type Kind = "backup" | "restore" | "export" | "import";

/** What takes a while. */
export interface Job {
  id: string;
  kind: Kind;
  /** A job whose object was evicted goes on at the next alarm, so none is "running" for ever. */
  state: "pending" | "running" | "canceling" | "done" | "failed" | "canceled";
  /** RFC 3339. */
  startedAt: string;
  /** When it last got on. */
  updatedAt: string;
  /** What `total` counts: pages, or bytes. */
  phase: string;
  done: number;
  /** 0 where nobody knows. */
  total: number;
  error?: JobError;
  /** What was found in a backup that was restored. */
  warnings?: string[];
}

/** What work that ended well leaves in the request of its job, to be shown. */
export type JobNotes = Pick<Job, "warnings">;

/** Why a job did not end well. */
export interface JobError {
  code: string;
  message: string;
}

/** A job as whoever works on it has it. */
export interface JobRow {
  id: string;
  kind: Kind;
  state: Job["state"];
  /** All it takes to go on with the job after an eviction. */
  request: object;
  /** The state it began with, of jobs that clients poll. */
  bookmark: string;
  /** What tells jobs at one bookmark apart: an export's options, an import's upload. */
  label: string;
  /** Lease of the core's state machine; null for jobs that nobody polls. */
  lease: string | null;
  /** Why it did not end well. */
  error: JobError | null;
}

/** The row of a job that clients poll. */
export type LeasedRow = JobRow & { lease: string };

/** A part of a job's output that is in the bucket. */
export interface StoredPart {
  number: number;
  etag: string;
  /** SHA-256 of its bytes. */
  sha256: string;
}

/** How a leased job stands after a step of its state machine. */
export interface LeaseStep {
  state: Job["state"];
  lease: string;
  /** When the state machine wants to hear of the time, in milliseconds since 1970. */
  alarmMs: number;
  error?: JobError | undefined;
}

/** Where the table is: a Durable Object's storage, or a database of Node's. */
export interface JobSql {
  exec<T extends Record<string, Value>>(sql: string, ...bindings: Value[]): { toArray(): T[]; one(): T };
}

const TABLES = [
  `CREATE TABLE IF NOT EXISTS pagemark_jobs (id TEXT PRIMARY KEY, kind TEXT NOT NULL, state TEXT NOT NULL,
    started_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL, phase TEXT NOT NULL DEFAULT '', done INTEGER NOT NULL DEFAULT 0,
    total INTEGER NOT NULL DEFAULT 0, error TEXT, request TEXT NOT NULL) WITHOUT ROWID`,
  // The parts of an output that are in the bucket.
  `CREATE TABLE IF NOT EXISTS pagemark_polled_parts (job TEXT NOT NULL, number INTEGER NOT NULL, etag TEXT NOT NULL,
    sha256 TEXT NOT NULL, PRIMARY KEY (job, number)) WITHOUT ROWID`,
];
/** What came to the table later. */
const LATER = {
  bookmark: "TEXT NOT NULL DEFAULT ''",
  label: "TEXT NOT NULL DEFAULT ''",
  lease: "TEXT",
  alarm_ms: "INTEGER",
};
/** Exports and imports had a table of their own. A lease ends 15 s after the last poll, and a job is known for an hour. */
const OLD = "pagemark_polled_jobs";
const TAKE_OVER = `INSERT OR IGNORE INTO pagemark_jobs
    (id, kind, state, started_ms, updated_ms, request, bookmark, label, lease, alarm_ms)
  SELECT id, kind, CASE WHEN active THEN 'running' WHEN json_extract(state, '$.output_ms') IS NOT NULL THEN 'done'
      WHEN json_extract(state, '$.error') IS NOT NULL THEN 'failed' ELSE 'canceled' END,
    heard + place, heard, task, bookmark, label, state, alarm_ms
  FROM (SELECT *, rowid AS place, json_extract(state, '$.until_ms') - iif(active, 15000, 3600000) AS heard FROM ${OLD}
    WHERE json_valid(state))`;

const ROW = "id, kind, state, request, bookmark, label, lease, error";
const ENDED = "state IN ('done', 'failed', 'canceled')";
/** Ended ones that nobody polls are shown for so long, in milliseconds; the state machine forgets the others. */
const SHOWN_MS = 24 * 3_600_000;

type Value = string | number | null;

/** The jobs of one database in its object's storage. What is written between two awaits is written as one. */
export class JobTable {
  readonly #sql: JobSql;

  constructor(sql: JobSql) {
    this.#sql = sql;
    for (const table of TABLES) sql.exec(table);
    upgrade(sql, "pagemark_jobs", LATER, OLD, TAKE_OVER);
  }

  /** Enters a job; `request` is all it takes to go on with it after an eviction. */
  begin(kind: Kind, request: object): string {
    const id = crypto.randomUUID();
    this.#sql.exec(
      `DELETE FROM pagemark_jobs WHERE ${ENDED} AND lease IS NULL AND updated_ms < ?`,
      Date.now() - SHOWN_MS,
    );
    this.#insert(id, kind, "pending", request, "", "", null, null);
    return id;
  }

  /** Enters a job that a client polls, or what a step of its state machine has made of it. */
  saveLease(
    row: Omit<JobRow, "state" | "lease" | "error">,
    { state, lease, alarmMs, error }: LeaseStep,
  ): void {
    const { id, kind, request, bookmark, label } = row;
    if (!this.row(id)) this.#insert(id, kind, state, request, bookmark, label, lease, alarmMs);
    // The error stays until the job is begun again.
    this.#sql.exec(
      `UPDATE pagemark_jobs SET state = ?1, lease = ?, alarm_ms = ?, updated_ms = ?,
        error = iif(?1 IN ('pending', 'running'), NULL, coalesce(?, error)) WHERE id = ?`,
      state,
      lease,
      alarmMs,
      Date.now(),
      error === undefined ? null : JSON.stringify(error),
      id,
    );
  }

  #insert(id: string, kind: Kind, state: Job["state"], request: object, ...more: Value[]): void {
    // Later than those before it, so that their order is that in which they began.
    this.#sql.exec(
      `INSERT INTO pagemark_jobs (id, kind, state, started_ms, updated_ms, request, bookmark, label, lease, alarm_ms)
        SELECT ?1, ?2, ?3, max(?4, coalesce(max(started_ms) + 1, 0)), ?4, ?5, ?6, ?7, ?8, ?9 FROM pagemark_jobs`,
      id,
      kind,
      state,
      Date.now(),
      JSON.stringify(request),
      ...more,
    );
  }

  /** Asks a job to end, unless it has. */
  cancel(id: string): void {
    this.#sql.exec(`UPDATE pagemark_jobs SET state = 'canceling' WHERE id = ? AND NOT ${ENDED}`, id);
  }

  /** How far it is. */
  progress(id: string, phase: string, done: number, total: number): void {
    this.#sql.exec(
      `UPDATE pagemark_jobs SET state = CASE state WHEN 'pending' THEN 'running' ELSE state END,
        phase = ?, done = ?, total = ?, updated_ms = ? WHERE id = ? AND NOT ${ENDED}`,
      phase,
      done,
      total,
      Date.now(),
      id,
    );
  }

  /** Adds to the request of a job; null takes away. */
  note(id: string, more: object): void {
    const sql = "UPDATE pagemark_jobs SET request = json_patch(request, ?) WHERE id = ?";
    this.#sql.exec(sql, JSON.stringify(more), id);
  }

  /** With an error it has failed, unless that says that it was canceled. */
  end(id: string, error?: JobError): void {
    const state = error === undefined ? "done" : error.code === "CANCELED" ? "canceled" : "failed";
    const sql = "UPDATE pagemark_jobs SET state = ?, error = ?, updated_ms = ? WHERE id = ?";
    this.#sql.exec(sql, state, error === undefined ? null : JSON.stringify(error), Date.now(), id);
  }

  remove(id: string): void {
    this.#sql.exec("DELETE FROM pagemark_jobs WHERE id = ?", id);
    this.removeParts(id);
  }

  /** The job, or nothing when it is forgotten. */
  row(id: string): JobRow | undefined {
    return this.#rows("id = ?", id)[0];
  }

  /** The oldest one of a kind that has not ended. */
  unfinished(kind: Kind): JobRow | undefined {
    const oldest = `SELECT id FROM pagemark_jobs WHERE kind = ? AND NOT ${ENDED} ORDER BY started_ms, id LIMIT 1`;
    return this.#rows(`id = (${oldest})`, kind)[0];
  }

  /** Newest first, as all that follow. */
  all(): JobRow[] {
    return this.#rows("true");
  }

  at(kind: Kind, bookmark: string): LeasedRow[] {
    return this.#leased("kind = ? AND bookmark = ?", kind, bookmark);
  }

  labelled(kind: Kind, label: string): LeasedRow[] {
    return this.#leased("kind = ? AND label = ?", kind, label);
  }

  /** Those that a client polls for, and which have not ended. */
  active(kind: Kind): LeasedRow[] {
    return this.#leased(`kind = ? AND NOT ${ENDED}`, kind);
  }

  /** Those whose alarm has gone off. */
  due(nowMs: number): LeasedRow[] {
    return this.#leased("alarm_ms <= ?", nowMs);
  }

  /** How many there are of a kind whose label begins so, with those that have ended. */
  count(kind: Kind, label: string): number {
    const sql = "SELECT count(*) AS n FROM pagemark_jobs WHERE kind = ? AND substr(label, 1, ?) = ?";
    return this.#sql.exec<{ n: number }>(sql, kind, label.length, label).one().n;
  }

  /** When something is to be done next. */
  alarmMs(): number | undefined {
    const sql = "SELECT min(alarm_ms) AS at FROM pagemark_jobs";
    return this.#sql.exec<{ at: number | null }>(sql).one().at ?? undefined;
  }

  parts(id: string): StoredPart[] {
    const sql = "SELECT number, etag, sha256 FROM pagemark_polled_parts WHERE job = ? ORDER BY number";
    return this.#sql.exec<{ number: number; etag: string; sha256: string }>(sql, id).toArray();
  }

  savePart(id: string, { number, etag, sha256 }: StoredPart): void {
    const sql = "INSERT OR REPLACE INTO pagemark_polled_parts VALUES (?, ?, ?, ?)";
    this.#sql.exec(sql, id, number, etag, sha256);
  }

  removeParts(id: string): void {
    this.#sql.exec("DELETE FROM pagemark_polled_parts WHERE job = ?", id);
  }

  /** The job. @throws PagemarkError `JOB_UNKNOWN` */
  known(id: string): JobRow {
    const row = this.row(id);
    if (row) return row;
    throw new PagemarkError("JOB_UNKNOWN", "there is no such job; those that ended a day ago are forgotten");
  }

  list(): Job[] {
    const sql = `SELECT * FROM pagemark_jobs WHERE NOT ${ENDED} OR updated_ms >= ? ORDER BY started_ms DESC, id`;
    return this.#sql
      .exec<Shown>(sql, Date.now() - SHOWN_MS)
      .toArray()
      .map(toJob);
  }

  #rows(where: string, ...bindings: Value[]): JobRow[] {
    const sql = `SELECT ${ROW} FROM pagemark_jobs WHERE ${where} ORDER BY started_ms DESC, id`;
    const rows = this.#sql.exec<Stored>(sql, ...bindings).toArray();
    return rows.map(({ request, error, ...row }) => ({
      ...row,
      request: JSON.parse(request),
      error: error === null ? null : JSON.parse(error),
    }));
  }

  #leased(where: string, ...bindings: Value[]): LeasedRow[] {
    return this.#rows(`lease IS NOT NULL AND ${where}`, ...bindings) as LeasedRow[];
  }
}

/** Adds the columns that a table has got since it was made, and takes over the rows of a table that there was beside it. */
export function upgrade(
  sql: JobSql,
  table: string,
  later: Readonly<Record<string, string>>,
  old: string,
  takeOver: string,
): void {
  const columns = sql.exec<{ name: string }>("SELECT name FROM pragma_table_info(?)", table).toArray();
  for (const [column, type] of Object.entries(later)) {
    if (columns.some(({ name }) => name === column)) continue;
    sql.exec(`ALTER TABLE ${table} ADD COLUMN ${column} ${type}`);
  }
  if (sql.exec("SELECT 1 FROM sqlite_master WHERE name = ?", old).toArray().length === 0) return;
  sql.exec(takeOver);
  sql.exec(`DROP TABLE ${old}`);
}

/** A row as it is stored, with JSON in two columns. */
type Stored = Omit<JobRow, "request" | "error"> & { request: string; error: string | null };

type Shown = Record<"id" | "kind" | "state" | "phase" | "request", string> &
  Record<"started_ms" | "updated_ms" | "done" | "total", number> & { error: string | null };

function toJob(row: Shown): Job {
  const { id, kind, state, phase, done, total, error } = row;
  const { warnings } = JSON.parse(row.request) as JobNotes;
  return {
    id,
    kind: kind as Kind,
    state: state as Job["state"],
    startedAt: new Date(row.started_ms).toISOString(),
    updatedAt: new Date(row.updated_ms).toISOString(),
    phase,
    done,
    total,
    ...(error !== null && { error: JSON.parse(error) as JobError }),
    ...(warnings && { warnings }),
  };
}
