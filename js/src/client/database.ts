import { d1Error, ours, textOf } from "./errors.ts";
import { isEmpty, Session } from "./session.ts";
import { asObjects, D1PreparedStatement, type D1Result, noStatement, queryOf } from "./statement.ts";
import type { D1Options } from "./values.ts";
import type { PagemarkBinding } from "./wire.ts";

type Constraint = "first-primary" | "first-unconstrained";
/** Each means the one copy that there is. */
const CONSTRAINTS: ReadonlySet<string> = new Set<Constraint>(["first-primary", "first-unconstrained"]);
/** A part of a statement is one that SQLite refuses so. */
const SQLITE_ERROR = 1;

/** Statements whose answers are never older than one before them. */
export class D1DatabaseSession {
  static readonly name = "D1DatabaseSession";
  readonly #session: Session;

  constructor(binding: PagemarkBinding, options: D1Options, bookmark: string | undefined) {
    this.#session = new Session(binding, options, bookmark);
  }

  prepare(query: string): D1PreparedStatement {
    return new D1PreparedStatement(this.#session, query);
  }

  batch<T = unknown>(statements: D1PreparedStatement[]): Promise<D1Result<T>[]> {
    return batch(this.#session, statements);
  }

  /** The newest state that an answer was of; null before the first. */
  getBookmark(): string | null {
    return this.#session.bookmark ?? null;
  }
}

/** A database of the Pagemark Worker, with D1's methods and no others. */
export class D1Database {
  static readonly name = "D1Database";
  readonly #binding: PagemarkBinding;
  readonly #options: D1Options;

  constructor(binding: PagemarkBinding, options: D1Options) {
    this.#binding = binding;
    this.#options = options;
  }

  prepare(query: string): D1PreparedStatement {
    return new D1PreparedStatement(this.#session, query);
  }

  /** Runs statements in one transaction: all of them take effect, or none does. */
  batch<T = unknown>(statements: D1PreparedStatement[]): Promise<D1Result<T>[]> {
    return batch(this.#session, statements);
  }

  /**
   * Runs a script in one transaction. As in D1 each line is a query of its own, and counted as one. Where lines are not,
   * as those of a statement over several, the script is run as SQLite reads it, and its statements are counted.
   */
  async exec(query: string): Promise<{ count: number; duration: number }> {
    const lines = query
      .trim()
      .split("\n")
      .map((sql, at) => ({ sql, number: at + 1 }));
    const wanted = lines.filter(({ sql }) => !isEmpty(sql));
    const byLine = await this.#session.send(wanted.map(({ sql }) => ({ sql })));
    if ("results" in byLine) {
      const duration = byLine.results.reduce((total, { meta }) => total + meta.duration, 0);
      return { count: byLine.results.length, duration };
    }
    const { failure } = byLine;
    if (wanted.length > 1 && (failure.sqlite === SQLITE_ERROR || failure.code === "STATEMENT_NONE")) {
      const whole = await this.#session.send([{ sql: query }]);
      const [result] = "results" in whole ? whole.results : [];
      if (result) return { count: result.statements, duration: result.meta.duration };
    }
    const { sql, number } = wanted[failure.query ?? 0] ?? lines[0] ?? { sql: "", number: 1 };
    throw d1Error("D1_EXEC_ERROR", `Error in line ${number}: ${sql}: ${textOf(failure)}`, ours(failure));
  }

  /** A session that begins with any state, or not before that of a bookmark. */
  withSession(constraintOrBookmark?: string | Constraint): D1DatabaseSession {
    const wanted = constraintOrBookmark?.trim();
    const bookmark = !wanted || CONSTRAINTS.has(wanted) ? undefined : wanted;
    return new D1DatabaseSession(this.#binding, this.#options, bookmark);
  }

  /** The database as a SQLite file, whole in memory; `download()` of the binding gives it as a stream. */
  async dump(): Promise<ArrayBuffer> {
    return new Response(await this.#binding.download()).arrayBuffer();
  }

  /** One that nothing is remembered of. */
  get #session(): Session {
    return new Session(this.#binding, this.#options);
  }
}

async function batch<T>(session: Session, statements: D1PreparedStatement[]): Promise<D1Result<T>[]> {
  if (!Array.isArray(statements)) throw noStatement();
  // `map` would pass over what an array has no value for, and one statement less would be run.
  return (await session.run(Array.from(statements, queryOf))).map((rows) => asObjects<T>(rows));
}
