// What a Durable Object's `ctx.storage` is to the engine's store, over node:sqlite.
import { DatabaseSync, type SQLInputValue } from "node:sqlite";

/** Durable Object storage in memory. */
export class SqlStorage {
  readonly database = new DatabaseSync(":memory:");
  /** Called before each statement and before the COMMIT of a transaction; it may throw. */
  before: (sql: string) => void = () => {};
  /** How many statements were run, and how many rows they gave. */
  calls = 0;
  rows = 0;

  readonly sql = {
    exec: (sql: string, ...bindings: unknown[]) => {
      this.before(sql);
      this.calls++;
      const statement = this.database.prepare(sql);
      const rows = statement
        .all(...(bindings as SQLInputValue[]))
        .map((row) => Object.values(row) as unknown[]);
      this.rows += rows.length;
      return { raw: () => rows.values() };
    },
  };

  transactionSync<T>(action: () => T): T {
    this.database.exec("BEGIN");
    try {
      const result = action();
      this.before("COMMIT");
      this.database.exec("COMMIT");
      return result;
    } catch (error) {
      this.database.exec("ROLLBACK");
      throw error;
    }
  }

  /** The one value that `sql` gives. */
  value(sql: string): unknown {
    return Object.values(this.database.prepare(sql).get() ?? {})[0];
  }
}
