// The errors of the wasm modules. Their glue imports this file (../pkg/core/pagemark.js and its like): Rust says what failed
// and where, in finished words, and what comes of it here is what the package throws.
import { DamageError } from "../errors/damage-error.ts";
import { checkList, checkText } from "../errors/options.ts";
import { PagemarkError, type Place } from "../errors/pagemark-error.ts";
import { SourceError } from "../errors/source-error.ts";
import { SqlError } from "../errors/sql-error.ts";

/** Whose matter a failure is, as the core's `Class` names it. */
type Class = "caller" | "input" | "damage" | "sql" | "busy" | "store" | "defect";

/** Errors that do not say yet which file, object or database they are about. */
const nameless = new WeakSet<PagemarkError>();

/** For the glue: a failure of the core, at a `place` if it is known, as a number or as the digits of one of 64 bits. */
export function coreError(
  of: Class,
  code: string,
  message: string,
  place: "offset" | "page" | "row" | "txid" | "",
  number: number,
  digits: string,
): PagemarkError {
  const at: Place = place === "" ? {} : { [place]: digits === "" ? number : digits };
  const error = make(isDamage(of), code, message, at);
  nameless.add(error);
  return error;
}

/** For the glue: a failure of the engine. */
export function engineError(
  of: Class,
  code: string,
  message: string,
  sqlite?: number,
  offset?: number,
  line?: number,
  cause?: unknown,
): PagemarkError {
  // What a store of files says is of the user's files, and says what to do.
  if (cause instanceof SourceError) return cause;
  const at: Place = {};
  if (offset !== undefined) at.offset = offset;
  if (line !== undefined) at.line = line;
  const options = cause === undefined ? {} : { cause };
  return of === "sql"
    ? new SqlError(code, message, sqlite, at, options)
    : make(isDamage(of), code, message, at, options);
}

function isDamage(of: Class): boolean {
  return of === "damage" || of === "input";
}

function make(
  isDamage: boolean,
  code: string,
  message: string,
  at: Place,
  options?: ErrorOptions,
): PagemarkError {
  return new (isDamage ? DamageError : PagemarkError)(code, message, at, options);
}

/** For the glue: the functions of a wasm module. A trap in one of them is an `INTERNAL` error, as is what fails after it. */
export function guarded<Exports extends Record<string, unknown>>(exports: Exports): Exports {
  let stopped: PagemarkError | undefined;
  const failed = (error: unknown) => {
    if (error instanceof WebAssembly.RuntimeError) stopped ??= internal(error);
    return stopped ?? error;
  };
  const guard =
    (work: (...args: unknown[]) => unknown, isFree: boolean) =>
    (...args: unknown[]) => {
      try {
        return work(...args);
      } catch (error) {
        const known = failed(error);
        // What the trap left in use cannot be freed, and nothing is gained by saying so.
        if (!isFree || !stopped) throw known;
      }
    };
  const entries = Object.entries(exports).map(([name, value]) => {
    const isFree = name.startsWith("__wbg_") && name.endsWith("_free");
    const isOurs = typeof value === "function" && (isFree || !name.startsWith("__"));
    return [name, isOurs ? guard(value as (...args: unknown[]) => unknown, isFree) : value];
  });
  return Object.fromEntries(entries);
}

/** For the glue, which would read memory that is not there. */
export { checkList, checkText };

function internal(cause: unknown): PagemarkError {
  const message = "the core stopped; this is a defect, please report it with the file that caused it";
  return new PagemarkError("INTERNAL", message, {}, { cause });
}

/**
 * An error of the core with the name of what it is about, a file, an object or a database, where it has none yet; other
 * errors as they are.
 */
export function named(error: unknown, name: string | undefined): unknown {
  if (name === undefined || !(error instanceof PagemarkError) || !nameless.has(error)) return error;
  const { code, message, at } = error;
  // What `at` may be is about what was asked for.
  if (code === "AT_SYNTAX") return error;
  // A text longer than any database's name would bury what is said about it.
  const short = code === "NAME_INVALID" && name.length > 128 ? `${name.slice(0, 40)}…` : name;
  const shown = short === "" ? '""' : short;
  return make(error instanceof DamageError, code, `${shown}: ${message}`, { ...at, name: shown });
}

/** Runs `work`, whose errors are {@link named}. */
export async function naming<T>(name: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw named(error, name);
  }
}

/** An error of the core as it passes from one thread to another. */
export interface Failure {
  isDamage: boolean;
  code: string;
  message: string;
  at: Place;
}

/** What a thread says of an error to the one that asked it. */
export function failureOf(error: unknown): Failure {
  const known = error instanceof PagemarkError ? error : internal(error);
  const { code, message, at } = known;
  return { isDamage: known instanceof DamageError, code, message, at };
}

/** The error, as if it had been thrown on this thread. */
export function errorOf({ isDamage, code, message, at }: Failure): PagemarkError {
  const error = make(isDamage, code, message, at);
  if (code !== "INTERNAL") nameless.add(error);
  return error;
}
