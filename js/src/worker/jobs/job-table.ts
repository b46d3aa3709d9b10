import type { DurableObjectStorageLike } from "../../engine/durable-object-tables.ts";
import type { JobKind } from "./machine.ts";
import type { StoredPart } from "./output.ts";

/** A job as the object's storage has it. */
export interface JobRow {
  id: string;
  kind: JobKind;
  bookmark: string;
  /** What tells jobs at one bookmark apart: an export's options, an import's upload. */
  label: string;
  /** Of the core's state machine. */
  state: string;
  /** What the work has to know when somebody else takes it over. */
  task: string;
}

/** What is to be deleted from the bucket. */
export interface Trash {
  key: string;
  /** Of an upload under way. */
  uploadId: string | null;
}

type Value = number | string | null;

const TABLES = [
  `CREATE TABLE IF NOT EXISTS pagemark_polled_jobs (id TEXT PRIMARY KEY, kind TEXT NOT NULL, bookmark TEXT NOT NULL,
    label TEXT NOT NULL, state TEXT NOT NULL, task TEXT NOT NULL, active INTEGER NOT NULL, alarm_ms INTEGER NOT NULL)`,
  `CREATE TABLE IF NOT EXISTS pagemark_polled_parts (job TEXT NOT NULL, number INTEGER NOT NULL, etag TEXT NOT NULL,
    sha256 TEXT NOT NULL, PRIMARY KEY (job, number)) WITHOUT ROWID`,
  `CREATE TABLE IF NOT EXISTS pagemark_polled_trash (key TEXT PRIMARY KEY, upload_id TEXT, due_ms INTEGER NOT NULL)`,
];
const ROW = "id, kind, bookmark, label, state, task";

/** The jobs of one database in the object's storage. What is written between two awaits is written as one. */
export class JobTable {
  readonly #sql: DurableObjectStorageLike["sql"];

  constructor(storage: DurableObjectStorageLike) {
    this.#sql = storage.sql;
    for (const table of TABLES) this.#rows(table);
  }

  /** The job, or nothing. */
  row(id: string): JobRow | undefined {
    return this.#jobs("id = ?", id)[0];
  }

  /** Newest first. */
  find(kind: JobKind, bookmark: string): JobRow[] {
    return this.#jobs("kind = ? AND bookmark = ?", kind, bookmark);
  }

  /** Newest first. */
  labelled(kind: JobKind, label: string): JobRow[] {
    return this.#jobs("kind = ? AND label = ?", kind, label);
  }

  /** Newest first. */
  active(kind: JobKind): JobRow[] {
    return this.#jobs("kind = ? AND active", kind);
  }

  /** How many there are of a kind whose label begins so, with those that have ended. */
  count(kind: JobKind, label: string): number {
    const sql = "SELECT count(*) FROM pagemark_polled_jobs WHERE kind = ? AND substr(label, 1, ?) = ?";
    return Number(this.#rows(sql, kind, label.length, label)[0]?.[0]);
  }

  all(): JobRow[] {
    return this.#jobs("true");
  }

  /** Those whose alarm has gone off. */
  due(now: number): JobRow[] {
    return this.#jobs("alarm_ms <= ?", now);
  }

  save({ id, kind, bookmark, label, state, task }: JobRow, active: boolean, alarm: number): void {
    this.#rows(
      `INSERT INTO pagemark_polled_jobs VALUES (?, ?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (id) DO UPDATE SET state = excluded.state, active = excluded.active, alarm_ms = excluded.alarm_ms`,
      id,
      kind,
      bookmark,
      label,
      state,
      task,
      active ? 1 : 0,
      alarm,
    );
  }

  saveTask(id: string, task: string): void {
    this.#rows("UPDATE pagemark_polled_jobs SET task = ? WHERE id = ?", task, id);
  }

  remove(id: string): void {
    this.#rows("DELETE FROM pagemark_polled_jobs WHERE id = ?", id);
    this.removeParts(id);
  }

  parts(id: string): StoredPart[] {
    const sql = "SELECT number, etag, sha256 FROM pagemark_polled_parts WHERE job = ? ORDER BY number";
    const rows = this.#rows(sql, id) as [number, string, string][];
    return rows.map(([number, etag, sha256]) => ({ number, etag, sha256 }));
  }

  savePart(id: string, { number, etag, sha256 }: StoredPart): void {
    this.#rows("INSERT OR REPLACE INTO pagemark_polled_parts VALUES (?, ?, ?, ?)", id, number, etag, sha256);
  }

  removeParts(id: string): void {
    this.#rows("DELETE FROM pagemark_polled_parts WHERE job = ?", id);
  }

  /** Takes note of what to delete, and when. */
  addTrash(key: string, uploadId: string | null, due: number): void {
    this.#rows("INSERT OR REPLACE INTO pagemark_polled_trash VALUES (?, ?, ?)", key, uploadId, due);
  }

  trash(now: number): Trash[] {
    const sql = "SELECT key, upload_id FROM pagemark_polled_trash WHERE due_ms <= ? LIMIT 100";
    const rows = this.#rows(sql, now) as [string, string | null][];
    return rows.map(([key, uploadId]) => ({ key, uploadId }));
  }

  countTrash(): number {
    return Number(this.#rows("SELECT count(*) FROM pagemark_polled_trash")[0]?.[0]);
  }

  /** Whether it is still to go. */
  isTrash(key: string, now: number): boolean {
    return (
      this.#rows("SELECT 1 FROM pagemark_polled_trash WHERE key = ? AND due_ms <= ?", key, now).length > 0
    );
  }

  /** It is gone; or, without a time, it is wanted again. */
  removeTrash(key: string, now = Number.MAX_SAFE_INTEGER): void {
    this.#rows("DELETE FROM pagemark_polled_trash WHERE key = ? AND due_ms <= ?", key, now);
  }

  /** When something is to be done next. */
  alarm(): number | undefined {
    const sql = `SELECT min(at) FROM (SELECT min(alarm_ms) AS at FROM pagemark_polled_jobs UNION ALL
      SELECT min(due_ms) FROM pagemark_polled_trash)`;
    return (this.#rows(sql)[0]?.[0] as number | null) ?? undefined;
  }

  #jobs(where: string, ...bindings: Value[]): JobRow[] {
    const rows = this.#rows(
      `SELECT ${ROW} FROM pagemark_polled_jobs WHERE ${where} ORDER BY rowid DESC`,
      ...bindings,
    );
    return (rows as [string, JobKind, string, string, string, string][]).map(
      ([id, kind, bookmark, label, state, task]) => ({ id, kind, bookmark, label, state, task }),
    );
  }

  #rows(sql: string, ...bindings: Value[]): unknown[][] {
    return [...this.#sql.exec(sql, ...bindings).raw()];
  }
}
