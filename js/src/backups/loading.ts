// Writes statements into a database that takes SQL, in transactions, each of which is in exactly once, whatever becomes of
// the answer.
import { uuid } from "../core/index.ts";
import { PagemarkError, SourceError } from "../errors/index.ts";
import { HALF_LOADED, type RowTarget, type StandIns } from "../sources/source.ts";
import { dropsFor, type TargetState, targetState } from "./load-target.ts";

export interface LoadingOptions {
  /** Names what is loaded. */
  load?: string | undefined;
  /** The bookmark of what was there before. */
  undo?: string | undefined;
  replace?: boolean | undefined;
  tables?: string[] | undefined;
  signal?: AbortSignal | undefined;
}

/** A transaction has about so many bytes of SQL; what is not larger is loaded in one. */
const TRANSACTION = 1 << 20;
const ONLY_TRANSACTION = 2 << 20;
/** And so many statements at most. */
const MOST_STATEMENTS = 1_000;
/** Lets rows refer to what is not there when the transaction ends: with the second, SQLite forgets what it was to check then. */
const DEFER = "PRAGMA defer_foreign_keys=TRUE";
const FORGET = "PRAGMA defer_foreign_keys=FALSE";
const PASS_CHECKS = "PRAGMA ignore_check_constraints=ON";
const CHECK_AGAIN = "PRAGMA ignore_check_constraints=OFF";
/** How the SQL says what is to hold for the statements that follow; here, each transaction says that. */
const PRAGMA = /^(?:\s*--[^\n]*\n)*\s*PRAGMA (?:defer_foreign_keys|(ignore_check_constraints))=\w+;?$/;
/** A write of which nothing is known is tried again so often. */
const ATTEMPTS = 5;
const NONE: ReturnType<StandIns["statements"]> = { make: [], remove: [] };

export class Loading {
  readonly #target: RowTarget;
  readonly #load: string;
  readonly #options: LoadingOptions;
  /** Statements that are in the database, by what it says. */
  #done: number;
  /** What has to come first. */
  readonly #before: string[];
  readonly #standIns: StandIns | undefined;
  /** Names of tables that stay, in lower case. */
  readonly #there: ReadonlySet<string>;
  /** Number of the first statement that writes rows. */
  #firstRows = Number.POSITIVE_INFINITY;
  /** Whether rows go in that break a CHECK. */
  #passesChecks = false;
  /** Whether the last transaction may be in, which nobody answered. */
  #mayBeDone = false;
  /** Whether a write was sent that nobody answered. */
  #isAsking = false;

  /** @throws SourceError when what the database holds may not be replaced */
  constructor(target: RowTarget, state: TargetState, options: LoadingOptions) {
    this.#target = target;
    this.#load = options.load ?? uuid();
    this.#options = options;
    this.#standIns = target.standIns?.();
    const { halfLoaded, isEmpty } = state;
    const { tables = [], replace = false } = options;
    const isSame = halfLoaded !== undefined && halfLoaded.load === this.#load;
    this.#done = isSame ? halfLoaded.done : 0;
    this.#before = isSame || isEmpty ? [] : dropsFor(target.name, state, tables);
    const stay = tables.length > 0 ? state.objects : [];
    this.#there = new Set(stay.map(({ name }) => name.toLowerCase()));
    const isAbsent = tables.length > 0 && !halfLoaded && this.#before.length === 0;
    // One table cannot be replaced in a database that is in pieces.
    if (isSame || isEmpty || isAbsent || (replace && !(halfLoaded && tables.length > 0))) return;
    const { name } = target;
    if (halfLoaded) {
      const undo = halfLoaded.undo ? `; what was there before is bookmark ${halfLoaded.undo}` : "";
      const message = `${name}: holds part of ${halfLoaded.load}, whose restore did not end; restore that again, or replace all that is there${undo}`;
      throw new SourceError("SOURCE_HALF_LOADED", message, { name });
    }
    const message = `${name}: holds tables already; load into an empty database, or say that it may replace them`;
    throw new SourceError("SOURCE_NOT_EMPTY", message, { name });
  }

