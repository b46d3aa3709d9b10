/** What has to be done at some time, each at most once at a time. */
export type Task = "backup" | "hourly" | "restore" | "polled";

const TABLE =
  "CREATE TABLE IF NOT EXISTS pagemark_agenda (task TEXT PRIMARY KEY, due_ms INTEGER NOT NULL) WITHOUT ROWID";

/** An object has one alarm: this keeps what it is set for, in the object's storage. */
export class Agenda {
  readonly #storage: DurableObjectStorage;
  #isThere = false;
  #isOver = false;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
  }

  /** Puts a task on the agenda, or moves it to another time. */
  async set(task: Task, dueMs: number): Promise<void> {
    this.#exec("INSERT OR REPLACE INTO pagemark_agenda VALUES (?, ?)", task, dueMs);
    await this.#setAlarm();
  }

  /** Puts a task on the agenda for an alarm that is still to come: not for the one that is at it. */
  async setNext(task: Task): Promise<void> {
    await this.set(task, Date.now() + 1);
  }

  /** Puts a task on the agenda unless it comes up earlier already. One that should have come up has lost its alarm. */
  async setBy(task: Task, dueMs: number): Promise<void> {
    const due = this.due(task);
    if (due === undefined || due > dueMs) await this.set(task, dueMs);
    else if (due <= Date.now()) await this.#setAlarm();
  }

  async drop(task: Task): Promise<void> {
    this.#exec("DELETE FROM pagemark_agenda WHERE task = ?", task);
    await this.#setAlarm();
  }

  /** When a task comes up, in milliseconds since 1970. */
  due(task: Task): number | undefined {
    const [row] = this.#exec("SELECT due_ms FROM pagemark_agenda WHERE task = ?", task);
    return row?.due_ms as number | undefined;
  }

  /**
   * Takes what is due first off the agenda, if anything is. Whoever does it puts down when it comes up next; what is
   * due after it stays, should the object be evicted meanwhile.
   */
  take(nowMs: number): Task | undefined {
    const sql = `DELETE FROM pagemark_agenda WHERE task IN
      (SELECT task FROM pagemark_agenda WHERE due_ms <= ? ORDER BY due_ms, task LIMIT 1) RETURNING task`;
    const [row] = this.#exec(sql, nowMs);
    return row?.task as Task | undefined;
  }

  /** Nothing comes up any more: the alarm is somebody else's. */
  end(): void {
    this.#isOver = true;
  }

  /** Sets the alarm for what comes up next. */
  async rearm(): Promise<void> {
    await this.#setAlarm();
  }

  async #setAlarm(): Promise<void> {
    if (this.#isOver) return;
    const [row] = this.#exec("SELECT min(due_ms) AS due_ms FROM pagemark_agenda");
    const due = row?.due_ms as number | null | undefined;
    if (due === null || due === undefined) await this.#storage.deleteAlarm();
    else await this.#storage.setAlarm(due);
  }

  #exec(sql: string, ...bindings: (string | number)[]): Record<string, SqlStorageValue>[] {
    if (this.#isOver) return [];
    if (!this.#isThere) {
      this.#storage.sql.exec(TABLE);
      this.#isThere = true;
    }
    return this.#storage.sql.exec(sql, ...bindings).toArray();
  }
}
