import type { Backup } from "../../entry/workerd.ts";
import type { Kept, Origin } from "./retention.ts";

const TABLE = `CREATE TABLE IF NOT EXISTS pagemark_backups (id TEXT PRIMARY KEY, origin TEXT NOT NULL,
  missed INTEGER NOT NULL DEFAULT 0, deleted INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID`;

type OriginRow = { id: string; origin: string; missed: number; deleted: number };

/** What the object knows of its backups beyond what the store says: who wanted them, and which were deleted. */
export class Origins {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    sql.exec(TABLE);
  }

  /** Notes who wanted a backup, and how many periods before it had none. */
  add(id: string, origin: Origin, missed: number): void {
    this.#sql.exec(
      "INSERT OR REPLACE INTO pagemark_backups (id, origin, missed) VALUES (?, ?, ?)",
      id,
      origin,
      missed,
    );
  }

  delete(id: string): void {
    this.#sql.exec(
      `INSERT INTO pagemark_backups (id, origin, deleted) VALUES (?, 'manual', 1)
        ON CONFLICT (id) DO UPDATE SET deleted = 1`,
      id,
    );
  }

  forget(ids: Iterable<string>): void {
    for (const id of ids) this.#sql.exec("DELETE FROM pagemark_backups WHERE id = ?", id);
  }

  /** All that is known, to be put into other storage. */
  rows(): OriginRow[] {
    return this.#sql.exec<OriginRow>("SELECT id, origin, missed, deleted FROM pagemark_backups").toArray();
  }

  put(rows: readonly OriginRow[]): void {
    for (const { id, origin, missed, deleted } of rows) {
      this.#sql.exec(
        "INSERT OR REPLACE INTO pagemark_backups VALUES (?, ?, ?, ?)",
        id,
        origin,
        missed,
        deleted,
      );
    }
  }

  /** How many periods of the schedule before each of them had no backup, where there were any. */
  missed(): Map<string, number> {
    const sql = "SELECT id, missed FROM pagemark_backups WHERE missed > 0";
    const rows = this.#sql.exec<{ id: string; missed: number }>(sql).toArray();
    return new Map(rows.map(({ id, missed }) => [id, missed]));
  }

  /** Of a backup that nobody noted down, that somebody wanted it: it is kept. */
  of(backups: readonly Backup[]): Kept[] {
    const rows = this.#sql.exec<{ id: string; origin: string; deleted: number }>(
      "SELECT * FROM pagemark_backups",
    );
    const known = new Map(rows.toArray().map((row) => [row.id, row]));
    return backups.map(({ id, kind, createdAt }) => {
      const row = known.get(id);
      const origin = (row?.origin ?? "manual") as Origin;
      return { id, kind, createdMs: Date.parse(createdAt), origin, deleted: row?.deleted === 1 };
    });
  }
}
