import type { Check, Imported, State, StateAt } from "../engine/results.ts";
import type { Row, RunResult } from "../engine/statement.ts";
import type { SqlParameter, SqlValue } from "../engine/values.ts";
import { PagemarkError } from "../errors/index.ts";
import { errorOf } from "../errors/thrown.ts";
import type { BackupOptions } from "../run/backup.ts";
import type { NewBackup } from "../run/made.ts";
import type { Bound, FromPage, SharedOptions, ToPage, Work } from "./shared-messages.ts";
import { StartedWorker } from "./started-worker.ts";

/** How {@link sharedDatabase} opens a database. */
export interface SharedDatabaseOptions extends SharedOptions {
  /** A worker of your own that imports `pagemark/browser/database-worker`, where a bundler does not find ours by itself. */
  worker?: Worker;
}

interface Waiting {
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/**
 * Opens a database of Pagemark's engine in the origin's private files, which all tabs share. One tab's worker has it open; when that tab
 * goes, another one's takes over, and what was not answered is done there: each work once, whichever tab ends in between.
 *
 * @param path of the database: names with `/` between them
 * @throws PagemarkError `ENGINE_IN_USE` when something else than `sharedDatabase` has it open, and what opening it throws
 * @example
 * ```ts
 * import { sharedDatabase } from "pagemark/browser";
 * const db = await sharedDatabase("app", { history: { ageMs: 86_400_000 } });
 * await db.exec("CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, text)");
 * await db.run("INSERT INTO notes (text) VALUES (?)", "from this tab");
 * db.onChange(async () => console.log(await db.all("SELECT * FROM notes")));
 * ```
 */
export async function sharedDatabase(
  path: string,
  options: SharedDatabaseOptions = {},
): Promise<SharedDatabase> {
  const { worker, ...plain } = options;
  const db = new SharedDatabase(path, worker);
  await db.open(plain);
  return db;
}

/** See {@link sharedDatabase}. Its methods are those of `LiveDatabase`, each with a promise. */
export class SharedDatabase {
  readonly name: string;
  readonly #worker: StartedWorker;
  readonly #waiting = new Map<number, Waiting>();
  readonly #listeners = new Set<(bookmark: string) => void>();
  #opening = Promise.withResolvers<void>();
  #calls = 0;
  #failure: PagemarkError | undefined;

  /** @internal */
  constructor(path: string, worker: Worker | undefined) {
    this.name = path;
    this.#worker = new StartedWorker(
      "database-worker",
      worker,
      () => new Worker(new URL("../entry/database-worker.js", import.meta.url), { type: "module" }),
      async () => (await import("./inline-database-worker.ts")).script,
      { hear: (said: ToPage) => this.#hear(said), fail: (error) => this.#fail(error) },
    );
  }

  /** @internal */
  open(options: SharedOptions): Promise<void> {
    this.#post({ kind: "open", path: this.name, options });
    return this.#opening.promise;
  }

  /** Runs a script in one transaction; a single statement, such as VACUUM, without one around it. */
  exec(sql: string): Promise<void> {
    return this.#ask("exec", sql);
  }

  /** Runs a statement, without looking at rows. */
  run(sql: string, ...parameters: SqlParameter[]): Promise<RunResult> {
    return this.#ask("run", [sql, ...parameters]);
  }

  /** Every row. */
  all(sql: string, ...parameters: SqlParameter[]): Promise<Row[]> {
    return this.#ask("all", [sql, ...parameters]);
  }

  /** The first row; `undefined` when there is none. */
  get(sql: string, ...parameters: SqlParameter[]): Promise<Row | undefined> {
    return this.#ask("get", [sql, ...parameters]);
  }

  /** Every row, as an array of its values. */
  values(sql: string, ...parameters: SqlParameter[]): Promise<SqlValue[][]> {
    return this.#ask("values", [sql, ...parameters]);
  }

  /**
   * Runs statements in one transaction and returns the rows of each: `db.batch([["UPDATE t SET a = ?", 1], ["SELECT * FROM t"]])`.
   * All of them take effect, or none does. A transaction that waits for its page would keep all other tabs waiting, so there is none.
   */
  batch(statements: readonly Bound[]): Promise<Row[][]> {
    return this.#ask("batch", statements);
  }

  /** See `LiveDatabase.import`. */
  import(sql: string | Blob): Promise<Imported> {
    return this.#ask("import", sql);
  }

  /** Replaces the content by that of a database file, in one commit. */
  load(file: Blob): Promise<void> {
    return this.#ask("load", file);
  }

  /** The newest commit as a database file, all of it in memory. */
  serialize(): Promise<Uint8Array> {
    return this.#ask("serialize", undefined);
  }

  /** The newest commit's bookmark. */
  bookmark(): Promise<string> {
    return this.#ask("bookmark", undefined);
  }

  /** The bookmark of the state that the database was in at a time. */
  bookmarkAt(at: StateAt): Promise<string> {
    return this.#ask("bookmarkAt", at);
  }

  /** The states that can be read, oldest first. */
  states(): Promise<State[]> {
    return this.#ask("states", undefined);
  }

  /** Goes back to an earlier state; returns the bookmark that undoes it. */
  restore({ at }: { at: StateAt }): Promise<string> {
    return this.#ask("restore", at);
  }

  /** Checks tables, indexes and foreign keys. */
  check(): Promise<Check> {
    return this.#ask("check", undefined);
  }

  /** Backs up the newest state into a folder of the origin's private files, `backups` unless given; others go on meanwhile. */
  backup({
    folder = "backups",
    ...options
  }: { folder?: string } & Pick<BackupOptions, "full" | "note" | "tag"> = {}): Promise<NewBackup> {
    return this.#ask("backup", { folder, options });
  }

  /** Calls `listener` after each commit, of whichever tab, with its bookmark. Returns what ends that. */
  onChange(listener: (bookmark: string) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Leaves the database to the other tabs. What was asked for and not answered fails with `WORKER_CLOSED`; it may be done. */
  close(): void {
    if (!this.#failure) this.#post({ kind: "close" });
    this.#fail(
      new PagemarkError("WORKER_CLOSED", "the shared database was closed here; call sharedDatabase() again"),
    );
  }

  #ask<T, M extends keyof Work>(method: M, argument: Work[M]): Promise<T> {
    if (this.#failure) return Promise.reject(this.#failure);
    const id = ++this.#calls;
    return new Promise<T>((resolve, reject) => {
      // First: what cannot cross throws here.
      this.#post({ kind: "ask", id, method, argument });
      this.#waiting.set(id, { resolve: resolve as (value: unknown) => void, reject });
    });
  }

  #hear(said: ToPage): void {
    if ("opened" in said) this.#opening.resolve();
    else if ("changed" in said) for (const listener of this.#listeners) listener(said.changed);
    // The database could not be opened, at first or when it came from another tab.
    else if ("failed" in said) this.#fail(errorOf(said.failed));
    else {
      const waiting = this.#waiting.get(said.id);
      this.#waiting.delete(said.id);
      if ("thrown" in said) waiting?.reject(errorOf(said.thrown));
      else waiting?.resolve(said.value);
    }
  }

  #post(message: FromPage): void {
    this.#worker.post(message);
  }

  #fail(error: PagemarkError): void {
    this.#failure ??= error;
    this.#opening.reject(error);
    // Nobody may be waiting for that.
    this.#opening.promise.catch(() => {});
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}
