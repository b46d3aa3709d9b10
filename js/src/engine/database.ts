import { Backups } from "../backups/backups.ts";
import { dispose } from "../core/dispose.ts";
import { type EngineCore, type EngineDatabase, engineCore, free } from "../core/index.ts";
import { dumpMoment } from "../dump/dump.ts";
import type { DumpOptions } from "../dump/options.ts";
import { checkCall, checkGiven, checkList, checkOptions, PagemarkError } from "../errors/index.ts";
import type { BackupOptions } from "../run/backup.ts";
import type { NewBackup } from "../run/made.ts";
import type {
  Moment,
  PageSource,
  ReplacedTable,
  ReplaceOptions,
  TableReplacement,
} from "../sources/source.ts";
import type { Store } from "../stores/store.ts";
import { check } from "./check.ts";
import { CheckedStore, closeStore } from "./checked-store.ts";
import { Handle } from "./handle.ts";
import { importSql } from "./import.ts";
import { type Bytes, chunkOf, chunksOf, FILE, isThenable, momentText, sourceOf, type Text } from "./input.ts";
import { EngineMoment } from "./moment.ts";
import { type EnginePinOptions, type Opening, type OpenOptions, settingsOf } from "./options.ts";
import { replaceTables } from "./replace-tables.ts";
import type { Check, Hold, Imported, State, StateAt } from "./results.ts";
import { type Parameters, type Row, runBatch, Statement } from "./statement.ts";
import type { IntegerOptions } from "./values.ts";

const UNDO_LEASE_MS = 24 * 3600 * 1000;
/** Size of the chunks in which a compacted copy is read, in bytes. */
const CHUNK = 256 << 10;

/**
 * A live SQLite database. Every commit has a bookmark, and can be read and restored as long as history keeps it.
 *
 * Statements run at once and block, as SQLite's do. A backup or dump reads a pinned state, while writes go on.
 *
 * @example
 * ```ts
 * import { LiveDatabase } from "pagemark/engine";
 * const db = await LiveDatabase.open();
 * db.exec("CREATE TABLE t (a)");
 * db.prepare("INSERT INTO t VALUES (?)").run(1n);
 * const before = db.bookmark();
 * db.exec("DELETE FROM t");
 * db.restore({ at: before });
 * ```
 */
export class LiveDatabase implements PageSource, Disposable {
  readonly name: string;
  readonly #core: EngineCore;
  readonly #options: Opening;
  readonly #handle: Handle;
  /** The database's backups in each store, with what is known of them. */
  readonly #backups = new WeakMap<Store, Backups>();
  /** Depth of nested transactions. */
  #depth = 0;

  /**
   * Opens the database in a store, or a new one in memory.
   *
   * @throws PagemarkError `ENGINE_IN_USE` when one of that name is open already, and what the store throws
   */
  static async open(wanted: OpenOptions = {}): Promise<LiveDatabase> {
    const { store: opening, ...options } = checkOptions(wanted);
    const [core, store] = [await engineCore(), await opening];
    try {
      return new LiveDatabase(core, { ...options, ...(store !== undefined && { store }) });
    } catch (error) {
      closeStore(store);
      throw error;
    }
  }

  private constructor(core: EngineCore, options: Opening) {
    if (typeof options !== "object" || typeof core?.Database?.open !== "function") {
      throw new PagemarkError("USAGE", "a live database is opened with `await LiveDatabase.open()`");
    }
    this.#core = core;
    this.#options = options;
    this.name = options.name ?? "database";
    const { store } = options;
    const settings = settingsOf(core, options);
    const lineage = crypto.getRandomValues(new BigUint64Array(1))[0] ?? 1n;
    const hex = lineage.toString(16).padStart(16, "0");
    const pages = store === undefined ? undefined : new CheckedStore(store);
    const engine = core.Database.open(pages, hex, settings, Date.now());
    this.#handle = new Handle(engine, this.name);
  }

  /** Runs a script of any number of statements. */
  exec(sql: string): void {
    this.#run((engine) => engine.exec(sql, Date.now()));
  }

  /** Compiles a statement. */
  prepare(sql: string, options: IntegerOptions = this.#options): Statement {
    return this.#run(() => Statement.only(this.#handle, sql, checkOptions(options)));
  }