  /** @throws SourceError which says whether a part is in the database now */
  async run(statements: AsyncIterable<string>): Promise<void> {
    try {
      await this.#run(statements);
    } catch (error) {
      if (this.#passesChecks) await this.#target.write([CHECK_AGAIN]).catch(() => {});
      const isUnknown = this.#isAsking && this.#options.signal?.aborted;
      if (!(error instanceof PagemarkError) || (this.#done === 0 && !isUnknown)) throw error;
      const some = this.#mayBeDone ? "all of it or a part" : "a part only";
      const holds = this.#done === 0 ? "nothing of it, a part or all" : some;
      const why = error.code === "CANCELED" ? "canceled" : error.message;
      const message = `${why}; ${this.#target.name} holds ${holds} now: run the same again, which goes on there`;
      throw new SourceError(error.code as `SOURCE_${string}`, message, error.at, { cause: error });
    }
  }

  async #run(statements: AsyncIterable<string>): Promise<void> {
    let [count, bytes] = [0, 0];
    let batch: string[] = [];
    for await (const statement of statements) {
      count++;
      if (this.#standIns?.note(statement)) this.#firstRows = count;
      const pragma = PRAGMA.exec(statement);
      if (pragma?.[1]) this.#passesChecks = true;
      if (count <= this.#done) continue;
      if (!pragma) batch.push(statement);
      bytes += statement.length;
      const most = this.#done === 0 ? ONLY_TRANSACTION : TRANSACTION;
      if (bytes < most && batch.length < MOST_STATEMENTS) continue;
      await this.#write(batch, count, false);
      [batch, bytes] = [[], 0];
    }
    await (this.#done === 0 ? this.#only(batch) : this.#write(batch, count, true));
  }

  /** All that is one transaction. */
  #transaction(statements: readonly string[]): string[] {
    const [first, last] = this.#passesChecks ? [[PASS_CHECKS], [CHECK_AGAIN]] : [[], []];
    return [DEFER, ...first, ...statements, ...last, FORGET];
  }

  /** Writes all there is at once: it is there or not. */
  async #only(batch: readonly string[]): Promise<void> {
    const { signal } = this.#options;
    for (let attempt = 1; ; attempt++) {
      try {
        const { make, remove } = this.#standIns?.statements(this.#there) ?? NONE;
        const all = [...this.#before, ...make, ...batch, ...remove];
        return await this.#send(this.#transaction(all));
      } catch (error) {
        // What is dropped first can be written again. Else an answer that was lost has left what is refused now.
        if (this.#before.length === 0 && attempt > 1 && isCode(error, "SOURCE_REFUSED")) {
          if (!(await targetState(this.#target, signal)).isEmpty) return;
        }
        if (attempt === ATTEMPTS || !isCode(error, "SOURCE_BUSY")) throw error;
      }
    }
  }

  async #send(statements: readonly string[]): Promise<void> {
    this.#isAsking = true;
    await this.#target.write(statements, this.#options.signal);
    this.#isAsking = false;
  }

  /** Writes some statements, of which the last is the one of number `count`. */
  async #write(batch: readonly string[], count: number, isLast: boolean): Promise<void> {
    const { signal } = this.#options;
    // Where only some tables are restored, it could not be told later which stand in, and which were there.
    const { tables = [] } = this.#options;
    const { make, remove } = (tables.length === 0 && this.#standIns?.statements(this.#there)) || NONE;
    const doRowsBegin = this.#done < this.#firstRows && this.#firstRows <= count;
    const [first, last] = [doRowsBegin ? make : [], isLast ? remove : []];
    const all = this.#transaction([...this.#mark(count, isLast), ...first, ...batch, ...last]);
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#send(all);
        break;
      } catch (error) {
        const isUnknown = isCode(error, "SOURCE_BUSY");
        // What was believed to have failed may have come in meanwhile, and the same after it is refused.
        if (!isUnknown && (attempt === 1 || !isCode(error, "SOURCE_REFUSED"))) throw error;
        this.#mayBeDone = isLast;
        const { halfLoaded } = await targetState(this.#target, signal);
        this.#mayBeDone = false;
        if (halfLoaded?.load === this.#load && halfLoaded.done >= count) break;
        if (isLast && !halfLoaded) break;
        if (!isUnknown || attempt === ATTEMPTS) throw error;
      }
    }
    this.#done = count;
  }

  /** Notes how far it has come, if that is where it was: otherwise the statement fails, and the transaction with it. */
  #mark(count: number, isLast: boolean): string[] {
    const load = literal(this.#load);
    if (this.#done === 0) {
      const undo = this.#options.undo === undefined ? "NULL" : literal(this.#options.undo);
      return [
        ...this.#before,
        `CREATE TABLE ${HALF_LOADED} (load TEXT, done INTEGER NOT NULL, undo TEXT)`,
        `INSERT INTO ${HALF_LOADED} VALUES (${load}, ${count}, ${undo})`,
      ];
    }
    const isThere = `done = ${this.#done} AND load = ${load}`;
    const note = `UPDATE ${HALF_LOADED} SET done = iif(${isThere}, ${count}, NULL)`;
    return isLast ? [note, `DROP TABLE ${HALF_LOADED}`] : [note];
  }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof PagemarkError && error.code === code;
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
