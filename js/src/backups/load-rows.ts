// A database is put into one that takes SQL and no pages (D1, a Durable Object): as SQL, transaction by transaction.
// Where one will not do for all of it, a table of ours says how far it has come, until it is done: whoever reads the
// database meanwhile is told, and the same load goes on from there.
import { dumpCore, named, sha256 } from "../core/index.ts";
import { dumpChunks } from "../dump/dump.ts";
import type { DumpOptions } from "../dump/options.ts";
import { PagemarkError, SourceError } from "../errors/index.ts";
import {
  HALF_LOADED,
  type Moment,
  type PageSource,
  type RowSource,
  type RowTarget,
} from "../sources/source.ts";
import { dropsOf, type TargetState, targetState } from "./load-target.ts";

export interface LoadOptions extends Pick<DumpOptions, "signal" | "onProgress" | "onWarning" | "tables"> {
  /** Whether what the database holds may go; otherwise one that holds anything is refused. */
  replace?: boolean;
}

/** A transaction has about so many bytes of SQL; what is not larger is loaded in one. */
const TRANSACTION = 1 << 20;
const ONLY_TRANSACTION = 2 << 20;
/** And so many statements at most. */
const MOST_STATEMENTS = 1_000;
/** What the SQL begins with holds for a transaction. */
const DEFER = "PRAGMA defer_foreign_keys=TRUE";
/** Of what is imported so much is read at once, in bytes. */
const DIGESTED = 1 << 20;
/** A write of which nothing is known is tried again so often. */
const ATTEMPTS = 5;

/** What rows can be loaded into. */
export function isRowTarget(source: object): source is RowTarget {
  return "write" in source && typeof source.write === "function" && "ask" in source;
}

/**
 * Loads the database of `moment`, which is released then.
 *
 * @param load names what is loaded, so that the same can be gone on with; without it, a load that ends early begins anew
 * @throws SourceError `SOURCE_NOT_EMPTY`, `SOURCE_HALF_LOADED`, `SOURCE_REFUSED`
 */
export async function loadRows(
  target: RowTarget,
  moment: Moment,
  load: string | undefined,
  options: LoadOptions = {},
): Promise<void> {
  try {
    const loading = new Loading(target, load, await targetState(target, options.signal), options);
    await loading.run(statementsOf(moment, target.name, options));
  } finally {
    await moment.release().catch(() => {});
  }
}

/**
 * Puts the database of `from`, a file say, into one that takes SQL and no pages: D1, or a Durable Object from inside of
 * it. What did not come to its end goes on when it is called again.
 *
 * @example
 * ```ts
 * await importInto(d1(env.DB), memory(await request.arrayBuffer()));
 * ```
 * @throws SourceError `SOURCE_NOT_EMPTY`, unless `replace` says that what is there may go
 */
export async function importInto(
  target: PageSource & RowSource,
  from: PageSource,
  options: LoadOptions = {},
): Promise<void> {
  if (!isRowTarget(target)) {
    throw new PagemarkError("USAGE", `${target.name} takes no SQL; restore or copy the file instead`);
  }
  const { signal } = options;
  const moment = await from.pin({ signal });
  try {
    await loadRows(target, moment, await digestOf(moment, signal), options);
  } finally {
    await moment.release().catch(() => {});
  }
}

/** Names what is in a moment. */
async function digestOf(moment: Moment, signal: AbortSignal | undefined): Promise<string> {
  const { pageSize, pageCount } = moment;
  const hasher = await sha256();
  const most = Math.max(1, Math.floor(DIGESTED / pageSize));
  for (let first = 1; first <= pageCount; first += most) {
    const pages = new Uint8Array(Math.min(most, pageCount - first + 1) * pageSize);
    await moment.read(first, pages, signal);
    hasher.update(pages);
  }
  return `sha256 ${hasher.digest()}`;
}

