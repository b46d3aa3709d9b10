import { PagemarkError } from "../../errors/index.ts";
import { upgrade } from "../../service/jobs/table.ts";
import { isTransient, type R2Calls, r2Calls } from "../../stores/r2/errors.ts";
import type { Removals } from "../../vault/notes.ts";

const TABLE = "CREATE TABLE IF NOT EXISTS pagemark_removals (at INTEGER PRIMARY KEY, key TEXT NOT NULL)";
/** What came to the table later. Without them a row is one of those that go in order. */
const LATER = {
  upload_id: "TEXT",
  due_ms: "INTEGER NOT NULL DEFAULT 0",
  in_order: "INTEGER NOT NULL DEFAULT 1",
};
/** What exports and imports leave had a table of its own. */
const OLD = "pagemark_polled_trash";
const TAKE_OVER = `INSERT INTO pagemark_removals (key, upload_id, due_ms, in_order)
  SELECT key, upload_id, due_ms, 0 FROM ${OLD}`;

/** After how long a deletion that failed is tried again, in milliseconds. */
const AGAIN_MS = 60_000;
/** So many are deleted in one alarm. */
const MOST = 100;

/** Five attempts within some three seconds. */
const PATIENCE = { attempts: 5, delay: 200, timeout: 30_000 };

/** R2's calls, as everything of jobs makes them. */
export function callsOf(bucket: R2Bucket): R2Calls {
  return r2Calls(bucket, PATIENCE);
}

type Row = { at: number; key: string; upload_id: string | null };

/** Deletes from the bucket what nobody needs. What is to go is noted down first, so that it goes in the end. */
export class Bin implements Removals {
  readonly #sql: SqlStorage;
  readonly #bucket: R2Bucket;
  #emptying: Promise<void> | undefined;

  constructor(sql: SqlStorage, bucket: R2Bucket) {
    this.#sql = sql;
    this.#bucket = bucket;
    sql.exec(TABLE);
    upgrade(sql, "pagemark_removals", LATER, OLD, TAKE_OVER);
  }

  /** Notes down objects that go one after the other. */
  add(keys: readonly string[]): void {
    for (const key of keys) this.#sql.exec("INSERT INTO pagemark_removals (key) VALUES (?)", key);
  }

  /** Deletes those that go one after the other. @throws StoreError for the first that stays, with those after it */
  async run(): Promise<void> {
    const sql = "SELECT at, key, upload_id FROM pagemark_removals WHERE in_order ORDER BY at LIMIT 1";
    try {
      for (let [row] = this.#rows(sql); row; [row] = this.#rows(sql)) {
        await this.#delete(row);
        this.#sql.exec("DELETE FROM pagemark_removals WHERE at = ?", row.at);
      }
    } catch (error) {
      this.#sql.exec("UPDATE pagemark_removals SET due_ms = ? WHERE in_order", Date.now() + AGAIN_MS);
      throw error;
    }
  }

  /** Notes down an object, with the upload that it was to become of, that goes by itself at its time. */
  put(key: string, uploadId: string | null, dueMs: number): void {
    this.keep(key);
    const sql = "INSERT INTO pagemark_removals (key, upload_id, due_ms, in_order) VALUES (?, ?, ?, 0)";
    this.#sql.exec(sql, key, uploadId, dueMs);
  }

  /** It is wanted again. */
  keep(key: string): void {
    this.#sql.exec("DELETE FROM pagemark_removals WHERE key = ? AND NOT in_order", key);
  }

  /** When something is to go next, in milliseconds since 1970. */
  dueMs(): number | undefined {
    const sql = "SELECT min(due_ms) AS due FROM pagemark_removals";
    return this.#sql.exec<{ due: number | null }>(sql).one().due ?? undefined;
  }

  /** Deletes what is due; never fails, but has it tried again later. */
  empty(nowMs: number): Promise<void> {
    this.#emptying ??= this.#empty(nowMs).finally(() => {
      this.#emptying = undefined;
    });
    return this.#emptying;
  }

  /** Deletes all of it, whenever it is due. @throws PagemarkError when some of it is still there; it stays noted down */
  async emptyAll(): Promise<void> {
    for (let left = this.#count(), before = left + 1; left > 0; ) {
      if (left === before)
        throw new PagemarkError("STORE_UNAVAILABLE", `${left} objects could not be deleted`);
      await this.empty(Number.MAX_SAFE_INTEGER);
      before = left;
      left = this.#count();
    }
  }

  async #empty(nowMs: number): Promise<void> {
    const due = "FROM pagemark_removals WHERE NOT in_order AND due_ms <= ?";
    for (const row of this.#rows(`SELECT at, key, upload_id ${due} LIMIT ${MOST}`, nowMs)) {
      try {
        // It may have been asked for again meanwhile.
        if (this.#rows(`SELECT at, key, upload_id ${due} AND at = ?`, nowMs, row.at).length === 0) continue;
        await this.#delete(row);
        // A note of meanwhile may have its place, and is for later.
        this.#sql.exec("DELETE FROM pagemark_removals WHERE at = ? AND due_ms <= ?", row.at, nowMs);
      } catch {
        const again = "UPDATE pagemark_removals SET due_ms = ? WHERE at = ? AND due_ms <= ?";
        this.#sql.exec(again, Date.now() + AGAIN_MS, row.at, nowMs);
      }
    }
    const inOrder = this.#rows(
      "SELECT at FROM pagemark_removals WHERE in_order AND due_ms <= ? LIMIT 1",
      nowMs,
    );
    if (inOrder.length > 0) await this.run().catch(() => {});
  }

  async #delete({ key, upload_id: uploadId }: Row): Promise<void> {
    const calls = callsOf(this.#bucket);
    if (uploadId !== null) {
      await calls.run({ doing: "delete", key }, async (bucket) => {
        try {
          await bucket.resumeMultipartUpload(key, uploadId).abort();
        } catch (error) {
          // One that has ended, or was never heard of, is no harm.
          if (isTransient(error)) throw error;
        }
      });
    }
    await calls.run({ doing: "delete", key }, (bucket) => bucket.delete(key));
  }

  #count(): number {
    return this.#sql.exec<{ n: number }>("SELECT count(*) AS n FROM pagemark_removals").one().n;
  }

  #rows(sql: string, ...bindings: (string | number)[]): Row[] {
    return this.#sql.exec<Row>(sql, ...bindings).toArray();
  }
}
