import type { Store } from "../../entry/workerd.ts";

const TABLE = "CREATE TABLE IF NOT EXISTS pagemark_removals (at INTEGER PRIMARY KEY, key TEXT NOT NULL)";

/** Objects that are to be deleted, in order. They are noted down first: nobody finds them again otherwise. */
export class Removals {
  readonly #sql: SqlStorage;
  readonly #store: Store;

  constructor(sql: SqlStorage, store: Store) {
    this.#sql = sql;
    this.#store = store;
    sql.exec(TABLE);
  }

  add(keys: readonly string[]): void {
    for (const key of keys) this.#sql.exec("INSERT INTO pagemark_removals (key) VALUES (?)", key);
  }

  /** Deletes what can be deleted now; the rest stays noted down. */
  async run(): Promise<void> {
    const sql = "SELECT at, key FROM pagemark_removals ORDER BY at LIMIT 1";
    const next = () => this.#sql.exec<{ at: number; key: string }>(sql).toArray()[0];
    for (let row = next(); row; row = next()) {
      await this.#store.delete(row.key);
      this.#sql.exec("DELETE FROM pagemark_removals WHERE at = ?", row.at);
    }
  }
}
