// A database is put into one that takes SQL and no pages (D1, a Durable Object): as SQL, transaction by transaction.
// Where one will not do for all of it, a table of ours says how far it has come, until it is done: whoever reads the
// database meanwhile is told, and the same load goes on from there. At the end it is read again, and compared.
import { sha256 } from "../core/index.ts";
import type { DumpOptions } from "../dump/options.ts";
import { checkHas, checkOptions, PagemarkError, SourceError } from "../errors/index.ts";
import type { Moment, PageSource, PinOptions, RowSource, RowTarget } from "../sources/source.ts";
import { differing, Fingerprints, type LoadedTable } from "./load-fingerprints.ts";
import { targetState } from "./load-target.ts";
import { Loading } from "./loading.ts";
import { statementsOf } from "./statements-of.ts";

/** How a database is loaded into one that takes SQL: what may be replaced, and whether it is proved. */
export interface LoadOptions extends Pick<DumpOptions, "signal" | "onProgress" | "onWarning"> {
  /** Whether what the database holds may go; otherwise one that holds anything is refused. */
  replace?: boolean;
  /** These tables alone, with their indexes and triggers, and these views: the others stay as they are. */
  tables?: string[] | undefined;
  /** Whether to read all of it again at the end, and compare it; true unless given. */
  verify?: boolean | undefined;
}

/** What was loaded. */
export interface Loaded {
  /** The tables as they were found afterwards; missing where that was not wanted, or could not be done. */
  verified?: LoadedTable[];
}

/** What {@link loadRows} is told besides. */
interface Details {
  /** Names what is loaded, so that the same can be gone on with; without it, a load that ends early begins anew. */
  load?: string | undefined;
  /** The bookmark of what was there before. */
  undo?: string | undefined;
  /** For reading what is there then: room for its pages, and what they may be like. */
  pin?: Pick<PinOptions, "scratch" | "previous">;
}

/** What is said of rows that refer to what is not there. */
const DANGLING = {
  sql: 'SELECT "table" AS a, count(*) AS n FROM pragma_foreign_key_check GROUP BY 1',
};
/** The SQL that goes in, and with which what is there then is compared. */
const AS_LOADED = { dialect: "d1", inBatches: true } as const;
/** How much of an import is read at once, in bytes. */
const DIGESTED = 1 << 20;

/** What rows can be loaded into. */
export function isRowTarget(source: object): source is PageSource & RowTarget {
  return "write" in source && typeof source.write === "function" && "ask" in source;
}

/**
 * Loads the database of `moment`, which is released then.
 *
 * @throws SourceError `SOURCE_NOT_EMPTY`, `SOURCE_HALF_LOADED`, `SOURCE_REFUSED`, `SOURCE_DIFFERS`
 */
export async function loadRows(
  target: PageSource & RowTarget,
  moment: Moment,
  options: LoadOptions = {},
  { load, undo, pin }: Details = {},
): Promise<Loaded> {
  const { signal, verify = true, onWarning } = options;
  const warnings: string[] = [];
  const given = new Fingerprints();
  try {
    const loading = new Loading(target, await targetState(target, signal), { ...options, load, undo });
    const told = { ...options, onWarning: (text: string) => void warnings.push(text) };
    await loading.run(fingerprinted(statementsOf(moment, target.name, { ...told, ...AS_LOADED }), given));
  } finally {
    await moment.release().catch(() => {});
  }
  for (const warning of warnings) onWarning?.(warning);
  if (!verify) return {};
  return prove(target, await given.end(), warnings, options, pin);
}

/**
 * Puts the database of `from`, a file say, into one that takes SQL and no pages: D1, or a Durable Object from inside of
 * it. What did not come to its end goes on when it is called again.
 *
 * @example
 * ```ts
 * import { d1, importInto, memory } from "pagemark";
 * await importInto(d1(env.DB), memory(await request.blob()));
 * ```
 * @throws SourceError `SOURCE_NOT_EMPTY`, unless `replace` says that what is there may go
 */
export async function importInto(
  target: PageSource & RowSource,
  from: PageSource,
  options: LoadOptions = {},
): Promise<Loaded> {
  checkHas("pin", target, "the target", "a source such as d1(binding)");
  checkHas("pin", from, "what is loaded", "a source such as file(path)");
  if (!isRowTarget(target)) {
    throw new PagemarkError("USAGE", `${target.name} takes no SQL; restore or copy the file instead`);
  }
  const { signal } = checkOptions(options);
  const moment = await from.pin({ signal });
  try {
    const load = await digestOf(moment, signal);
    return await loadRows(target, moment, options, { load, pin: { previous: () => from.pin({ signal }) } });
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

/** Reads all that was loaded, and compares it with what was `given`. @throws SourceError `SOURCE_DIFFERS` */
async function prove(
  target: PageSource & RowSource,
  given: LoadedTable[],
  warnings: readonly string[],
  { signal, onProgress, onWarning, tables }: LoadOptions,
  pin: Details["pin"],
): Promise<Loaded> {
  const { name } = target;
  const found = new Fingerprints();
  try {
    const moment = await target.pin({ ...pin, signal });
    const statements = statementsOf(moment, name, { ...AS_LOADED, signal, onProgress, tables });
    for await (const statement of statements) await found.add(statement);
  } catch (error) {
    const isCanceled = error instanceof PagemarkError && error.code === "CANCELED";
    if (!isCanceled) signal?.throwIfAborted();
    if (!(error instanceof PagemarkError)) throw error;
    if (isCanceled) {
      const message = `canceled; all was loaded into ${name}, but not read again to prove that`;
      throw new PagemarkError("CANCELED", message, error.at, { cause: error });
    }
    const message = `${name}: all was loaded, but could not be read again to prove that: ${error.message}`;
    if (error.code !== "SOURCE_TEMP_FULL")
      throw new SourceError(error.code as `SOURCE_${string}`, message, error.at, { cause: error });
    onWarning?.(message);
    return {};
  }
  const verified = await found.end();
  const wrong = differing(given, verified);
  for (const [table, how] of wrong) {
    // That D1 would take it otherwise, the SQL has said before.
    if (table === "" || !warnings.some((warning) => warning.includes(table))) continue;
    onWarning?.(`${how} is not as it was`);
    wrong.delete(table);
  }
  if (wrong.size === 0) await warnOfDangling(target, signal, onWarning);
  if (wrong.size === 0) return { verified: verified.filter((table) => !/^$|^sqlite_/.test(table.name)) };
  const told = [...wrong.values()].slice(0, 5);
  if (wrong.size > told.length) told.push(`${wrong.size - told.length} more tables`);
  const message = `${name}: all was loaded, but something else is there now: ${told.join(", ")}. Somebody wrote to it meanwhile, or it took something otherwise; run it again when nobody writes`;
  throw new SourceError("SOURCE_DIFFERS", message, { name });
}

/** Says which rows refer to nothing: as in the backup, or since a table was restored alone. */
async function warnOfDangling(
  target: RowSource,
  signal: AbortSignal | undefined,
  onWarning: LoadOptions["onWarning"],
): Promise<void> {
  const { rows } = await target.ask([DANGLING], signal).catch(() => ({ rows: [] }));
  for (const [table, count] of rows[0] ?? [])
    onWarning?.(`table ${JSON.stringify(table)}: ${count} rows refer to rows that are not there`);
}

async function* fingerprinted(
  statements: AsyncIterable<string>,
  fingerprints: Fingerprints,
): AsyncGenerator<string> {
  for await (const statement of statements) {
    await fingerprints.add(statement);
    yield statement;
  }
}