  /**
   * Compiles the first statement of a text with several; `rest` is what follows it. `undefined` when there is none left.
   * Later ones may need what earlier ones make, so each is compiled when those before it have run.
   */
  prepareNext(
    sql: string,
    options: IntegerOptions = this.#options,
  ): { statement: Statement; rest: string } | undefined {
    return this.#run(() => Statement.next(this.#handle, sql, options));
  }

  /** Runs statements in one transaction and returns the rows of each. All of them take effect, or none does. */
  batch(statements: readonly (Statement | readonly [Statement, ...Parameters])[]): Row[][] {
    checkList(statements, "the statements");
    const bound = statements.map((each) => {
      if (each instanceof Statement) return [each] as [Statement, ...Parameters];
      checkList(each, "a statement with parameters");
      return each as [Statement, ...Parameters];
    });
    if (this.inTransaction || bound.some(([statement]) => statement.changesSchema)) {
      // What columns a statement has may change within the batch: the rows of each are read before the next one runs.
      return this.transaction(() =>
        bound.map(([statement, ...parameters]) =>
          statement.of(this.#handle).all(...(parameters as Parameters)),
        ),
      );
    }
    return this.#run((engine) => runBatch(this.#handle, engine, bound));
  }

  /**
   * Runs `action` in a transaction, which is rolled back if it throws. Within another one it is a savepoint.
   *
   * `action` must not be asynchronous: while it waits, other code would run within the transaction.
   */
  transaction<T>(action: () => T): T {
    checkCall(action, "the action");
    const [begin, commit, rollback] =
      this.#depth === 0 && !this.inTransaction
        ? ["BEGIN IMMEDIATE", "COMMIT", "ROLLBACK"]
        : ["SAVEPOINT pagemark", "RELEASE pagemark", "ROLLBACK TO pagemark; RELEASE pagemark"];
    this.exec(begin);
    this.#depth++;
    try {
      const result = action();
      if (isThenable(result)) {
        // Nobody awaits this promise.
        result.then(undefined, () => {});
        throw new PagemarkError("USAGE", "the action of a transaction cannot be asynchronous");
      }
      this.exec(commit);
      return result;
    } catch (error) {
      // After some errors SQLite has rolled back already.
      if (this.inTransaction) this.exec(rollback);
      throw error;
    } finally {
      this.#depth--;
    }
  }

  get inTransaction(): boolean {
    return this.#run((engine) => engine.inTransaction);
  }

  /** Number of rows that were inserted, updated or deleted since the database was opened. */
  get totalChanges(): number {
    return this.#run((engine) => engine.totalChanges);
  }

  /** The rowid of the last INSERT; a BigInt if a number cannot hold it. */
  get lastInsertRowid(): number | bigint {
    return this.#run((engine) => {
      const rowid = engine.lastRowid;
      return Number.isSafeInteger(rowid) ? rowid : engine.lastInsertRowid;
    });
  }

  /**
   * Runs `action`, in which statements are a stranger's. To compile and to run them may take about so many steps: an
   * instruction of SQLite (some 50 to 100 million a second), four bytes of memory filled or read of the database, 128
   * copied or compared, or 14 ns of work in a function. When the steps are used up, the running statement fails. Where
   * clocks stand still while a program computes, as in Workers, nothing else can stop it. A value may have 16 MiB, a pattern of LIKE or GLOB 250 bytes, and SQLite 64 MiB more memory than it
   * had. There are no temporary tables, and nothing reaches past SQL into the database file, as `PRAGMA writable_schema`
   * would. With `readonly`, only statements that are known to change nothing are authorized. `asD1` allows no more than
   * D1 does, such as statements of 100,000 bytes and tables of 100 columns.
   *
   * @throws SqlError with `sqlite` 9 when it took too long, PagemarkError `READ_ONLY`
   */
  limited<T>(steps: number, action: () => T, options: { readonly?: boolean; asD1?: boolean } = {}): T {
    checkCall(action, "the action");
    const { readonly = false, asD1 = false } = checkOptions(options);
    this.#run((engine) => engine.limitSteps(steps, readonly));
    try {
      if (asD1) this.#run((engine) => engine.limitAsD1(true));
      return action();
    } finally {
      if (asD1) this.#handle.engine.limitAsD1(false);
      this.#handle.engine.limitSteps(0);
    }
  }

  /** The newest commit's bookmark. @throws PagemarkError `DATABASE_EMPTY` before the first */
  bookmark(): string {
    return this.#look((engine) => engine.bookmark());
  }

  /**
   * The bookmark of the state that the database was in at a time. When that state was thinned away, it is the bookmark of
   * the state before. The same holds when a bookmark is given.
   *
   * @throws PagemarkError `TIME_BEFORE_FIRST`, `TIME_AFTER_LAST`, `HISTORY_GONE`, `AT_SYNTAX`
   */
  bookmarkAt(at: StateAt): string {
    return this.#run((engine) => engine.bookmarkAt(momentText(at), Date.now()));
  }

  /** The states that can be read, oldest first. */
  states(): State[] {
    return this.#look((engine) => engine.states()).map(({ bookmark, txid, timeMs, pageSize, pageCount }) => {
      return { bookmark, txid, at: new Date(timeMs), pageSize, pageCount };
    });
  }

  /**
   * Goes back to an earlier state, in a commit like any other. When the state was thinned away, it goes to the state before,
   * which `bookmarkAt` names. Returns the bookmark that undoes it, which is kept for a day. Statements see the restored rows
   * when they are next run.
   */
  restore(options: { at: StateAt }): string {
    const { at } = checkGiven(options, "{ at }");
    return this.#run((engine) => engine.restore(momentText(at), UNDO_LEASE_MS, Date.now()));
  }

  /** Lets go of states that neither `history` nor holds keep. Commits do that, too; call it for a database that is only read. */
  sweep(): void {
    this.#run((engine) => engine.sweep(Date.now()));
  }

  /**
   * Keeps a state readable (CHECKPOINT CREATE) until it is released (CHECKPOINT RELEASE), or for `leaseMs` after it
   * was last renewed; a minute unless given.
   */
  hold(options: { at?: StateAt; leaseMs?: number } = {}): Hold {
    const { at = "latest", leaseMs = 60_000 } = checkOptions(options);
    const { id, bookmark } = this.#look((engine) => engine.pin(momentText(at), leaseMs, Date.now()));
    const release = () => this.#look((engine) => engine.release(id, Date.now()));
    return {
      bookmark,
      renew: () => this.#look((engine) => engine.renew(id, leaseMs, Date.now())),
      release,
      // Holds end with the database.
      [Symbol.asyncDispose]: async () => void (this.#handle.isClosed || release()),
    };
  }

  /** Pins a state, the newest unless `at` is given. Reading it prolongs its lease. */
  async pin(wanted: EnginePinOptions = {}): Promise<Moment> {
    const { at = "latest", ...options } = checkOptions(wanted);
    options.signal?.throwIfAborted();
    return this.#look(() => new EngineMoment(this.#handle, momentText(at), options));
  }

  /** Backs up the newest state, page by page: what changed since the last backup, or everything. */
  async backup(wanted: BackupOptions & { store: Store }): Promise<NewBackup> {
    const { store, ...options } = checkOptions(wanted ?? null);
    if (!store) throw new PagemarkError("USAGE", "backup({ store }) needs a store");
    const backups = this.#backups.get(store) ?? (await Backups.open(this.name, store));
    this.#backups.set(store, backups);
    return backups.create(this, options);
  }

  /** Dumps a state as SQL, the newest unless `at` is given. Writes go on meanwhile. */
  async dump(wanted: DumpOptions & { at?: StateAt } = {}): Promise<ReadableStream<Uint8Array>> {
    const { at = "latest", ...options } = checkOptions(wanted);
    const moment = this.#look(() => new EngineMoment(this.#handle, momentText(at)));
    try {
      return await dumpMoment(moment, this.name, options);
    } catch (error) {
      await moment.release();
      throw error;
    }
  }

  /** The newest commit as a database file, all of it in memory. */
  serialize(): Uint8Array {
    return this.#run((engine) => engine.serialize());
  }

  /**
   * Replaces the content by that of a database file, in one commit. While the file comes in, the database may be read. A
   * commit meanwhile makes the load fail, and stays.
   *
   * @throws PagemarkError `LOAD_STALE`, `LOAD_SIZE`, `ENGINE_BUSY`, those of the header; nothing of the file stays then
   */
  async load(file: Bytes | PromiseLike<Bytes>, options: ReplaceOptions = {}): Promise<void> {
    const { signal, ownsChunks } = checkOptions(options);
    const source = sourceOf(await file, FILE);
    this.#run(() => {});
    const loading = new this.#core.Loading();
    const feed = (chunk: Uint8Array) => {
      this.#handle.engine.loadFeed(loading, chunk, Date.now());
      if (ownsChunks) free(chunk);
    };
    try {
      signal?.throwIfAborted();
      if (source instanceof ReadableStream) {
        const write = (chunk: Uint8Array) => feed(chunkOf(chunk, FILE));
        await source.pipeTo(new WritableStream({ write }), signal && { signal });
      } else for await (const chunk of chunksOf(source, FILE)) feed(chunk);
      this.#run(() => {});
    } catch (error) {
      if (this.#handle.isClosed) loading.free();
      else this.#handle.engine.loadAbort(loading);
      throw error;
    }
    this.#run((engine) => engine.load(loading, Date.now()));
  }

  /**
   * Runs SQL from outside as the `sqlite3` shell runs a file, in one commit: `.dump`'s output, D1's exports, our own dumps,
   * scripts. It runs on a connection of its own, so none of its settings stays. Foreign keys are enforced as in the
   * database; dumps turn them off, and are checked when all rows are there. Meanwhile the database takes no other
   * statements. A database that holds nothing yet takes over page size and encoding. What D1's exports get wrong is put right, and
   * what they have lost is told in `warnings`.
   *
   * @throws SqlError `IMPORT_STATEMENT`, `IMPORT_FOREIGN_KEY`, `IMPORT_CUT_OFF`, `IMPORT_FORMAT` and others, with the line;
   * nothing of the import stays then
   */
  async import(
    sql: Text | PromiseLike<Text>,
    options: { signal?: AbortSignal | undefined; steps?: number | undefined } = {},
  ): Promise<Imported> {
    return importSql(this.#core, this.#handle, await sql, checkOptions(options));
  }

  /** Replaces the content by that of a database file: a restore of a stored backup does that. */
  replace(body: ReadableStream<Uint8Array>, options?: ReplaceOptions): Promise<void> {
    return this.load(body, options);
  }

  /** Makes some tables anew, and leaves the others as they are: a restore of single tables does that. */
  replaceTables(replacement: TableReplacement): Promise<ReplacedTable[]> {
    return replaceTables(this, replacement, (sql, options) =>
      importSql(this.#core, this.#handle, sql, options),
    );
  }

  /** A copy without free space (VACUUM INTO), as a database file. */
  compact(): ReadableStream<Uint8Array> {
    const copy = this.#run((engine) => engine.compact(Date.now()));
    return new ReadableStream<Uint8Array>({
      pull(controller) {
        const chunk = copy.read(CHUNK);
        if (chunk.length > 0) return controller.enqueue(chunk);
        copy.free();
        controller.close();
      },
      cancel: () => copy.free(),
    });
  }

  /**
   * Checks whether each table and index is whole, and whether foreign keys refer to rows. What needs a collation, function,
   * tokenizer or module that is not here is reported as unchecked; everything else is checked.
   */
  check(): Check {
    return check(this, (table) => this.#run((engine) => engine.check(table, Date.now())));
  }

  /** Closes the database. What was not committed is rolled back. */
  close(): void {
    const engine = this.#handle.take();
    engine?.close();
    if (engine) closeStore(this.#options.store);
  }

  [dispose](): void {
    this.close();
  }

  /** Runs what only looks at committed states, also while an import is under way. */
  #look<T>(action: (engine: EngineDatabase) => T): T {
    return action(this.#handle.engine);
  }

  #run<T>(action: (engine: EngineDatabase) => T): T {
    return action(this.#handle.idle);
  }
}