class Loading {
  readonly #target: RowTarget;
  readonly #load: string;
  readonly #options: LoadOptions;
  /** Statements that are in the database, by what it says. */
  #done: number;
  /** What has to come first. */
  #before: string[];

  constructor(target: RowTarget, load: string | undefined, state: TargetState, options: LoadOptions) {
    this.#target = target;
    this.#load = load ?? crypto.randomUUID();
    this.#options = options;
    const { halfLoaded, isEmpty } = state;
    const isSame = halfLoaded !== undefined && halfLoaded.load === load;
    this.#done = isSame ? halfLoaded.done : 0;
    this.#before = isSame || isEmpty ? [] : dropsOf(state);
    if (isSame || isEmpty || options.replace) return;
    const { name } = target;
    if (halfLoaded) {
      const message = `${name}: holds part of ${halfLoaded.load}, whose restore did not end; restore that again, or replace what is there`;
      throw new SourceError("SOURCE_HALF_LOADED", message, { name });
    }
    const message = `${name}: holds tables already; load into an empty database, or say that it may replace them`;
    throw new SourceError("SOURCE_NOT_EMPTY", message, { name });
  }

  async run(statements: AsyncIterable<string>): Promise<void> {
    let [count, bytes] = [0, 0];
    let batch: string[] = [];
    let isFirst = true;
    for await (const statement of statements) {
      count++;
      if (count <= this.#done) continue;
      batch.push(statement);
      bytes += statement.length;
      const most = isFirst && this.#done === 0 ? ONLY_TRANSACTION : TRANSACTION;
      if (bytes < most && batch.length < MOST_STATEMENTS) continue;
      await this.#write(batch, count, isFirst);
      [batch, bytes, isFirst] = [[], 0, false];
    }
    if (isFirst && this.#done === 0)
      await this.#target.write([DEFER, ...this.#before, ...batch], this.#options.signal);
    else await this.#write([...batch, `DROP TABLE ${HALF_LOADED}`], count, false);
  }

  /** Writes some statements, of which the last is the one of number `count`. */
  async #write(batch: readonly string[], count: number, isFirst: boolean): Promise<void> {
    const { signal } = this.#options;
    const isLast = batch.at(-1) === `DROP TABLE ${HALF_LOADED}`;
    const begin = isFirst && this.#done === 0;
    const all = [
      DEFER,
      ...(begin ? [...this.#before, ...beginning(this.#load)] : []),
      ...batch,
      ...(isLast ? [] : [`UPDATE ${HALF_LOADED} SET done = ${count}`]),
    ];
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#target.write(all, signal);
        break;
      } catch (error) {
        const isUnknown = error instanceof PagemarkError && error.code === "SOURCE_BUSY";
        if (!isUnknown || attempt === ATTEMPTS) throw error;
        const { halfLoaded } = await targetState(this.#target, signal);
        if (halfLoaded?.load === this.#load && halfLoaded.done >= count) break;
        if (isLast && !halfLoaded) break;
      }
    }
    this.#done = count;
  }
}

function beginning(load: string): string[] {
  return [
    `CREATE TABLE ${HALF_LOADED} (load TEXT, done INTEGER)`,
    `INSERT INTO ${HALF_LOADED} VALUES ('${load.replaceAll("'", "''")}', 0)`,
  ];
}

/** The database as SQL for D1, statement by statement. */
async function* statementsOf(moment: Moment, name: string, options: LoadOptions): AsyncGenerator<string> {
  const { signal, onProgress, onWarning, tables } = options;
  const { Statements } = await dumpCore();
  const statements = new Statements();
  try {
    const wanted = { dialect: "d1" as const, signal, onProgress, onWarning, ...(tables && { tables }) };
    for await (const chunk of await dumpChunks(moment, name, wanted)) {
      statements.push(chunk);
      for (let next = statements.nextWhole(); next !== undefined; next = statements.nextWhole()) yield next;
    }
  } catch (error) {
    throw named(error, name);
  } finally {
    statements.free();
  }
}
