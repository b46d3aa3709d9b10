import { PagemarkError } from "../../entry/workerd.ts";

/** What takes a while: a backup, or a restore in place. */
export interface Job {
  id: string;
  kind: "backup" | "restore";
  /** One that was evicted goes on at the next alarm, so none is "running" for ever. */
  state: "pending" | "running" | "canceling" | "done" | "failed" | "canceled";
  /** RFC 3339. */
  startedAt: string;
  /** When it last got on. */
  updatedAt: string;
  /** What `total` counts: pages, or bytes. */
  phase: string;
  done: number;
  total: number;
  error?: { code: string; message: string };
}

const TABLE = `CREATE TABLE IF NOT EXISTS pagemark_jobs (id TEXT PRIMARY KEY, kind TEXT NOT NULL, state TEXT NOT NULL,
  started_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL, phase TEXT NOT NULL DEFAULT '', done INTEGER NOT NULL DEFAULT 0,
  total INTEGER NOT NULL DEFAULT 0, error TEXT, request TEXT NOT NULL) WITHOUT ROWID`;

/** Ended ones are shown for so long, in milliseconds. */
const SHOWN_MS = 24 * 3_600_000;

/** The object's jobs, in its storage. */
export class Jobs {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    sql.exec(TABLE);
  }

  /** Begins one; `request` is all it takes to go on with it after an eviction. */
  begin(kind: Job["kind"], request: object): string {
    const id = crypto.randomUUID();
    const now = Date.now();
    this.#sql.exec(`DELETE FROM pagemark_jobs WHERE ${ENDED} AND updated_ms < ?`, now - SHOWN_MS);
    // Later than those before it, so that their order is that in which they began.
    this.#sql.exec(
      `INSERT INTO pagemark_jobs (id, kind, state, started_ms, updated_ms, request)
        SELECT ?, ?, 'pending', max(?, coalesce(max(started_ms) + 1, 0)), ?, ? FROM pagemark_jobs`,
      id,
      kind,
      now,
      now,
      JSON.stringify(request),
    );
    return id;
  }

  /** Asks one to end, unless it has. Gives its kind. @throws PagemarkError `JOB_UNKNOWN` */
  cancel(id: string): Job["kind"] {
    const set = `UPDATE pagemark_jobs SET state = 'canceling' WHERE id = ? AND NOT ${ENDED}`;
    this.#sql.exec(set, id);
    const [row] = this.#sql.exec<Row>("SELECT kind FROM pagemark_jobs WHERE id = ?", id).toArray();
    if (row) return row.kind as Job["kind"];
    throw new PagemarkError("JOB_UNKNOWN", "there is no such job; those that ended a day ago are forgotten");
  }

  /** Asks all to end. */
  cancelAll(): void {
    this.#sql.exec(`UPDATE pagemark_jobs SET state = 'canceling' WHERE NOT ${ENDED}`);
  }

  /** @throws PagemarkError `CANCELED` when somebody has asked it to end */
  check(id: string): void {
    const asked = "SELECT 1 FROM pagemark_jobs WHERE id = ? AND state = 'canceling'";
    if (this.#sql.exec(asked, id).toArray().length === 0) return;
    throw new PagemarkError("CANCELED", "it was canceled; nothing half-done is left");
  }

  /** How far it is. */
  progress(id: string, phase: string, done: number, total: number): void {
    this.#sql.exec(
      `UPDATE pagemark_jobs SET state = CASE state WHEN 'canceling' THEN state ELSE 'running' END,
        phase = ?, done = ?, total = ?, updated_ms = ? WHERE id = ?`,
      phase,
      done,
      total,
      Date.now(),
      id,
    );
  }

  /** How a job stands; nothing when it is forgotten. */
  find(id: string): Job | undefined {
    return this.#sql.exec<Row>("SELECT * FROM pagemark_jobs WHERE id = ?", id).toArray().map(toJob)[0];
  }

  setRequest(id: string, request: object): void {
    this.#sql.exec("UPDATE pagemark_jobs SET request = ? WHERE id = ?", JSON.stringify(request), id);
  }

  /** With an error it has failed, unless that says that it was canceled. */
  end(id: string, error?: unknown): void {
    const { code } = Object(error) as { code?: unknown };
    const state = error === undefined ? "done" : code === "CANCELED" ? "canceled" : "failed";
    const said = error === undefined ? null : JSON.stringify(shown(error));
    this.#sql.exec(
      "UPDATE pagemark_jobs SET state = ?, error = ?, updated_ms = ? WHERE id = ?",
      state,
      said,
      Date.now(),
      id,
    );
  }

  /** The oldest one of a kind that has not ended, with its request. */
  unfinished<R>(kind: Job["kind"]): { id: string; request: R } | undefined {
    const sql = `SELECT id, request FROM pagemark_jobs WHERE kind = ? AND NOT ${ENDED} ORDER BY started_ms, id LIMIT 1`;
    const [row] = this.#sql.exec<{ id: string; request: string }>(sql, kind).toArray();
    return row && { id: row.id, request: JSON.parse(row.request) as R };
  }

  /** Newest first. */
  list(): Job[] {
    const sql = `SELECT * FROM pagemark_jobs WHERE NOT ${ENDED} OR updated_ms >= ? ORDER BY started_ms DESC, id`;
    const rows = this.#sql.exec<Row>(sql, Date.now() - SHOWN_MS).toArray();
    return rows.map(toJob);
  }
}

const ENDED = "state IN ('done', 'failed', 'canceled')";

type Row = Record<"id" | "kind" | "state" | "phase", string> &
  Record<"started_ms" | "updated_ms" | "done" | "total", number> & { error: string | null };

function toJob(row: Row): Job {
  const { id, kind, state, phase, done, total, error } = row;
  return {
    id,
    kind: kind as Job["kind"],
    state: state as Job["state"],
    startedAt: new Date(row.started_ms).toISOString(),
    updatedAt: new Date(row.updated_ms).toISOString(),
    phase,
    done,
    total,
    ...(error !== null && { error: JSON.parse(error) as { code: string; message: string } }),
  };
}

function shown(error: unknown): { code: string; message: string } {
  const { code = "INTERNAL", message = String(error) } = error as { code?: string; message?: string };
  return { code, message };
}
